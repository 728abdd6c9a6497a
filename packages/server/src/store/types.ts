import type { Random } from "@callfork/protocol/text";
import type { AccountRecord, ApiStore, Credentials } from "../api/index.ts";
import type { CallStore, HttpMethod } from "../calls/index.ts";
import type { Alerts, Log } from "../observe/index.ts";
import type { ConnectorDirectory, SiprecStore } from "../recording-client/index.ts";
import type { KeepingStore, RecordingStore } from "../recording-server/index.ts";

export interface StoreOptions {
  /** Path of the database, made with mode 0600 where it is missing, or ":memory:". */
  readonly file: string;
  /** 32 octets. Seals auth tokens, connector credentials, trunk passwords and the keys of recordings (AES-256-GCM). Copied; the caller keeps the array. */
  readonly masterKey: Uint8Array;
  /** Keys that older secrets may still be sealed with; `openStore` seals them anew under `masterKey`. */
  readonly previousMasterKeys?: readonly Uint8Array[];
  readonly log: Log;
  /** Wall clock, epoch milliseconds. */
  readonly now: () => number;
  /** For SIDs and made tokens; the system's generator when it is left out. Nonces and salts never come from it. */
  readonly random?: Random;
  /** How much history is kept; see `Retention`. */
  readonly retention?: Partial<Retention>;
}

/** Bounds of what grows by itself. The older rows go, whichever bound is met first. */
export interface Retention {
  /** Alerts per database. Default 50,000. */
  readonly alerts: number;
  /** Default 30 days. */
  readonly alertAgeMs: number;
  /** Callbacks that are over, delivered or given up. Default 10,000. */
  readonly finishedCallbacks: number;
  /** Default 3 days. */
  readonly finishedCallbackAgeMs: number;
}

/**
 * Everything that outlives the process, under the ports that the rooms declare. Every promise resolves when the change
 * is durable, and rejects with `StoreUnavailableError`, `StoreOverloadedError` or `StoreFailedError` when that is not certain.
 */
export interface Store {
  readonly calls: CallStore;
  readonly siprecs: SiprecStore;
  readonly connectors: ConnectorDirectory;
  readonly recordings: RecordingStore;
  /** How recordings are kept: keys, holds, retention, where their files are, who heard them. */
  readonly keeping: KeepingStore;
  readonly api: ApiStore;
  readonly credentials: Credentials;
  readonly accounts: Accounts;
  readonly alerts: AlertSink;
  readonly outbox: Outbox;
  /** Writes what is buffered, then closes the file. Everything asked afterwards rejects. */
  close(): Promise<void>;
}

export interface Accounts {
  /**
   * Sees to it that the account exists. Without `sid`: the first account there is, or a new one. A given `authToken`
   * replaces the stored one; a missing one is made for a new account (32 hexadecimal digits).
   */
  ensureAccount(wish: {
    readonly sid?: string | undefined;
    readonly authToken?: string | undefined;
    readonly friendlyName?: string | undefined;
  }): Promise<EnsuredAccount>;
  /** For signing webhooks; undefined for an unknown account. Never logged. */
  authToken(accountSid: string): Promise<string | undefined>;
}

export interface EnsuredAccount {
  readonly account: AccountRecord;
  readonly authToken: string;
  readonly created: boolean;
}

/** Keeps alerts. `raise` buffers (at most 1,000; more are dropped, counted and logged); a failing write is logged. */
export interface AlertSink extends Alerts {
  /** Resolves when all alerts raised so far are written, or their failure is logged. */
  flush(): Promise<void>;
}

/** A callback to deliver. */
export interface OutboxEntry {
  /** UUID v4, the idempotency token: the same however often it is tried. */
  readonly id: string;
  readonly accountSid: string;
  readonly callSid: string | null;
  readonly kind: string;
  /** As given, connection overrides in the fragment included. */
  readonly url: string;
  readonly method: HttpMethod;
  readonly parameters: readonly (readonly [name: string, value: string])[];
  /** Deliveries tried before this one. */
  readonly attempts: number;
  readonly dateCreated: number;
}

/**
 * Callbacks that are owed. Callbacks of one call, kind and receiver (URL origin) form a lane: only the head of a lane
 * can be claimed, so they leave in the order in which they were saved.
 */
export interface Outbox {
  /** Takes due heads, oldest due time first. A claim ends with `complete`, `postpone`, `giveUp` or `release`, or after `leaseMs`. */
  claim(options: {
    readonly limit: number;
    readonly leaseMs: number;
    /** Receivers (URL origins) that are busy enough. */
    readonly exceptOrigins?: readonly string[];
  }): Promise<readonly OutboxEntry[]>;
  complete(id: string): Promise<void>;
  /** Counts one attempt; due again at `at` (epoch milliseconds). */
  postpone(id: string, at: number, reason: string): Promise<void>;
  /** Counts one attempt, the last one. */
  giveUp(id: string, reason: string): Promise<void>;
  /** Hands a claim back untried. */
  release(id: string): Promise<void>;
  /** When the next unclaimed head is due, those for some receivers aside; undefined when nothing is owed. May lie in the past. */
  nextDueAt(options?: { readonly exceptOrigins?: readonly string[] }): Promise<number | undefined>;
  /** Callbacks not yet delivered nor given up. */
  pending(): Promise<number>;
  /** Told after a commit that added callbacks. Returns a function that takes the handler off. */
  onAdded(handler: () => void): () => void;
}
