import type { CallbackRequest, PeerCertificate, SiprecRecord } from "../calls/index.ts";

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
  /** Where custom parameters go: into the metadata, into header fields of the INVITE, or both. */
  readonly parameterTransport: "metadata" | "headers" | "both";
  /** Namespace of `<ExtensionParameters>`; null: the platform's. */
  readonly extensionNamespace: string | null;
  /** Adds call SID, direction, numbers and trunk to the metadata. */
  readonly callData: boolean;
  /** Asks its recorders by OPTIONS whether they are there, every so many seconds; null: never. */
  readonly optionsIntervalSeconds: number | null;
}

export interface ConnectorDirectory {
  find(accountSid: string, uniqueName: string): Promise<ConnectorRecord | undefined>;
}

export interface SiprecStore {
  /** Inserts or replaces the row, and the callbacks it owes, in one transaction. */
  saveSiprec(record: SiprecRecord, callbacks: readonly CallbackRequest[]): Promise<void>;
  /** By SID, or the newest of that name. */
  findSiprec(callSid: string, sidOrName: string): Promise<SiprecRecord | undefined>;
  /** Forks that were live when the process died, set to stopped. Returns them. */
  closeOrphanedSiprecs(now: number): Promise<readonly SiprecRecord[]>;
  /** Whether the account has (had) that call: tells 21220 (ended) from 20404 (unknown). */
  callExists(accountSid: string | undefined, callSid: string): Promise<boolean>;
}
