import { type Random, toHex } from "@callfork/protocol/text";

/** A new SID: two letters that name the kind, and 32 lower-case hexadecimal digits. */
export const newSid = (kind: "CA", random: Random): string => `${kind}${toHex(random.bytes(16))}`;
