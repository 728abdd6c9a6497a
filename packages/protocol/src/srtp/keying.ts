import { SRTP_SUITES, type SrtpSuite } from "./suites.ts";

/** A master key with its salt, for one direction. Never log it. */
export interface SrtpMasterKey {
  readonly key: Uint8Array;
  readonly salt: Uint8Array;
  /** Master key identifier that each packet carries, 1–128 octets (RFC 3711 §3.1); absent: packets carry none. */
  readonly mki?: Uint8Array | undefined;
  /** SRTP packets, and SRTCP packets, that its owner means to protect with it (RFC 4568 §6.1); absent: RFC 3711's limits. */
  readonly lifetimePackets?: number | undefined;
}

/** What one direction of a stream is protected with. */
export interface SrtpKeying {
  readonly suite: SrtpSuite;
  /** The first is the one to send with. More than one only where each has an MKI of the same length. */
  readonly keys: readonly SrtpMasterKey[];
}

const MAX_MKI_LENGTH = 128;

/**
 * @returns what is wrong with it, in words without the key; `undefined` when it can be used
 */
export function keyingFault({ suite, keys }: SrtpKeying): string | undefined {
  const { keyLength, saltLength } = SRTP_SUITES[suite];
  const [first, ...others] = keys;
  if (first === undefined) return "no key";
  if (keys.some(({ key }) => key.length !== keyLength)) return `a key of ${suite} has ${keyLength} octets`;
  if (keys.some(({ salt }) => salt.length !== saltLength))
    return `a salt of ${suite} has ${saltLength} octets`;
  const mkiLength = first.mki?.length ?? 0;
  if (mkiLength > MAX_MKI_LENGTH) return "a master key identifier is too long";
  if (others.some(({ mki }) => (mki?.length ?? 0) !== mkiLength)) return "identifiers differ in length";
  if (others.length > 0 && mkiLength === 0) return "several keys need identifiers";
  return undefined;
}

/** Whether two keyings protect alike, so that a stream can go on with the state it has. */
export function sameKeying(a: SrtpKeying, b: SrtpKeying): boolean {
  return (
    a.suite === b.suite &&
    a.keys.length === b.keys.length &&
    a.keys.every((one, index) => {
      const other = b.keys[index]!;
      return (
        sameOctets(one.key, other.key) &&
        sameOctets(one.salt, other.salt) &&
        sameOctets(one.mki ?? NONE, other.mki ?? NONE)
      );
    })
  );
}

const NONE = new Uint8Array(0);

function sameOctets(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((octet, index) => octet === b[index]);
}
