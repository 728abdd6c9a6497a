import { randomBytes, randomUUID } from "node:crypto";
import { type Random, toHex } from "@callfork/protocol/text";

export type SidPrefix = "AC" | "CA" | "SR" | "PN" | "TK" | "XE" | "RE" | "NO" | "RR" | "SK";

/** Names things: two letters and 32 hexadecimal digits, as REST clients expect them. */
export class Names {
  readonly #random: Random;

  constructor(random: Random = { bytes: (length) => randomBytes(length) }) {
    this.#random = random;
  }

  sid(prefix: SidPrefix): string {
    return prefix + this.hex(16);
  }

  hex(octets: number): string {
    return toHex(this.#random.bytes(octets));
  }

  /** UUID v4: RFC 9562 §5.4. */
  uuid(): string {
    return randomUUID();
  }
}
