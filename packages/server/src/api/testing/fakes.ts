import { Readable } from "node:stream";
import {
  type CallControl,
  type CallRecord,
  type CallStatus,
  type Calls,
  type DocumentSource,
  type Forks,
  NO_SIPREC_DETAIL,
  type PlaceCall,
  type SiprecRecord,
  type SiprecStart,
} from "../../calls/index.ts";
import { createLog, createMetrics, PlatformError } from "../../observe/index.ts";
import type {
  Actor,
  AuditAction,
  AuditEntry,
  MediaFile,
  Reconciliation,
  RecordingArchive,
  RecordingFilter,
  RecordingKeeping,
  RecordingLibrary,
  RecordingRecord,
  RetentionRule,
} from "../../recording-server/index.ts";
import { wholeOf } from "../../recording-server/stitching/whole.ts";
import { type ApiOptions, createApi } from "../create.ts";
import type { Credentials, Principal } from "../ports.ts";
import { FakeStreams } from "./fake-streams.ts";
import { MemoryStore } from "./memory-store.ts";

export const ACCOUNT_SID = `AC${"a".repeat(32)}`;
export const OTHER_ACCOUNT_SID = `AC${"b".repeat(32)}`;
export const AUTH_TOKEN = "0123456789abcdef0123456789abcdef";
export const AUTHORIZATION = basic(ACCOUNT_SID, AUTH_TOKEN);

export function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}

/** An error of another room, with the verdict that a test wants. */
export class FakeError extends PlatformError {
  override readonly name = "FakeError";
  get code(): string {
    return "FAKE";
  }
  readonly fault = "caller";
  override readonly httpStatus: number;
  override readonly publicCode: number;
  constructor(httpStatus: number, publicCode: number, message: string) {
    super(message);
    this.httpStatus = httpStatus;
    this.publicCode = publicCode;
  }
}

/** Calls that are placed at once and do what they are told. */
export class FakeCalls implements Calls {
  readonly placed: PlaceCall[] = [];
  readonly redirects: { sid: string; source: DocumentSource }[] = [];
  readonly #store: MemoryStore;
  readonly #live = new Map<string, CallControl>();

  constructor(store: MemoryStore) {
    this.#store = store;
  }

  get liveCount(): number {
    return this.#live.size;
  }

  async place(options: PlaceCall): Promise<CallRecord> {
    this.placed.push(options);
    return this.add({ from: options.from, to: options.to, accountSid: options.accountSid, status: "queued" });
  }

  add(wish: Partial<CallRecord> = {}): CallRecord {
    const now = this.#store.now();
    const call: CallRecord = {
      sid: this.#store.sid("CA"),
      accountSid: ACCOUNT_SID,
      parentCallSid: null,
      from: "+15550001",
      to: "+15550002",
      callerName: null,
      direction: "outbound-api",
      status: "in-progress",
      phoneNumberSid: null,
      trunkSid: null,
      sipCallId: null,
      sipStatus: null,
      dateCreated: now,
      dateUpdated: now,
      startTime: null,
      endTime: null,
      ...wish,
    };
    this.#store.callRows.push(call);
    if (["queued", "ringing", "in-progress"].includes(call.status))
      this.#live.set(call.sid, this.#control(call.sid));
    return call;
  }

  find(callSid: string): CallControl | undefined {
    return this.#live.get(callSid);
  }

  set(sid: string, change: Partial<CallRecord>): void {
    const rows = this.#store.callRows;
    const index = rows.findIndex((row) => row.sid === sid);
    const row = { ...rows[index]!, ...change, dateUpdated: this.#store.now() };
    rows[index] = row;
  }

  tap(): undefined {
    return undefined;
  }

  async drain(): Promise<void> {}

  #control(sid: string): CallControl {
    const record = () => this.#store.callRows.find((row) => row.sid === sid)!;
    const live = this.#live;
    const done = async () => {};
    return {
      sid,
      accountSid: record().accountSid,
      record,
      requestParameters: () => [],
      get ended() {
        return !live.has(sid);
      },
      signal: new AbortController().signal,
      answer: done,
      dial: () => Promise.reject(new Error("not here")),
      play: done,
      pause: done,
      reject: done,
      hangup: async () => {
        live.delete(sid);
        const status: CallStatus = record().status === "in-progress" ? "completed" : "canceled";
        this.set(sid, { status, endTime: this.#store.now() });
      },
      redirect: (source) => void this.redirects.push({ sid, source }),
    };
  }
}

/** Forks without a recorder: the rules of the port, and nothing behind it. */
export class FakeForks implements Forks {
  readonly started: SiprecStart[] = [];
  /** What live forks have sent. */
  counters: SiprecRecord["detail"]["tracks"] = [];
  readonly #store: MemoryStore;
  readonly #calls: FakeCalls;

  constructor(store: MemoryStore, calls: FakeCalls) {
    this.#store = store;
    this.#calls = calls;
  }

  async start(callSid: string, options: SiprecStart): Promise<SiprecRecord> {
    this.started.push(options);
    const control = this.#calls.find(callSid);
    if (control === undefined) throw new FakeError(400, 21220, "Call is not in-progress");
    const { accountSid } = control;
    const known = this.#store.connectorRows.some(
      (row) => row.accountSid === accountSid && row.uniqueName === options.connectorName,
    );
    if (!known) throw new FakeError(400, 31940, `No connector named ${options.connectorName}`);
    const now = this.#store.now();
    const row: SiprecRecord = {
      sid: this.#store.sid("SR"),
      accountSid,
      callSid,
      name: options.name,
      connectorName: options.connectorName ?? "",
      track: options.track ?? "both_tracks",
      status: "in-progress",
      statusCallback: options.statusCallback,
      statusCallbackMethod: options.statusCallbackMethod,
      parameters: options.parameters,
      recorderUri: null,
      errorCode: null,
      errorMessage: null,
      dateCreated: now,
      dateUpdated: now,
      startTime: null,
      endTime: null,
      detail: NO_SIPREC_DETAIL,
    };
    this.#store.siprecRows.push(row);
    return row;
  }

  stop(callSid: string, sidOrName: string): Promise<SiprecRecord> {
    return this.#change(callSid, sidOrName, "stopped");
  }

  pause(callSid: string, sidOrName: string): Promise<SiprecRecord> {
    return this.#change(callSid, sidOrName, "paused");
  }

  resume(callSid: string, sidOrName: string): Promise<SiprecRecord> {
    return this.#change(callSid, sidOrName, "in-progress");
  }

  async inspect(_callSid: string, siprecSid: string): Promise<SiprecRecord | undefined> {
    const row = this.#store.siprecRows.find(({ sid }) => sid === siprecSid);
    return row && { ...row, detail: { ...row.detail, tracks: this.counters } };
  }

  async #change(callSid: string, sidOrName: string, status: SiprecRecord["status"]): Promise<SiprecRecord> {
    const rows = this.#store.siprecRows;
    const index = rows.findLastIndex(
      (row) => row.callSid === callSid && (row.sid === sidOrName || row.name === sidOrName),
    );
    const row = rows[index];
    if (row === undefined) throw new FakeError(404, 20404, `No fork named ${sidOrName}`);
    const now = this.#store.now();
    const endTime = status === "stopped" ? now : null;
    const changed: SiprecRecord =
      row.status === "stopped" ? row : { ...row, status, dateUpdated: now, endTime };
    rows[index] = changed;
    return changed;
  }
}

export class FakeRecordings implements RecordingLibrary {
  readonly rows: RecordingRecord[] = [];
  audio = Buffer.from("RIFF0123456789abcdefghij");
  readonly opened: { start: number; end: number }[] = [];
  /** What the last list was asked for. */
  asked: RecordingFilter = {};

  add(wish: Partial<RecordingRecord> = {}): RecordingRecord {
    const row: RecordingRecord = {
      sid: `RE${String(this.rows.length).padStart(32, "0")}`,
      accountSid: ACCOUNT_SID,
      status: "completed",
      source: {
        address: "192.0.2.7:5060",
        transport: "tcp",
        userAgent: null,
        callId: "x@y",
        dialect: "rfc7865",
      },
      startTime: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
      endTime: Date.UTC(2026, 0, 2, 3, 5, 5),
      durationMs: 59_322,
      sessions: [{ sessionId: "s1", groupId: null, sipSessionIds: [] }],
      participants: [{ participantId: "p1", aor: "sip:alice@example.com", name: "Alice" }],
      tracks: [
        {
          label: "in bound/1",
          streamId: "st1",
          senders: ["p1"],
          codec: "PCMU",
          clockRateHz: 8000,
          durationMs: 59_300,
          packets: 2965,
          expected: 2965,
          lost: 0,
          late: 0,
          duplicates: 0,
          longestGapMs: 0,
          startOffsetMs: 12,
          file: "secret/path.trk",
        },
      ],
      warnings: [{ code: "W", message: "w", time: Date.UTC(2026, 0, 2) }],
      extensionData: { Role: "agent" },
      ...wish,
    };
    this.rows.push(row);
    return row;
  }

  async list(accountSid: string, page: { offset: number; limit: number } & RecordingFilter) {
    const { offset: _offset, limit: _limit, ...filter } = page;
    this.asked = filter;
    return this.rows
      .filter(
        (row) => row.accountSid === accountSid && (page.status === undefined || row.status === page.status),
      )
      .slice(page.offset, page.offset + page.limit);
  }

  async find(accountSid: string, sid: string) {
    return this.rows.find((row) => row.accountSid === accountSid && row.sid === sid);
  }

  remove(accountSid: string, sid: string): boolean {
    const index = this.rows.findIndex((row) => row.accountSid === accountSid && row.sid === sid);
    if (index >= 0) this.rows.splice(index, 1);
    return index >= 0;
  }

  async whole(accountSid: string, sid: string) {
    const row = await this.find(accountSid, sid);
    if (row === undefined) return undefined;
    const head = row.partOf ?? row.sid;
    return wholeOf(this.rows.filter((one) => one.sid === head || one.partOf === head));
  }

  async wholeMedia(accountSid: string, sid: string) {
    return (await this.find(accountSid, sid)) && this.#file();
  }

  async media(accountSid: string, sid: string) {
    return (await this.find(accountSid, sid)) && this.#file();
  }

  async track(accountSid: string, sid: string, label: string) {
    const row = await this.find(accountSid, sid);
    return row?.tracks.some((track) => track.label === label) ? this.#file() : undefined;
  }

  async metadataXml(accountSid: string, sid: string) {
    const octets = Buffer.from('<?xml version="1.0"?><recording>é</recording>');
    return (
      (await this.find(accountSid, sid)) && {
        contentType: "application/rs-metadata+xml; charset=utf-8",
        octets,
      }
    );
  }

  async metadataJson(accountSid: string, sid: string) {
    return (await this.find(accountSid, sid)) && { versions: [] };
  }

  async vcon(accountSid: string, sid: string) {
    return (await this.find(accountSid, sid)) && { vcon: "0.3.0" };
  }

  #file(): MediaFile {
    return {
      contentType: "audio/wav",
      length: this.audio.length,
      open: (start, end) => {
        this.opened.push({ start, end });
        return Readable.from([this.audio.subarray(start, end + 1)]);
      },
    };
  }
}

export class FakeArchive implements RecordingArchive {
  readonly holds = new Map<string, { reason: string; since: number }>();
  readonly entries: AuditEntry[] = [];
  readonly rules: RetentionRule[] = [];
  reconciled: { readonly from: number; readonly to: number } | undefined;
  readonly #recordings: FakeRecordings;

  constructor(recordings: FakeRecordings) {
    this.#recordings = recordings;
  }

  async keeping(sids: readonly string[]) {
    return new Map(sids.map((sid) => [sid, this.#keeping(sid)]));
  }

  async hold(accountSid: string, sid: string, reason: string | null, who: Actor) {
    if ((await this.#recordings.find(accountSid, sid)) === undefined) return undefined;
    await this.note(accountSid, sid, reason === null ? "released" : "held", who, reason ?? undefined);
    if (reason === null) this.holds.delete(sid);
    else this.holds.set(sid, { reason, since: Date.UTC(2026, 0, 3) });
    return this.#keeping(sid);
  }

  async remove(accountSid: string, sid: string, who: Actor) {
    if (this.holds.has(sid)) throw new FakeError(409, 98022, `${sid} is held`);
    if (!this.#recordings.remove(accountSid, sid)) return false;
    await this.note(accountSid, sid, "deleted", who);
    return true;
  }

  async note(accountSid: string, recordingSid: string, action: AuditAction, who: Actor, detail?: string) {
    const time = Date.UTC(2026, 0, 2);
    this.entries.unshift({ accountSid, recordingSid, action, time, ...who, detail: detail ?? null });
  }

  async audit(accountSid: string, sid: string, { offset, limit }: { offset: number; limit: number }) {
    return this.entries
      .filter((entry) => entry.accountSid === accountSid && entry.recordingSid === sid)
      .slice(offset, offset + limit);
  }

  async reconcile(_accountSid: string, range: { from: number; to: number }): Promise<Reconciliation> {
    this.reconciled = range;
    const finding = { kind: "missing-track" as const, siprecSid: "SR1", callId: null, label: "inbound" };
    return {
      checked: { forks: 1, recordings: 1, files: 2, folders: 1 },
      findings: [{ ...finding, recordingSid: "RE1", message: "5 packets were sent" }],
      isPartial: false,
    };
  }

  async retentionRules(accountSid: string) {
    return this.rules.filter((rule) => rule.accountSid === accountSid);
  }

  async addRetentionRule(rule: Omit<RetentionRule, "sid" | "dateCreated">) {
    const sid = `RR${String(this.rules.length).padStart(32, "0")}`;
    const added = { ...rule, sid, dateCreated: Date.UTC(2026, 0, 2) };
    this.rules.push(added);
    return added;
  }

  async deleteRetentionRule(accountSid: string, sid: string) {
    const index = this.rules.findIndex((rule) => rule.accountSid === accountSid && rule.sid === sid);
    if (index >= 0) this.rules.splice(index, 1);
    return index >= 0;
  }

  #keeping(recordingSid: string): RecordingKeeping {
    const legalHold = this.holds.get(recordingSid) ?? null;
    return { recordingSid, legalHold, deleteAt: null, isSealed: false, place: "disk", moveError: null };
  }
}

/** The REST interface over fakes; `log` holds the lines it wrote. */
export async function fakeApi(wish: Partial<ApiOptions> = {}) {
  const store = new MemoryStore();
  for (const sid of [ACCOUNT_SID, OTHER_ACCOUNT_SID])
    store.accounts.set(sid, {
      sid,
      friendlyName: "Test",
      status: "active",
      dateCreated: store.now(),
      dateUpdated: store.now(),
    });
  const calls = new FakeCalls(store);
  const forks = new FakeForks(store, calls);
  const recordings = new FakeRecordings();
  const archive = new FakeArchive(recordings);
  const streams = new FakeStreams(ACCOUNT_SID, `RE${"5".repeat(32)}`);
  const logins: string[] = [];
  const credentials: Credentials = {
    async authenticate(username, password): Promise<Principal | undefined> {
      logins.push(username);
      if (username === ACCOUNT_SID && password === AUTH_TOKEN)
        return { accountSid: ACCOUNT_SID, keySid: null };
      const key = store.keyRows.find((row) => row.sid === username && row.secret === password);
      return key && { accountSid: key.accountSid, keySid: key.sid };
    },
  };
  const lines: string[] = [];
  const api = await createApi({
    store,
    credentials,
    calls,
    forks,
    recordings,
    archive,
    streams,
    metrics: createMetrics(),
    log: createLog({ level: "debug", destination: { write: (line) => void lines.push(line) } }),
    config: { httpListen: { address: "127.0.0.1", port: 0 }, publicUrl: "http://127.0.0.1:0" },
    readiness: () => ({ ready: true, checks: { sip: true } }),
    version: "0.1.0",
    ...wish,
  });

  const ask = async (
    method: "GET" | "HEAD" | "POST" | "PUT" | "DELETE",
    url: string,
    body?: Record<string, string | readonly string[]> | string,
    headers: Record<string, string> = {},
  ) => {
    const form = typeof body === "object" ? formText(body) : body;
    const answer = await api.inject({
      method,
      url,
      headers: {
        authorization: AUTHORIZATION,
        ...(typeof body === "object" ? { "content-type": "application/x-www-form-urlencoded" } : {}),
        ...headers,
      },
      ...(form === undefined ? {} : { payload: form }),
    });
    const text = answer.body;
    return {
      status: answer.statusCode,
      headers: answer.headers,
      text,
      json: () => JSON.parse(text) as Record<string, unknown>,
    };
  };
  return { api, ask, store, calls, forks, recordings, archive, streams, lines, logins };
}

function formText(fields: Record<string, string | readonly string[]>): string {
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries(fields))
    for (const one of typeof value === "string" ? [value] : value) form.append(name, one);
  return form.toString();
}
