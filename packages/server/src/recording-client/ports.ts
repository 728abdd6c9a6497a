import type { CallbackRequest, SiprecRecord } from "../calls/index.ts";

/** A named recorder with its credentials: the XE… resource, secrets decrypted. Never logged. */
export interface ConnectorRecord {
  readonly sid: string;
  readonly accountSid: string;
  readonly uniqueName: string;
  /** Ordered fail-over list of SIP URIs; parameters as Twilio's (`transport`, `secure`, `edge`, joined by `;` or `&`). */
  readonly sipUris: readonly string[];
  readonly credentialsHeaderName: string | null;
  readonly credentials: string | null;
  readonly username: string | null;
  readonly password: string | null;
  readonly dateCreated: number;
  readonly dateUpdated: number;
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
