import { createCipheriv, createDecipheriv, createSecretKey, hash, type KeyObject } from "node:crypto";
import {
  type AesEcb,
  type AesGcm,
  type HmacSha1,
  NO_TRAILER,
  type SrtpCiphers,
} from "@callfork/protocol/srtp";
import { createOpenSslCiphers } from "./openssl-srtp-ciphers.ts";
import { MAX_PACKET_BYTES } from "./packet-io.ts";

/** The fastest ciphers of SRTP that work in this process: each is tried on known answers first. */
export function createSrtpCiphers(): SrtpCiphers {
  const fast = createOpenSslCiphers();
  return fast !== undefined && computesAs(fast, createNodeCiphers()) ? fast : createNodeCiphers();
}

/**
 * The ciphers of SRTP on `node:crypto`.
 *
 * Keys become KeyObjects once: Node 24 takes four times as long with keys in buffers. AES-ECB is one cipher object for
 * the life of a key. HMAC-SHA1 is two one-shot hashes over precomputed pads, because a hash object costs more than the
 * hash; results leave as Latin-1 strings, because a Buffer costs more than that. GCM needs a cipher object a packet:
 * its nonce cannot be set again.
 */
export function createNodeCiphers(): SrtpCiphers {
  const scratch = new HmacScratch();
  return {
    aesEcb: (key) => new NodeAesEcb(key),
    hmacSha1: (key) => new NodeHmacSha1(key, scratch),
    aesGcm: (key) => new NodeAesGcm(key),
  };
}

class NodeAesEcb implements AesEcb {
  readonly #cipher: ReturnType<typeof createCipheriv>;

  constructor(key: Uint8Array) {
    this.#cipher = createCipheriv(`aes-${8 * key.length}-ecb`, createSecretKey(key), null);
    this.#cipher.setAutoPadding(false);
  }

  encrypt(blocks: Uint8Array): Uint8Array {
    return this.#cipher.update(blocks);
  }
}

const SHA1_BLOCK = 64;
const SHA1_LENGTH = 20;
const TRAILER = 4;

/** What messages are hashed in, behind the pads: one for all keys of a thread. */
class HmacScratch {
  readonly inner = Buffer.allocUnsafeSlow(SHA1_BLOCK + MAX_PACKET_BYTES + TRAILER);
  readonly outer = Buffer.allocUnsafeSlow(SHA1_BLOCK + SHA1_LENGTH);
  readonly #views: (Buffer | undefined)[] = new Array(this.inner.length + 1);

  view(length: number): Buffer {
    let view = this.#views[length];
    if (view === undefined) {
      view = this.inner.subarray(0, length);
      this.#views[length] = view;
    }
    return view;
  }
}

/** H(K XOR opad, H(K XOR ipad, text)) (RFC 2104 §2). */
class NodeHmacSha1 implements HmacSha1 {
  readonly #scratch: HmacScratch;
  readonly #innerPad = new Uint8Array(SHA1_BLOCK);
  readonly #outerPad = new Uint8Array(SHA1_BLOCK);

  constructor(key: Uint8Array, scratch: HmacScratch) {
    this.#scratch = scratch;
    for (let i = 0; i < SHA1_BLOCK; i++) {
      this.#innerPad[i] = (key[i] ?? 0) ^ 0x36;
      this.#outerPad[i] = (key[i] ?? 0) ^ 0x5c;
    }
  }

  sign(
    bytes: Uint8Array,
    at: number,
    length: number,
    trailer: number,
    tagAt: number,
    tagLength: number,
  ): void {
    const mac = this.#compute(bytes, at, length, trailer);
    for (let i = 0; i < tagLength; i++) bytes[tagAt + i] = mac.charCodeAt(i);
  }

  verify(
    bytes: Uint8Array,
    at: number,
    length: number,
    trailer: number,
    tagAt: number,
    tagLength: number,
  ): boolean {
    const mac = this.#compute(bytes, at, length, trailer);
    let difference = 0;
    for (let i = 0; i < tagLength; i++) difference |= bytes[tagAt + i]! ^ mac.charCodeAt(i);
    return difference === 0;
  }

  /** Twenty octets as Latin-1. */
  #compute(bytes: Uint8Array, at: number, length: number, trailer: number): string {
    const { inner, outer } = this.#scratch;
    inner.set(this.#innerPad);
    inner.set(bytes.subarray(at, at + length), SHA1_BLOCK);
    let end = SHA1_BLOCK + length;
    if (trailer !== NO_TRAILER) end = inner.writeUInt32BE(trailer, end);
    const digest = hash("sha1", this.#scratch.view(end), "binary");
    outer.set(this.#outerPad);
    outer.write(digest, SHA1_BLOCK, SHA1_LENGTH, "latin1");
    return hash("sha1", outer, "binary");
  }
}

const GCM_TAG = 16;

class NodeAesGcm implements AesGcm {
  readonly #key: KeyObject;
  readonly #name: "aes-128-gcm" | "aes-256-gcm";

  constructor(key: Uint8Array) {
    this.#key = createSecretKey(key);
    this.#name = key.length === 32 ? "aes-256-gcm" : "aes-128-gcm";
  }

  seal(nonce: Uint8Array, associatedData: Uint8Array, bytes: Uint8Array, from: number, to: number): void {
    const cipher = createCipheriv(this.#name, this.#key, nonce);
    cipher.setAAD(associatedData);
    if (to > from) bytes.set(cipher.update(bytes.subarray(from, to)), from);
    cipher.final();
    bytes.set(cipher.getAuthTag(), to);
  }

  open(nonce: Uint8Array, associatedData: Uint8Array, bytes: Uint8Array, from: number, to: number): boolean {
    const decipher = createDecipheriv(this.#name, this.#key, nonce);
    decipher.setAAD(associatedData);
    decipher.setAuthTag(bytes.subarray(to, to + GCM_TAG));
    const plain = to > from ? decipher.update(bytes.subarray(from, to)) : undefined;
    try {
      decipher.final();
    } catch {
      return false;
    }
    if (plain !== undefined) bytes.set(plain, from);
    return true;
  }
}

/** Is its counter mode, where it has one, that of `node:crypto`? */
function countsRight(ciphers: SrtpCiphers, key: Uint8Array, plain: Uint8Array): boolean {
  const aes = ciphers.aesEcb(key);
  if (aes.counterMode === undefined) return true;
  const words = [-2, 0x7fffffff, -0x80000000, 0x12340000] as const;
  const counter = Buffer.alloc(16);
  for (const [i, word] of words.entries()) counter.writeInt32BE(word, 4 * i);
  const expected = createCipheriv(`aes-${8 * key.length}-ctr`, key, counter).update(plain);
  const bytes = Buffer.from(plain);
  aes.counterMode(bytes, 0, bytes.length, ...words);
  return bytes.equals(expected);
}

/** Do both come to the same, for lengths around the borders of blocks? */
function computesAs(one: SrtpCiphers, other: SrtpCiphers): boolean {
  const octets = (length: number, seed: number): Uint8Array<ArrayBuffer> =>
    Uint8Array.from({ length }, (_, i) => seed + i * 7);
  try {
    for (const length of [0, 12, 43, 51, 52, 56, 60, 64, 172]) {
      const results = [one, other].map((ciphers) => {
        const bytes = new Uint8Array(new ArrayBuffer(256));
        bytes.set(octets(length, length), 12);
        const blocks = ciphers.aesEcb(octets(16, 1)).encrypt(octets(16 * (1 + (length & 7)), 2));
        ciphers
          .hmacSha1(octets(20, 3))
          .sign(bytes, 12, length, length & 1 ? NO_TRAILER : 0xfedcba98, 200, 20);
        const gcm = ciphers.aesGcm(octets(32, 4));
        gcm.seal(octets(12, 5), octets(12, 6), bytes, 12, 12 + length);
        const sealed = Buffer.concat([bytes, blocks]);
        const opened = gcm.open(octets(12, 5), octets(12, 6), bytes, 12, 12 + length);
        return Buffer.concat([sealed, bytes, Uint8Array.of(opened ? 1 : 0)]);
      });
      if (!results[0]!.equals(results[1]!)) return false;
      for (const keyLength of [16, 32]) {
        if (!countsRight(one, octets(keyLength, 1), octets(length, 2))) return false;
      }
    }
    return true;
  } catch {
    return false;
  }
}
