/**
 * The ciphers that SRTP is made of. They come in as an argument: this room computes no cipher itself. Each object is
 * made once per key and lives as long as the key; keys are copied, and the caller may wipe its own.
 */
export interface SrtpCiphers {
  /** @param key - 16 or 32 octets */
  aesEcb(key: Uint8Array): AesEcb;
  /** @param key - 20 octets */
  hmacSha1(key: Uint8Array): HmacSha1;
  /** @param key - 16 or 32 octets */
  aesGcm(key: Uint8Array): AesGcm;
}

/** AES on single blocks: from it, counter mode makes its keystream (RFC 3711 §4.1.1). */
export interface AesEcb {
  /**
   * Encrypts each block of 16 octets by itself.
   *
   * @param blocks - a multiple of 16 octets, not changed
   * @param into - what it returned before and is not needed any more: may be written to and returned again
   * @returns as many octets; they belong to the caller
   */
  encrypt(blocks: Uint8Array, into?: Uint8Array): Uint8Array;
  /**
   * Encrypts, or decrypts, `from` to `to` in place in counter mode; absent where it would cost more than keystreams that
   * `encrypt` makes for several packets.
   *
   * @param first - the first counter block, as four signed numbers of 32 bits in network order; the fourth counts
   */
  counterMode?(
    bytes: Uint8Array,
    from: number,
    to: number,
    first: number,
    second: number,
    third: number,
    fourth: number,
  ): void;
}

/** HMAC-SHA1 (RFC 2104), cut to the length of a tag. */
export interface HmacSha1 {
  /**
   * Writes the tag of `length` octets from `at`, followed by `trailer`, to `tagAt`. Tag and message may not overlap.
   *
   * @param trailer - 32 bits that count as four more octets in network order; `NO_TRAILER` for none
   */
  sign(
    bytes: Uint8Array,
    at: number,
    length: number,
    trailer: number,
    tagAt: number,
    tagLength: number,
  ): void;
  /** Whether the tag at `tagAt` is the right one; compares in constant time. */
  verify(
    bytes: Uint8Array,
    at: number,
    length: number,
    trailer: number,
    tagAt: number,
    tagLength: number,
  ): boolean;
}

export const NO_TRAILER = -1;

/** AES in Galois/counter mode with a nonce of 12 octets and a tag of 16 (RFC 5116 §5.1, §5.2). */
export interface AesGcm {
  /** Encrypts `from` to `to` in place and writes the tag at `to`. */
  seal(nonce: Uint8Array, associatedData: Uint8Array, bytes: Uint8Array, from: number, to: number): void;
  /**
   * Decrypts `from` to `to` in place when the tag at `to` is right.
   *
   * @returns false when it is not; then nothing has changed
   */
  open(nonce: Uint8Array, associatedData: Uint8Array, bytes: Uint8Array, from: number, to: number): boolean;
}
