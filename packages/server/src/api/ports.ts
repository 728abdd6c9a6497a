import type { CryptoSuite } from "@callfork/protocol/sdp";
import type { CallRecord, NumberRecord, SiprecRecord, TrunkRecord } from "../calls/index.ts";
import type { Origin } from "../config/index.ts";
import type { Alert } from "../observe/index.ts";

export interface AccountRecord {
  readonly sid: string;
  readonly friendlyName: string;
  readonly status: "active" | "suspended";
  readonly dateCreated: number;
  readonly dateUpdated: number;
}

export interface AlertRecord extends Alert {
  readonly sid: string;
  readonly dateCreated: number;
}

/** A connector as REST shows it: whether there are secrets, never what they are. */
export interface ConnectorView {
  readonly sid: string;
  readonly accountSid: string;
  readonly uniqueName: string;
  readonly sipUris: readonly string[];
  readonly credentialsHeaderName: string | null;
  readonly hasCredentials: boolean;
  readonly username: string | null;
  readonly hasPassword: boolean;
  readonly certificate: string | null;
  readonly hasPrivateKey: boolean;
  readonly certificateAuthority: string | null;
  readonly settings: ConnectorSettings;
  readonly dateCreated: number;
  readonly dateUpdated: number;
}

/** What a connector does differently; `recording-client` says what each means. */
export interface ConnectorSettings {
  readonly profile:
    | "generic"
    | "google-agent-assist"
    | "dynamics-365"
    | "amazon-chime"
    | "sbc-recorder"
    | "callfork";
  readonly edge: string | null;
  readonly headers: readonly string[];
  readonly parameters: readonly string[];
  readonly codecs: readonly string[];
  readonly cryptoSuites: readonly CryptoSuite[];
  readonly optionsFirst: boolean;
  readonly parameterTransport: "metadata" | "headers" | "both";
  readonly extensionNamespace: string | null;
  readonly callData: boolean;
  readonly optionsIntervalSeconds: number | null;
  readonly parallel: readonly string[];
  readonly policy: "optional" | "mandatory";
  readonly onUnrecorded: "continue" | "announce" | "end-call";
  readonly unrecordedLimitSeconds: number | null;
  readonly announcementUrl: string | null;
  readonly recorderStarts: boolean;
  readonly packetBatching: boolean;
}

export type ConnectorChange = {
  readonly uniqueName?: string;
  readonly sipUris?: readonly string[];
  readonly credentialsHeaderName?: string | null;
  readonly credentials?: string | null;
  readonly username?: string | null;
  readonly password?: string | null;
  readonly certificate?: string | null;
  readonly privateKey?: string | null;
  readonly certificateAuthority?: string | null;
  /** Those that are named; the others stay. */
  readonly settings?: Partial<ConnectorSettings>;
};

export type TrunkView = Omit<TrunkRecord, "password" | "privateKey"> & {
  readonly hasPassword: boolean;
  readonly hasPrivateKey: boolean;
};

export type TrunkChange = {
  readonly uniqueName?: string;
  readonly sipUri?: string | null;
  readonly allowedAddresses?: readonly string[];
  readonly allowedCertificateNames?: readonly string[];
  readonly username?: string | null;
  readonly password?: string | null;
  readonly certificate?: string | null;
  readonly privateKey?: string | null;
  readonly certificateAuthority?: string | null;
};

export type NumberChange = Partial<Omit<NumberRecord, "sid" | "accountSid" | "dateCreated" | "dateUpdated">>;

export interface Page {
  readonly offset: number;
  readonly limit: number;
}

export interface CallFilter {
  readonly to?: string;
  readonly from?: string;
  readonly status?: string;
  readonly parentCallSid?: string;
  readonly startTimeFrom?: number;
  readonly startTimeTo?: number;
  readonly endTimeFrom?: number;
  readonly endTimeTo?: number;
}

/** Who a request speaks for. */
export interface Principal {
  readonly accountSid: string;
  /** The API key's SID, null when the Auth Token was used. */
  readonly keySid: string | null;
}

export interface Credentials {
  /** Basic credentials: account SID and auth token, or key SID and secret. Constant-time; undefined when wrong. */
  authenticate(username: string, password: string): Promise<Principal | undefined>;
}

/** An edge of this node as it listens: the real ports where 0 was asked for. */
export interface EdgeView extends Origin {
  readonly name: string;
  readonly rtpAddress: string;
  readonly outboundProxy: string | undefined;
}

/** What the REST interface asks of the store. `DuplicateNameError` (20409) where a unique name is taken. */
export interface ApiStore {
  account(sid: string): Promise<AccountRecord | undefined>;
  call(accountSid: string, sid: string): Promise<CallRecord | undefined>;
  /** Newest first. */
  calls(accountSid: string, filter: CallFilter, page: Page): Promise<readonly CallRecord[]>;
  /** Removes an ended call's row. */
  deleteCall(accountSid: string, sid: string): Promise<boolean>;
  siprec(accountSid: string, callSid: string, sidOrName: string): Promise<SiprecRecord | undefined>;
  siprecs(accountSid: string, callSid: string, page: Page): Promise<readonly SiprecRecord[]>;
  createNumber(
    accountSid: string,
    change: NumberChange & { readonly phoneNumber: string },
  ): Promise<NumberRecord>;
  number(accountSid: string, sid: string): Promise<NumberRecord | undefined>;
  numbers(
    accountSid: string,
    filter: { readonly phoneNumber?: string; readonly friendlyName?: string },
    page: Page,
  ): Promise<readonly NumberRecord[]>;
  updateNumber(accountSid: string, sid: string, change: NumberChange): Promise<NumberRecord | undefined>;
  deleteNumber(accountSid: string, sid: string): Promise<boolean>;
  createConnector(
    accountSid: string,
    change: ConnectorChange & { readonly uniqueName: string; readonly sipUris: readonly string[] },
  ): Promise<ConnectorView>;
  /** By SID or unique name. */
  connector(accountSid: string, sidOrName: string): Promise<ConnectorView | undefined>;
  connectors(accountSid: string, page: Page): Promise<readonly ConnectorView[]>;
  updateConnector(
    accountSid: string,
    sidOrName: string,
    change: ConnectorChange,
  ): Promise<ConnectorView | undefined>;
  deleteConnector(accountSid: string, sidOrName: string): Promise<boolean>;
  createTrunk(accountSid: string, change: TrunkChange & { readonly uniqueName: string }): Promise<TrunkView>;
  trunk(accountSid: string, sidOrName: string): Promise<TrunkView | undefined>;
  trunks(accountSid: string, page: Page): Promise<readonly TrunkView[]>;
  updateTrunk(accountSid: string, sidOrName: string, change: TrunkChange): Promise<TrunkView | undefined>;
  deleteTrunk(accountSid: string, sidOrName: string): Promise<boolean>;
  /** The secret is returned here once, and never again. */
  createKey(
    accountSid: string,
    friendlyName: string,
  ): Promise<{
    readonly sid: string;
    readonly secret: string;
    readonly friendlyName: string;
    readonly dateCreated: number;
  }>;
  keys(
    accountSid: string,
    page: Page,
  ): Promise<
    readonly {
      readonly sid: string;
      readonly friendlyName: string;
      readonly dateCreated: number;
      readonly dateUpdated: number;
    }[]
  >;
  deleteKey(accountSid: string, sid: string): Promise<boolean>;
  alerts(
    accountSid: string,
    filter: {
      readonly callSid?: string;
      readonly resourceSid?: string;
      readonly level?: string;
      readonly from?: number;
      readonly to?: number;
    },
    page: Page,
  ): Promise<readonly AlertRecord[]>;
  alert(accountSid: string, sid: string): Promise<AlertRecord | undefined>;
  /** True when the database answers. */
  healthy(): Promise<boolean>;
}

/** Whether this node can do its work; `checks` names what was looked at. */
export interface Readiness {
  readonly ready: boolean;
  readonly checks: Readonly<Record<string, boolean>>;
}

/** The SIP messages of a call and its forks, in order; `undefined`: no such call in that account. */
export interface CallTraces {
  trace(accountSid: string, callSid: string): Promise<object | undefined>;
}
