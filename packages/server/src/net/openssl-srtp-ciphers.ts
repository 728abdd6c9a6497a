import { readFileSync } from "node:fs";
import type { AesEcb, AesGcm, HmacSha1, SrtpCiphers } from "@callfork/protocol/srtp";
import { MAX_PACKET_BYTES } from "./packet-io.ts";
import { loadKoffi } from "./uring/kernel.ts";

type Koffi = NonNullable<ReturnType<typeof loadKoffi>>;

/** What is called of OpenSSL; addresses are numbers. */
interface OpenSsl {
  readonly addressOf: (buffer: ArrayBufferLike) => number;
  readonly newContext: () => bigint;
  readonly freeContext: (context: bigint) => void;
  readonly cipherNamed: (name: string) => bigint | null;
  readonly init: (
    context: bigint,
    cipher: bigint | null,
    engine: null,
    key: number,
    iv: number,
    encrypt: number,
  ) => number;
  readonly update: (context: bigint, out: number, outLength: number, from: number, length: number) => number;
  readonly final: (context: bigint, out: number, outLength: number) => number;
  readonly control: (context: bigint, what: number, argument: number, pointer: number) => number;
  readonly noPadding: (context: bigint, padding: number) => number;
  readonly sha1Update: (context: number, from: number, length: number) => number;
  readonly sha1Transform: (context: number, block: number) => void;
  /** Absent where the processor has no instructions for AES that we know how to call. */
  readonly counterMode: CounterMode | undefined;
}

interface CounterMode {
  readonly encrypt: (from: number, to: number, length: number, schedule: number, encrypt: number) => void;
  readonly setKey: (key: number, bits: number, schedule: number) => number;
  readonly crypt: (
    from: number,
    to: number,
    length: number,
    schedule: number,
    counter: number,
    rest: number,
    used: number,
    blocks: bigint,
  ) => void;
  /** The function that `crypt` leaves whole blocks to. */
  readonly blocks: bigint;
}

/**
 * The ciphers of SRTP by OpenSSL's own functions, which the node binary exports: a third of the cost of `node:crypto`,
 * and no garbage. Keys and contexts lie in memory of OpenSSL's; packets are worked on where they lie.
 *
 * @param usesCounterMode - false: keystreams are made by blocks, as on processors without instructions for AES
 * @returns undefined where that cannot be: no koffi, a Node whose OpenSSL is not to be seen, or one that counts otherwise
 */
export function createOpenSslCiphers(usesCounterMode = true): SrtpCiphers | undefined {
  const koffi = loadKoffi();
  if (koffi === undefined) return undefined;
  try {
    const openSsl = bindOpenSsl(koffi);
    const sha1 = new Sha1(openSsl);
    const places = new Places(openSsl);
    const counter = new Scratch(openSsl, COUNTER_BYTES);
    const keys = new KeyRoom(openSsl);
    return {
      aesEcb: (key) =>
        openSsl.counterMode === undefined || !usesCounterMode
          ? new OpenSslAesEcb(openSsl, key)
          : new OpenSslAesCounterMode(openSsl.counterMode, places, counter, keys, key),
      hmacSha1: (key) => new OpenSslHmacSha1(places, sha1, keys, key),
      aesGcm: (key) => new OpenSslAesGcm(openSsl, places, key),
    };
  } catch {
    return undefined;
  }
}

function bindOpenSsl(koffi: Koffi): OpenSsl {
  const self = koffi.load(null);
  return {
    addressOf: (buffer) => Number(koffi.address(buffer)),
    newContext: self.func("void *EVP_CIPHER_CTX_new()"),
    freeContext: self.func("void EVP_CIPHER_CTX_free(void *context)"),
    cipherNamed: self.func("void *EVP_get_cipherbyname(const char *name)"),
    init: self.func(
      "int EVP_CipherInit_ex(void *context, void *cipher, void *engine, uintptr_t key, uintptr_t iv, int encrypt)",
    ),
    update: self.func(
      "int EVP_CipherUpdate(void *context, uintptr_t out, uintptr_t outLength, uintptr_t from, int length)",
    ),
    final: self.func("int EVP_CipherFinal_ex(void *context, uintptr_t out, uintptr_t outLength)"),
    control: self.func("int EVP_CIPHER_CTX_ctrl(void *context, int what, int argument, uintptr_t pointer)"),
    noPadding: self.func("int EVP_CIPHER_CTX_set_padding(void *context, int padding)"),
    sha1Update: self.func("int SHA1_Update(uintptr_t context, uintptr_t from, size_t length)"),
    sha1Transform: self.func("void SHA1_Transform(uintptr_t context, uintptr_t block)"),
    counterMode: bindCounterMode(koffi, self),
  };
}

/** What EVP does for AES-CTR on x64, without the two calls for a new counter. */
function bindCounterMode(koffi: Koffi, self: ReturnType<Koffi["load"]>): CounterMode | undefined {
  if (process.arch !== "x64" || !processorHasAes()) return undefined;
  try {
    return {
      setKey: self.func("int aesni_set_encrypt_key(uintptr_t key, int bits, uintptr_t schedule)"),
      encrypt: self.func(
        "void aesni_ecb_encrypt(uintptr_t from, uintptr_t to, size_t length, uintptr_t schedule, int encrypt)",
      ),
      crypt: self.func(
        "void CRYPTO_ctr128_encrypt_ctr32(uintptr_t from, uintptr_t to, size_t length, uintptr_t schedule, " +
          "uintptr_t counter, uintptr_t rest, uintptr_t used, uintptr_t blocks)",
      ),
      blocks: koffi.address(self.symbol("aesni_ctr32_encrypt_blocks", "char")),
    };
  } catch {
    return undefined;
  }
}

function processorHasAes(): boolean {
  try {
    return /^flags\s*:.* aes( |$)/m.test(readFileSync("/proc/cpuinfo", "utf8"));
  } catch {
    return false;
  }
}

/** Where arrays lie. Packets of a thread lie in one: the last one is remembered. */
class Places {
  readonly #openSsl: OpenSsl;
  #bytes: Uint8Array | undefined;
  #place = 0;

  constructor(openSsl: OpenSsl) {
    this.#openSsl = openSsl;
  }

  of(bytes: Uint8Array): number {
    if (bytes !== this.#bytes) {
      this.#place = this.#openSsl.addressOf(bytes.buffer) + bytes.byteOffset;
      this.#bytes = bytes;
    }
    return this.#place;
  }

  /** Of one that does not matter later. */
  now(bytes: Uint8Array): number {
    return this.#openSsl.addressOf(bytes.buffer) + bytes.byteOffset;
  }
}

/** Memory that stays where it is. */
class Scratch {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView;
  readonly address: number;

  constructor(openSsl: OpenSsl, length: number) {
    const buffer = new ArrayBuffer(length);
    this.bytes = new Uint8Array(buffer);
    this.view = new DataView(buffer);
    this.address = openSsl.addressOf(buffer);
  }
}

/** struct aes_key_st, fifteen round keys and their number, is 244 octets; two states of SHA-1 are 40. */
const KEY_BYTES = 256;
const CHUNK_KEYS = 256;

interface KeyPlace {
  readonly address: number;
  readonly bytes: Uint8Array;
  /** The same octets; `at` is the index of the first word. */
  readonly words: Int32Array;
  readonly at: number;
}

/**
 * Memory for what is made of keys, in chunks: contexts that are made one after the other, as those of a stream are, lie
 * side by side. What is not used any more is wiped.
 */
class KeyRoom {
  readonly #openSsl: OpenSsl;
  readonly #free: KeyPlace[] = [];
  readonly #gone = new FinalizationRegistry<KeyPlace>((place) => {
    place.bytes.fill(0);
    this.#free.push(place);
  });

  constructor(openSsl: OpenSsl) {
    this.#openSsl = openSsl;
  }

  /** `KEY_BYTES` octets that begin at a multiple of 64, for as long as `owner` is there. */
  take(owner: object): KeyPlace {
    if (this.#free.length === 0) this.#grow();
    const place = this.#free.pop()!;
    this.#gone.register(owner, place);
    return place;
  }

  #grow(): void {
    const room = new ArrayBuffer(CHUNK_KEYS * KEY_BYTES + 63);
    const address = this.#openSsl.addressOf(room);
    const skip = -address & 63;
    const words = new Int32Array(room, (skip + 3) & ~3, (CHUNK_KEYS * KEY_BYTES) / 4);
    for (let i = CHUNK_KEYS - 1; i >= 0; i--) {
      const from = skip + i * KEY_BYTES;
      const bytes = new Uint8Array(room, from, KEY_BYTES);
      this.#free.push({ address: address + from, bytes, words, at: (i * KEY_BYTES) / 4 });
    }
  }
}

class Context {
  readonly pointer: bigint;
  readonly #openSsl: OpenSsl;

  constructor(openSsl: OpenSsl, name: string, key: Uint8Array, encrypt: boolean) {
    const cipher = openSsl.cipherNamed(name);
    if (cipher === null) throw new Error(`no ${name}`);
    this.#openSsl = openSsl;
    this.pointer = openSsl.newContext();
    contexts.register(this, { free: openSsl.freeContext, pointer: this.pointer });
    const copy = new Scratch(openSsl, key.length);
    copy.bytes.set(key);
    const done = openSsl.init(this.pointer, cipher, null, copy.address, 0, encrypt ? 1 : 0);
    copy.bytes.fill(0);
    if (done !== 1) throw new Error(`${name} cannot be set up`);
    openSsl.noPadding(this.pointer, 0);
  }

  update(out: number, outLength: number, from: number, length: number): void {
    if (this.#openSsl.update(this.pointer, out, outLength, from, length) !== 1)
      throw new Error("EVP_CipherUpdate");
  }
}

/** Contexts, and the keys in them, go with the objects that use them: OpenSSL wipes what it frees. */
const contexts = new FinalizationRegistry<{
  readonly free: (pointer: bigint) => void;
  readonly pointer: bigint;
}>(({ free, pointer }) => free(pointer));

class OpenSslAesEcb implements AesEcb {
  readonly #context: Context;
  readonly #openSsl: OpenSsl;
  readonly #length: Scratch;

  constructor(openSsl: OpenSsl, key: Uint8Array) {
    this.#openSsl = openSsl;
    this.#context = new Context(openSsl, `aes-${8 * key.length}-ecb`, key, true);
    this.#length = new Scratch(openSsl, 8);
  }

  encrypt(blocks: Uint8Array, into?: Uint8Array): Uint8Array {
    const out = into?.length === blocks.length ? into : newBlocks(blocks.length);
    const to = this.#openSsl.addressOf(out.buffer) + out.byteOffset;
    const from = this.#openSsl.addressOf(blocks.buffer) + blocks.byteOffset;
    this.#context.update(to, this.#length.address, from, blocks.length);
    return out;
  }
}

/** The counter block, what is left of a keystream block, and how much of it is used. */
const COUNTER_BYTES = 64;
const REST_AT = 16;
const USED_AT = 32;

/** Counter mode in one call a packet. */
class OpenSslAesCounterMode implements AesEcb {
  readonly #mode: CounterMode;
  readonly #places: Places;
  readonly #counter: Scratch;
  /** Held for as long as there is anybody to use it: nothing else keeps its memory. */
  readonly #key: KeyPlace;

  constructor(mode: CounterMode, places: Places, counter: Scratch, keys: KeyRoom, key: Uint8Array) {
    this.#mode = mode;
    this.#places = places;
    this.#counter = counter;
    this.#key = keys.take(this);
    counter.bytes.set(key);
    const failed = mode.setKey(counter.address, 8 * key.length, this.#key.address);
    counter.bytes.fill(0);
    if (failed !== 0) throw new Error("aesni_set_encrypt_key");
  }

  encrypt(blocks: Uint8Array, into?: Uint8Array): Uint8Array {
    const out = into?.length === blocks.length ? into : newBlocks(blocks.length);
    const [to, from] = [this.#places.now(out), this.#places.now(blocks)];
    this.#mode.encrypt(from, to, blocks.length, this.#key.address, 1);
    return out;
  }

  counterMode(
    bytes: Uint8Array,
    from: number,
    to: number,
    first: number,
    second: number,
    third: number,
    fourth: number,
  ): void {
    const { view, address } = this.#counter;
    view.setInt32(0, first);
    view.setInt32(4, second);
    view.setInt32(8, third);
    view.setInt32(12, fourth);
    view.setInt32(USED_AT, 0);
    const at = this.#places.of(bytes) + from;
    const { crypt, blocks } = this.#mode;
    crypt(at, at, to - from, this.#key.address, address, address + REST_AT, address + USED_AT, blocks);
  }
}

/** Not among the small arrays that the garbage collector moves. */
const newBlocks = (length: number): Uint8Array => new Uint8Array(new ArrayBuffer(length));

const SHA1_BLOCK = 64;
const SHA1_LENGTH = 20;
/** struct SHAstate_st: five words of state, two of length, sixteen of data, how many octets of data there are. */
const SHA_CONTEXT_BYTES = 96;
const LENGTH_LOW_AT = 20;
const DATA_AT = 28;
const COUNT_AT = 92;
/** The length of the message in bits is the end of the last block: two words (RFC 3174 §4), of which one is enough. */
const PADDED_TO = SHA1_BLOCK - 8;
const BITS_AT = SHA1_BLOCK - 4;

/** The one SHA-1 context of a thread, whose memory is ours: states are put in and taken out. */
class Sha1 {
  readonly context: Scratch;
  readonly words: Int32Array;
  /** The one block that the outer hash has: a code, and padding that never changes. */
  readonly outer: Scratch;
  readonly update: OpenSsl["sha1Update"];
  readonly transform: OpenSsl["sha1Transform"];

  constructor(openSsl: OpenSsl) {
    this.context = new Scratch(openSsl, SHA_CONTEXT_BYTES);
    this.words = new Int32Array(this.context.bytes.buffer);
    this.outer = new Scratch(openSsl, SHA1_BLOCK);
    this.outer.view.setUint8(SHA1_LENGTH, 0x80);
    this.outer.view.setUint32(BITS_AT, 8 * (SHA1_BLOCK + SHA1_LENGTH));
    this.update = openSsl.sha1Update;
    this.transform = openSsl.sha1Transform;
  }

  /** @returns the state behind one block */
  stateBehind(block: Uint8Array): Int32Array {
    const { words, context } = this;
    words.set(INITIAL);
    context.bytes.set(block, DATA_AT);
    this.transform(context.address, context.address + DATA_AT);
    return words.slice(0, 5);
  }
}

/** RFC 3174 §6.1. */
const INITIAL = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0];

/**
 * H(K XOR opad, H(K XOR ipad, text)) (RFC 2104 §2), going on from the states behind the pads. The last block of each
 * hash is laid out here, where OpenSSL keeps it: three calls a packet.
 */
class OpenSslHmacSha1 implements HmacSha1 {
  readonly #places: Places;
  readonly #sha1: Sha1;
  /** The states behind both pads are ten of these words. */
  readonly #states: Int32Array;
  readonly #at: number;

  constructor(places: Places, sha1: Sha1, keys: KeyRoom, key: Uint8Array) {
    this.#places = places;
    this.#sha1 = sha1;
    const place = keys.take(this);
    this.#states = place.words;
    this.#at = place.at;
    const pad = (with_: number): Uint8Array =>
      Uint8Array.from({ length: SHA1_BLOCK }, (_, i) => (key[i] ?? 0) ^ with_);
    place.words.set(sha1.stateBehind(pad(0x36)), place.at);
    place.words.set(sha1.stateBehind(pad(0x5c)), place.at + 5);
  }

  sign(
    bytes: Uint8Array,
    at: number,
    length: number,
    trailer: number,
    tagAt: number,
    tagLength: number,
  ): void {
    this.#compute(bytes, at, length, trailer);
    const { words } = this.#sha1;
    for (let i = 0; i < tagLength; i++) bytes[tagAt + i] = words[i >> 2]! >>> (24 - ((i & 3) << 3));
  }

  verify(
    bytes: Uint8Array,
    at: number,
    length: number,
    trailer: number,
    tagAt: number,
    tagLength: number,
  ): boolean {
    this.#compute(bytes, at, length, trailer);
    const { words } = this.#sha1;
    let difference = 0;
    for (let i = 0; i < tagLength; i++) {
      difference |= bytes[tagAt + i]! ^ ((words[i >> 2]! >>> (24 - ((i & 3) << 3))) & 0xff);
    }
    return difference === 0;
  }

  /** Leaves the code in the first five words of the context. */
  #compute(bytes: Uint8Array, at: number, length: number, trailer: number): void {
    const sha1 = this.#sha1;
    const { words, outer } = sha1;
    const { bytes: context, view, address } = sha1.context;
    const states = this.#states;
    const from = this.#at;
    for (let i = 0; i < 5; i++) words[i] = states[from + i]!;
    words[LENGTH_LOW_AT / 4] = 8 * SHA1_BLOCK;
    words[LENGTH_LOW_AT / 4 + 1] = 0;
    words[COUNT_AT / 4] = 0;
    sha1.update(address, this.#places.of(bytes) + at, length);
    // What is left of the message, the trailer, and the padding of RFC 3174 §4.
    let used = words[COUNT_AT / 4]!;
    let total = SHA1_BLOCK + length;
    if (trailer >= 0) {
      total += 4;
      for (let i = 24; i >= 0; i -= 8) {
        context[DATA_AT + used++] = trailer >>> i;
        if (used === SHA1_BLOCK) {
          sha1.transform(address, address + DATA_AT);
          used = 0;
        }
      }
    }
    context[DATA_AT + used++] = 0x80;
    if (used > PADDED_TO) {
      while (used < SHA1_BLOCK) context[DATA_AT + used++] = 0;
      sha1.transform(address, address + DATA_AT);
      used = 0;
    }
    while (used < BITS_AT) context[DATA_AT + used++] = 0;
    view.setUint32(DATA_AT + BITS_AT, 8 * total);
    sha1.transform(address, address + DATA_AT);
    for (let i = 0; i < 5; i++) {
      outer.view.setInt32(4 * i, words[i]!);
      words[i] = states[from + 5 + i]!;
    }
    sha1.transform(address, outer.address);
  }
}

const GCM_TAG = 16;
const GCM_NONCE = 12;
const CTRL_GET_TAG = 16;
const CTRL_SET_TAG = 17;

class OpenSslAesGcm implements AesGcm {
  readonly #openSsl: OpenSsl;
  readonly #places: Places;
  readonly #seal: Context;
  readonly #open: Context;
  /** Length, nonce and tag, at 0, 16 and 32; associated data behind. */
  readonly #scratch: Scratch;

  constructor(openSsl: OpenSsl, places: Places, key: Uint8Array) {
    this.#openSsl = openSsl;
    this.#places = places;
    const name = key.length === 32 ? "id-aes256-GCM" : "id-aes128-GCM";
    this.#seal = new Context(openSsl, name, key, true);
    this.#open = new Context(openSsl, name, key, false);
    this.#scratch = new Scratch(openSsl, 48 + MAX_PACKET_BYTES + GCM_TAG);
  }

  seal(nonce: Uint8Array, associatedData: Uint8Array, bytes: Uint8Array, from: number, to: number): void {
    const place = this.#places.of(bytes);
    this.#crypt(this.#seal, 1, nonce, associatedData, place + from, to - from);
    const { address } = this.#scratch;
    this.#openSsl.final(this.#seal.pointer, address + 32, address);
    this.#openSsl.control(this.#seal.pointer, CTRL_GET_TAG, GCM_TAG, place + to);
  }

  open(nonce: Uint8Array, associatedData: Uint8Array, bytes: Uint8Array, from: number, to: number): boolean {
    const place = this.#places.of(bytes);
    this.#crypt(this.#open, 0, nonce, associatedData, place + from, to - from);
    const { address } = this.#scratch;
    this.#openSsl.control(this.#open.pointer, CTRL_SET_TAG, GCM_TAG, place + to);
    if (this.#openSsl.final(this.#open.pointer, address + 32, address) === 1) return true;
    // It was decrypted before it was found out: the same keystream makes it what it was.
    this.#crypt(this.#seal, 1, nonce, associatedData, place + from, to - from);
    return false;
  }

  #crypt(
    context: Context,
    encrypt: 0 | 1,
    nonce: Uint8Array,
    associatedData: Uint8Array,
    at: number,
    length: number,
  ): void {
    const { bytes, address } = this.#scratch;
    for (let i = 0; i < GCM_NONCE; i++) bytes[16 + i] = nonce[i]!;
    bytes.set(associatedData, 48);
    this.#openSsl.init(context.pointer, null, null, 0, address + 16, encrypt);
    context.update(0, address, address + 48, associatedData.length);
    if (length > 0) context.update(at, address, at, length);
  }
}
