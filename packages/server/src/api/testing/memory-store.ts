import type { CallRecord, NumberRecord, SiprecRecord, TrunkRecord } from "../../calls/index.ts";
import { PlatformError } from "../../observe/index.ts";
import type {
  AccountRecord,
  AlertRecord,
  ApiStore,
  ConnectorChange,
  ConnectorView,
  Page,
  TrunkView,
} from "../ports.ts";

export class TakenError extends PlatformError {
  override readonly name = "TakenError";
  get code(): string {
    return "DUPLICATE_NAME";
  }
  readonly fault = "caller";
  override readonly httpStatus = 409;
  override readonly publicCode = 20409;
}

interface ConnectorRow extends ConnectorView {
  readonly secrets: {
    readonly credentials: string | null;
    readonly password: string | null;
    readonly privateKey: string | null;
  };
}

interface Row {
  readonly sid: string;
  readonly accountSid: string;
}

/** An ApiStore in memory: newest first, unique names, secrets kept apart from views. */
export class MemoryStore implements ApiStore {
  readonly accounts = new Map<string, AccountRecord>();
  readonly callRows: CallRecord[] = [];
  readonly siprecRows: SiprecRecord[] = [];
  readonly numberRows: NumberRecord[] = [];
  readonly connectorRows: ConnectorRow[] = [];
  readonly trunkRows: TrunkRecord[] = [];
  readonly alertRows: AlertRecord[] = [];
  readonly keyRows: (Row & {
    secret: string;
    friendlyName: string;
    dateCreated: number;
    dateUpdated: number;
  })[] = [];
  isHealthy = true;
  #time = Date.UTC(2026, 0, 1);
  #serial = 0;

  sid(prefix: string): string {
    this.#serial += 1;
    return `${prefix}${this.#serial.toString(16).padStart(32, "0")}`;
  }

  /** Each question about the time finds it a second later. */
  now(): number {
    this.#time += 1000;
    return this.#time;
  }

  async account(sid: string) {
    return this.accounts.get(sid);
  }

  async call(accountSid: string, sid: string) {
    return find(this.callRows, accountSid, sid);
  }

  async calls(accountSid: string, filter: Parameters<ApiStore["calls"]>[1], page: Page) {
    const fits = (call: CallRecord) =>
      (filter.to === undefined || call.to === filter.to) &&
      (filter.from === undefined || call.from === filter.from) &&
      (filter.status === undefined || call.status === filter.status) &&
      (filter.parentCallSid === undefined || call.parentCallSid === filter.parentCallSid) &&
      within(call.startTime, filter.startTimeFrom, filter.startTimeTo) &&
      within(call.endTime, filter.endTimeFrom, filter.endTimeTo);
    return newest(this.callRows, accountSid, page, fits);
  }

  async deleteCall(accountSid: string, sid: string) {
    return remove(this.callRows, accountSid, sid);
  }

  async siprec(accountSid: string, callSid: string, sidOrName: string) {
    return this.siprecRows
      .filter((row) => row.accountSid === accountSid && row.callSid === callSid)
      .findLast((row) => row.sid === sidOrName || row.name === sidOrName);
  }

  async siprecs(accountSid: string, callSid: string, page: Page) {
    return newest(this.siprecRows, accountSid, page, (row) => row.callSid === callSid);
  }

  async createNumber(accountSid: string, change: Parameters<ApiStore["createNumber"]>[1]) {
    if (this.numberRows.some((row) => row.phoneNumber === change.phoneNumber))
      throw new TakenError(`${change.phoneNumber} is taken`);
    const now = this.now();
    const row: NumberRecord = {
      sid: this.sid("PN"),
      accountSid,
      friendlyName: change.phoneNumber,
      voiceUrl: null,
      voiceMethod: "POST",
      voiceFallbackUrl: null,
      voiceFallbackMethod: "POST",
      voiceTwiml: null,
      statusCallback: null,
      statusCallbackMethod: "POST",
      dateCreated: now,
      dateUpdated: now,
      ...change,
    };
    this.numberRows.push(row);
    return row;
  }

  async number(accountSid: string, sid: string) {
    return find(this.numberRows, accountSid, sid);
  }

  async numbers(accountSid: string, filter: Parameters<ApiStore["numbers"]>[1], page: Page) {
    const fits = (row: NumberRecord) =>
      (filter.phoneNumber === undefined || row.phoneNumber === filter.phoneNumber) &&
      (filter.friendlyName === undefined || row.friendlyName === filter.friendlyName);
    return newest(this.numberRows, accountSid, page, fits);
  }

  async updateNumber(accountSid: string, sid: string, change: Parameters<ApiStore["updateNumber"]>[2]) {
    return replace(this.numberRows, find(this.numberRows, accountSid, sid), {
      ...change,
      dateUpdated: this.now(),
    });
  }

  async deleteNumber(accountSid: string, sid: string) {
    return remove(this.numberRows, accountSid, sid);
  }

  async createConnector(accountSid: string, change: Parameters<ApiStore["createConnector"]>[1]) {
    this.#refuseTaken(this.connectorRows, accountSid, change.uniqueName);
    const now = this.now();
    const fresh: ConnectorRow = {
      sid: this.sid("XE"),
      accountSid,
      uniqueName: change.uniqueName,
      sipUris: change.sipUris,
      credentialsHeaderName: null,
      hasCredentials: false,
      username: null,
      hasPassword: false,
      certificate: null,
      hasPrivateKey: false,
      certificateAuthority: null,
      settings: {
        parameterTransport: "metadata",
        extensionNamespace: null,
        callData: false,
        packetBatching: true,
        optionsIntervalSeconds: null,
        profile: "generic",
        edge: null,
        headers: [],
        parameters: [],
        codecs: [],
        cryptoSuites: [],
        optionsFirst: false,
        parallel: [],
        policy: "optional",
        onUnrecorded: "continue",
        unrecordedLimitSeconds: null,
        announcementUrl: null,
        recorderStarts: false,
      },
      dateCreated: now,
      dateUpdated: now,
      secrets: { credentials: null, password: null, privateKey: null },
    };
    const row = changed(fresh, change);
    this.connectorRows.push(row);
    return view(row);
  }

  async connector(accountSid: string, sidOrName: string) {
    const row = findNamed(this.connectorRows, accountSid, sidOrName);
    return row && view(row);
  }

  async connectors(accountSid: string, page: Page) {
    return newest(this.connectorRows, accountSid, page, () => true).map(view);
  }

  async updateConnector(accountSid: string, sidOrName: string, change: ConnectorChange) {
    const row = findNamed(this.connectorRows, accountSid, sidOrName);
    if (row !== undefined && change.uniqueName !== undefined)
      this.#refuseTaken(this.connectorRows, accountSid, change.uniqueName, row.sid);
    const next =
      row && replace(this.connectorRows, row, { ...changed(row, change), dateUpdated: this.now() });
    return next && view(next);
  }

  async deleteConnector(accountSid: string, sidOrName: string) {
    return remove(this.connectorRows, accountSid, findNamed(this.connectorRows, accountSid, sidOrName)?.sid);
  }

  async createTrunk(accountSid: string, change: Parameters<ApiStore["createTrunk"]>[1]) {
    this.#refuseTaken(this.trunkRows, accountSid, change.uniqueName);
    const now = this.now();
    const row: TrunkRecord = {
      sid: this.sid("TK"),
      accountSid,
      sipUri: null,
      allowedAddresses: [],
      allowedCertificateNames: [],
      username: null,
      password: null,
      certificate: null,
      privateKey: null,
      certificateAuthority: null,
      dateCreated: now,
      dateUpdated: now,
      ...change,
    };
    this.trunkRows.push(row);
    return trunkView(row);
  }

  async trunk(accountSid: string, sidOrName: string) {
    const row = findNamed(this.trunkRows, accountSid, sidOrName);
    return row && trunkView(row);
  }

  async trunks(accountSid: string, page: Page) {
    return newest(this.trunkRows, accountSid, page, () => true).map(trunkView);
  }

  async updateTrunk(accountSid: string, sidOrName: string, change: Parameters<ApiStore["updateTrunk"]>[2]) {
    const row = findNamed(this.trunkRows, accountSid, sidOrName);
    const next = replace(this.trunkRows, row, { ...change, dateUpdated: this.now() });
    return next && trunkView(next);
  }

  async deleteTrunk(accountSid: string, sidOrName: string) {
    return remove(this.trunkRows, accountSid, findNamed(this.trunkRows, accountSid, sidOrName)?.sid);
  }

  async createKey(accountSid: string, friendlyName: string) {
    const now = this.now();
    const key = { sid: this.sid("SK"), secret: `secret-of-${this.#serial}`, friendlyName, dateCreated: now };
    this.keyRows.push({ ...key, accountSid, dateUpdated: now });
    return key;
  }

  async keys(accountSid: string, page: Page) {
    return newest(this.keyRows, accountSid, page, () => true);
  }

  async deleteKey(accountSid: string, sid: string) {
    return remove(this.keyRows, accountSid, sid);
  }

  async alerts(accountSid: string, filter: Parameters<ApiStore["alerts"]>[1], page: Page) {
    const fits = (row: AlertRecord) =>
      (filter.callSid === undefined || row.callSid === filter.callSid) &&
      (filter.resourceSid === undefined || row.resourceSid === filter.resourceSid) &&
      (filter.level === undefined || row.level === filter.level) &&
      within(row.dateCreated, filter.from, filter.to);
    return newest(this.alertRows, accountSid, page, fits);
  }

  async alert(accountSid: string, sid: string) {
    return find(this.alertRows, accountSid, sid);
  }

  async healthy() {
    return this.isHealthy;
  }

  #refuseTaken(
    rows: readonly (Row & { uniqueName: string })[],
    accountSid: string,
    name: string,
    except?: string,
  ) {
    if (rows.some((row) => row.accountSid === accountSid && row.uniqueName === name && row.sid !== except))
      throw new TakenError(`The name ${name} is taken`);
  }
}

function find<R extends Row>(rows: readonly R[], accountSid: string, sid: string): R | undefined {
  return rows.find((row) => row.accountSid === accountSid && row.sid === sid);
}

function findNamed<R extends Row & { uniqueName: string }>(
  rows: readonly R[],
  accountSid: string,
  name: string,
) {
  return rows.find((row) => row.accountSid === accountSid && (row.sid === name || row.uniqueName === name));
}

function newest<R extends Row>(
  rows: readonly R[],
  accountSid: string,
  page: Page,
  fits: (row: R) => boolean,
): R[] {
  return rows
    .filter((row) => row.accountSid === accountSid && fits(row))
    .reverse()
    .slice(page.offset, page.offset + page.limit);
}

function remove(rows: Row[], accountSid: string, sid: string | undefined): boolean {
  const index = rows.findIndex((row) => row.accountSid === accountSid && row.sid === sid);
  if (index >= 0) rows.splice(index, 1);
  return index >= 0;
}

function replace<R extends Row>(rows: R[], row: R | undefined, change: Partial<R>): R | undefined {
  if (row === undefined) return undefined;
  const next = { ...row, ...change };
  rows[rows.indexOf(row)] = next;
  return next;
}

function within(
  time: number | null,
  from = Number.NEGATIVE_INFINITY,
  to = Number.POSITIVE_INFINITY,
): boolean {
  const bounded = from !== Number.NEGATIVE_INFINITY || to !== Number.POSITIVE_INFINITY;
  return time === null ? !bounded : time >= from && time <= to;
}

function changed(row: ConnectorRow, change: ConnectorChange): ConnectorRow {
  const { credentials, password, privateKey, ...plain } = { ...row.secrets, ...change };
  return {
    ...row,
    ...plain,
    settings: { ...row.settings, ...plain.settings },
    hasCredentials: credentials !== null,
    hasPassword: password !== null,
    hasPrivateKey: privateKey !== null,
    secrets: { credentials, password, privateKey },
  };
}

function view({ secrets: _, ...row }: ConnectorRow): ConnectorView {
  return row;
}

function trunkView({ password, privateKey, ...row }: TrunkRecord): TrunkView {
  return { ...row, hasPassword: password !== null, hasPrivateKey: privateKey !== null };
}
