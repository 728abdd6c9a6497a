import type { SrtpCiphers } from "./ciphers.ts";
import type { SrtpMasterKey } from "./keying.ts";
import type { SrtpSuiteParameters } from "./suites.ts";

/** RFC 3711 §4.3.1, §4.3.2: what is derived for SRTP, and for SRTCP. */
export const RTP_LABELS = { encryption: 0, authentication: 1, salt: 2 } as const;
export const RTCP_LABELS = { encryption: 3, authentication: 4, salt: 5 } as const;
export type SrtpLabels = typeof RTP_LABELS | typeof RTCP_LABELS;

const BLOCK = 16;
const AUTHENTICATION_KEY_LENGTH = 20;
/** Of `x = key_id XOR master_salt`, 112 bits; a salt of 96 bits is filled up with zeros (RFC 7714 §11). */
const PRF_SALT_LENGTH = 14;

export interface SessionKeys {
  readonly encryption: Uint8Array;
  readonly authentication: Uint8Array;
  readonly salt: Uint8Array;
}

/**
 * Session keys from a master key at a key derivation rate of zero: once, for the life of the key (RFC 3711 §4.3.1).
 */
export function deriveSessionKeys(
  ciphers: SrtpCiphers,
  { key, salt }: SrtpMasterKey,
  { keyLength, saltLength }: Pick<SrtpSuiteParameters, "keyLength" | "saltLength">,
  labels: SrtpLabels,
): SessionKeys {
  const aes = ciphers.aesEcb(key);
  const derive = (label: number, length: number): Uint8Array => {
    const blocks = new Uint8Array(Math.ceil(length / BLOCK) * BLOCK);
    for (let at = 0; at < blocks.length; at += BLOCK) {
      blocks.set(salt.subarray(0, PRF_SALT_LENGTH), at);
      // key_id = label || index DIV rate, and the latter is 0: the label meets the salt in its eighth octet.
      blocks[at + 7]! ^= label;
      blocks[at + BLOCK - 1] = at / BLOCK;
    }
    return aes.encrypt(blocks).slice(0, length);
  };
  return {
    encryption: derive(labels.encryption, keyLength),
    authentication: derive(labels.authentication, AUTHENTICATION_KEY_LENGTH),
    salt: derive(labels.salt, saltLength),
  };
}
