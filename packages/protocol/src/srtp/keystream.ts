import { readUint32, writeUint32 } from "../rtp/index.ts";
import type { AesEcb } from "./ciphers.ts";

const BLOCK = 16;
/** Packets whose keystream is made in one call: their indexes are known before they come. */
const PACKETS_AHEAD = 8;
/** But no more than this: long packets get fewer ahead. */
const MAX_AHEAD_OCTETS = 2048;

/**
 * AES counter mode for the packets of one source (RFC 3711 §4.1.1). The counter of a packet is
 *
 *    IV = (salt × 2^16) XOR (SSRC × 2^64) XOR (index × 2^16)
 *
 * and says nothing of its content. So, where the cipher does not do all of it in one call, the keystream of the next
 * packets is made together with that of the present one: a call into the cipher costs more than the blocks do.
 */
export class Keystream {
  readonly aes: AesEcb;
  /** `salt × 2^16 XOR SSRC × 2^64`, as signed numbers of 32 bits. */
  readonly #first: number;
  readonly #second: number;
  readonly #third: number;
  readonly #fourth: number;
  readonly #made: MadeAhead | undefined;

  constructor(aes: AesEcb, salt: Uint8Array, ssrc: number) {
    const base = new Uint8Array(BLOCK);
    base.set(salt);
    for (let i = 0; i < 4; i++) base[4 + i]! ^= ssrc >>> (24 - 8 * i);
    this.aes = aes;
    const word = (at: number): number => readUint32(base, at) | 0;
    [this.#first, this.#second, this.#third, this.#fourth] = [word(0), word(4), word(8), word(12)];
    if (aes.counterMode === undefined) this.#made = new MadeAhead(aes, base);
  }

  /** Encrypts, or decrypts, `from` to `to` in place. */
  apply(bytes: Uint8Array, from: number, to: number, index: number): void {
    if (this.#made !== undefined) {
      this.#made.apply(bytes, from, to, index);
      return;
    }
    // index × 2^16: its 48 bits lie in the third word and in the upper half of the fourth.
    const third = this.#third ^ Math.floor(index / 0x1_0000);
    this.aes.counterMode?.(bytes, from, to, this.#first, this.#second, third, this.#fourth ^ (index << 16));
  }
}

class MadeAhead {
  readonly #aes: AesEcb;
  readonly #base: Uint8Array;
  /** Counter blocks of the packets ahead; only the index in them changes. */
  #counters = new Uint8Array(0);
  #ahead: Uint8Array = new Uint8Array(0);
  /** Index of the first packet of `#ahead`, how many there are, and blocks for each. */
  #first = -1;
  #packets = 0;
  #blocks = 0;
  #last = -1;

  constructor(aes: AesEcb, base: Uint8Array) {
    this.#aes = aes;
    this.#base = base;
  }

  apply(bytes: Uint8Array, from: number, to: number, index: number): void {
    const blocks = Math.ceil((to - from) / BLOCK);
    let offset = index - this.#first;
    if (offset < 0 || offset >= this.#packets || blocks > this.#blocks) {
      this.#make(index, blocks);
      offset = 0;
    }
    this.#last = index;
    const keystream = this.#ahead;
    for (let i = from, k = offset * this.#blocks * BLOCK; i < to; i++, k++) bytes[i]! ^= keystream[k]!;
  }

  #make(index: number, blocks: number): void {
    const inSequence = index === this.#last + 1;
    const room = Math.floor(MAX_AHEAD_OCTETS / Math.max(BLOCK, blocks * BLOCK));
    const packets = inSequence ? Math.max(1, Math.min(PACKETS_AHEAD, room)) : 1;
    if (packets !== this.#packets || blocks !== this.#blocks) this.#layOut(packets, blocks);
    const counters = this.#counters;
    let at = 0;
    for (let packet = 0; packet < packets; packet++) {
      const high = Math.floor((index + packet) / 0x1_0000_0000);
      const low = (index + packet) >>> 0;
      const base = this.#base;
      for (let block = 0; block < blocks; block++, at += BLOCK) {
        counters[at + 8] = base[8]! ^ (high >>> 8);
        counters[at + 9] = base[9]! ^ high;
        writeUint32(counters, at + 10, low);
        counters[at + 10]! ^= base[10]!;
        counters[at + 11]! ^= base[11]!;
        counters[at + 12]! ^= base[12]!;
        counters[at + 13]! ^= base[13]!;
      }
    }
    this.#first = index;
    this.#ahead = this.#aes.encrypt(counters, this.#ahead);
  }

  #layOut(packets: number, blocks: number): void {
    const counters = new Uint8Array(packets * blocks * BLOCK);
    for (let at = 0, block = 0; at < counters.length; at += BLOCK, block = (block + 1) % blocks) {
      counters.set(this.#base, at);
      counters[at + 14] = block >>> 8;
      counters[at + 15] = block;
    }
    this.#counters = counters;
    this.#packets = packets;
    this.#blocks = blocks;
  }
}
