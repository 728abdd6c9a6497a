import type { CryptoSuite } from "@callfork/protocol/sdp";
import type { CallbackRequest, CallRecord, PeerCertificate, SiprecRecord } from "../calls/index.ts";
import type { ConnectorProfile } from "./connector-profiles.ts";

/** A named recorder with its credentials: the XE… resource, secrets decrypted. Never logged. */
export interface ConnectorRecord extends PeerCertificate {
  readonly sid: string;
  readonly accountSid: string;
  readonly uniqueName: string;
  /** Ordered fail-over list of SIP URIs; parameters as Twilio's (`transport`, `secure`, `edge`, joined by `;` or `&`). */
  readonly sipUris: readonly string[];
  readonly credentialsHeaderName: string | null;
  readonly credentials: string | null;
  readonly username: string | null;
  readonly password: string | null;
  readonly settings: ConnectorSettings;
  readonly dateCreated: number;
  readonly dateUpdated: number;
}

/** What a connector does differently from others. */
export interface ConnectorSettings {
  /** What kind of recorder it is: gives what is not set. */
  readonly profile: ConnectorProfile;
  /** Edge that its sessions leave from, unless a SIP URI or whoever starts one names another; null: none. */
  readonly edge: string | null;
  /** Header fields of each INVITE, as `Name: template` (templates.ts). */
  readonly headers: readonly string[];
  /** Custom parameters that are not given at the start of a fork, as `Name=template`. */
  readonly parameters: readonly string[];
  /** Names of the codecs that are offered; empty: all that the call has. */
  readonly codecs: readonly string[];
  /** SRTP suites that are offered; empty: all that this node knows. */
  readonly cryptoSuites: readonly CryptoSuite[];
  /** Asks by OPTIONS before the first INVITE, and after each time it did not answer. */
  readonly optionsFirst: boolean;
  /** Where custom parameters go: into the metadata, into header fields of the INVITE, or both. */
  readonly parameterTransport: "metadata" | "headers" | "both";
  /** Namespace of `<ExtensionParameters>`; null: the platform's. */
  readonly extensionNamespace: string | null;
  /** Adds call SID, direction, numbers and trunk to the metadata. */
  readonly callData: boolean;
  /** Asks its recorders by OPTIONS whether they are there, every so many seconds; null: never. */
  readonly optionsIntervalSeconds: number | null;
  /** Names of other connectors that record beside this one whenever this one is asked for; theirs are not followed. */
  readonly parallel: readonly string[];
  /** Whether a call has to be recorded here. */
  readonly policy: "optional" | "mandatory";
  /** Mandatory, and no recorder takes it: what becomes of the call. */
  readonly onUnrecorded: "continue" | "announce" | "end-call";
  /** How long a call may go unrecorded before that; null: until the recorders have been given up. */
  readonly unrecordedLimitSeconds: number | null;
  /** WAV file that is announced; null: three falling tones. */
  readonly announcementUrl: string | null;
  /** Its recorders may start sessions by themselves (RFC 7866 §7.2). */
  readonly recorderStarts: boolean;
  /** Up to five packets of a track may wait for each other, 95 ms at most: a recorder is no party of the talk. */
  readonly packetBatching: boolean;
}

/** Of a connector nobody has set anything for. */
export const DEFAULT_CONNECTOR_SETTINGS: ConnectorSettings = {
  profile: "generic",
  edge: null,
  headers: [],
  parameters: [],
  codecs: [],
  cryptoSuites: [],
  optionsFirst: false,
  parameterTransport: "metadata",
  extensionNamespace: null,
  callData: false,
  optionsIntervalSeconds: null,
  parallel: [],
  policy: "optional",
  onUnrecorded: "continue",
  unrecordedLimitSeconds: null,
  announcementUrl: null,
  recorderStarts: false,
  packetBatching: true,
};

export interface ConnectorDirectory {
  find(accountSid: string, uniqueName: string): Promise<ConnectorRecord | undefined>;
  /** Those of all accounts whose recorders may start sessions. */
  starters(): Promise<readonly ConnectorRecord[]>;
}

export interface SiprecStore {
  /** Inserts or replaces the row, and the callbacks it owes, in one transaction. */
  saveSiprec(record: SiprecRecord, callbacks: readonly CallbackRequest[]): Promise<void>;
  /** By SID, or the newest of that name. */
  findSiprec(callSid: string, sidOrName: string): Promise<SiprecRecord | undefined>;
  /** Forks that were live when the process died, set to stopped. Returns them. */
  closeOrphanedSiprecs(now: number): Promise<readonly SiprecRecord[]>;
  /** A call of any age. */
  findCall(callSid: string): Promise<CallRecord | undefined>;
  /** Whether the account has (had) that call: tells 21220 (ended) from 20404 (unknown). */
  callExists(accountSid: string | undefined, callSid: string): Promise<boolean>;
}
