import type { HttpMethod } from "../calls/index.ts";

/** A callback to deliver, as the store hands it out. */
export interface DueCallback {
  /** The idempotency token: the same however often it is tried. */
  readonly id: string;
  readonly accountSid: string;
  readonly callSid: string | null;
  readonly kind: string;
  readonly url: string;
  readonly method: HttpMethod;
  readonly parameters: readonly (readonly [name: string, value: string])[];
  /** Deliveries tried before this one. */
  readonly attempts: number;
  readonly dateCreated: number;
}

/** What the worker asks of the store's outbox. Every promise resolves when the change is durable. */
export interface OutboxQueue {
  claim(options: {
    readonly limit: number;
    readonly leaseMs: number;
    readonly exceptOrigins?: readonly string[];
  }): Promise<readonly DueCallback[]>;
  complete(id: string): Promise<void>;
  postpone(id: string, at: number, reason: string): Promise<void>;
  giveUp(id: string, reason: string): Promise<void>;
  release(id: string): Promise<void>;
  nextDueAt(options?: { readonly exceptOrigins?: readonly string[] }): Promise<number | undefined>;
  onAdded(handler: () => void): () => void;
}

/** Where signing keys come from. */
export interface SigningKeys {
  authToken(accountSid: string): Promise<string | undefined>;
}
