import { type Random, toHex } from "@callfork/protocol/text";

/** A new SID: two letters that name the kind, and 32 lower-case hexadecimal digits. */
export const newSid = (kind: "CA", random: Random): string => `${kind}${toHex(random.bytes(16))}`;

/** The number that names a leg's descriptions in their `o=` (RFC 8866 §5.2): 48 random bits, in decimal. */
export const newDescriptionId = (random: Random): string =>
  String(Number.parseInt(toHex(random.bytes(6)), 16));
