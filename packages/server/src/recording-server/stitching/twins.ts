import type { MetadataDocument } from "@callfork/protocol/siprec";
import { objectIdKey } from "@callfork/protocol/siprec";

/** What is done with an INVITE that begins once more what the same client began just before. */
export type TwinPolicy = "keep" | "refuse";

/** A session that one client begins twice within this time is one session, sent twice. */
const TWIN_MS = 2_000;
const MAX_REMEMBERED = 10_000;

interface Begun {
  readonly callId: string;
  readonly time: number;
}

/** Remembers for two seconds which communication sessions a client began to record. */
export class Twins {
  readonly #begun = new Map<string, Begun>();

  /**
   * @param address - of the recording client
   * @param now - milliseconds, monotonic or not
   * @returns the Call-ID of the twin that came first; undefined: there is none, and this one is remembered
   */
  seen(
    address: string,
    callId: string,
    document: MetadataDocument | undefined,
    now: number,
  ): string | undefined {
    const sessions = document?.metadata.sessions ?? [];
    const keys = sessions.slice(0, 8).map(({ sessionId }) => `${address} ${objectIdKey(sessionId)}`);
    for (const key of keys) {
      const before = this.#begun.get(key);
      if (before !== undefined && before.callId !== callId && now - before.time < TWIN_MS)
        return before.callId;
    }
    for (const key of keys) {
      this.#begun.delete(key);
      this.#begun.set(key, { callId, time: now });
    }
    this.#forget(now);
    return undefined;
  }

  /** Oldest first: a map keeps the order in which it was filled. */
  #forget(now: number): void {
    for (const [key, { time }] of this.#begun) {
      if (now - time < TWIN_MS && this.#begun.size <= MAX_REMEMBERED) return;
      this.#begun.delete(key);
    }
  }
}
