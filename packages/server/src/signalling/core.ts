import type { DigestHashes, TransactionTimers } from "@callfork/protocol/sip";
import { type Random, toHex } from "@callfork/protocol/text";
import type { Clock, SipLocator, SipTransports } from "../net/index.ts";
import type { Log } from "../observe/index.ts";
import type { DialogTable } from "./dialog-table.ts";
import type { TransactionLayer } from "./transaction-layer.ts";

/** What every part of the user agent works with. */
export interface Core {
  readonly transports: SipTransports;
  readonly locator: SipLocator;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly userAgentName: string;
  readonly hashes: DigestHashes;
  readonly timers: TransactionTimers;
  /** What we ask for ourselves (RFC 4028); undefined: nothing. */
  readonly sessionIntervalSeconds: number | undefined;
  readonly transactions: TransactionLayer;
  readonly dialogs: DialogTable;
}

/** Fresh random text for tags, branches and Call-IDs: at least the 32 bits that RFC 3261 §19.3 asks of a tag. */
export function token(random: Random, octets = 8): string {
  return toHex(random.bytes(octets));
}

/** A number in [0, 1). */
export function fraction(random: Random): number {
  const [a, b, c] = random.bytes(3);
  return ((a! << 16) | (b! << 8) | c!) / 0x1000000;
}

/** Seconds for Retry-After, spread so that those turned away do not all come back at once. */
export function retryAfterSeconds(random: Random, from: number, to: number): string {
  return String(from + Math.floor(fraction(random) * (to - from + 1)));
}
