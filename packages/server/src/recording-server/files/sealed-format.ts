import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  randomFillSync,
} from "node:crypto";
import { basename } from "node:path";

/*
 * A sealed file: AES-256-GCM in frames, so that it can be appended to, cut short by a crash, and read from any octet.
 *
 *   preamble   "CFSEALED" | version u8 = 1 | 3 octets 0 | header length u32 | salt, 16 octets
 *   frame      type u8, length u24 | nonce, 12 octets | ciphertext | tag, 16 octets
 *              1 header: the file's first frame
 *              2 data: one for each append
 *              3 end: header length u32 | the last header | length u32 of each data frame
 *   trailer    position u64 of the end frame | "CFSEALED"
 *
 * Numbers are big-endian. Frames are sealed with a key of the file's own, HKDF-SHA-256 of the recording's key, the salt,
 * and the preamble and the file's name; each with a nonce of its own, and with its type, length and position
 * authenticated. So no frame can be changed, moved, left out, or taken from another file; a file that was finished
 * cannot be shortened unseen. Of one without an end frame all whole frames count.
 */

export const MAGIC = Uint8Array.from("CFSEALED", (letter) => letter.charCodeAt(0));
const VERSION = 1;
export const PREAMBLE_BYTES = 32;
export const FRAME_HEAD_BYTES = 16;
const TYPE_AND_LENGTH_BYTES = 4;
const TAG_BYTES = 16;
export const FRAME_OVERHEAD_BYTES = FRAME_HEAD_BYTES + TAG_BYTES;
export const TRAILER_BYTES = 16;
/** Octets of one data frame at most: what has to be read to read one of them. */
export const MAX_DATA_BYTES = 64 * 1_024;
const MAX_FRAME_BYTES = 0xff_ffff;
const NONCE_BYTES = 12;

export type FrameType = "header" | "data" | "end";
const TYPES = [undefined, "header", "data", "end"] as const;

export function writePreamble(headerBytes: number): Uint8Array {
  const preamble = new Uint8Array(PREAMBLE_BYTES);
  preamble.set(MAGIC);
  preamble[8] = VERSION;
  new DataView(preamble.buffer).setUint32(12, headerBytes);
  randomFillSync(preamble, 16, 16);
  return preamble;
}

/** Length of the header; undefined when it is no preamble of ours. */
export function readPreamble(octets: Uint8Array): number | undefined {
  if (octets.length < PREAMBLE_BYTES || !isSealed(octets) || octets[8] !== VERSION) return undefined;
  return view(octets).getUint32(12);
}

/** Whether a file that begins like this is sealed. */
export function isSealed(start: Uint8Array): boolean {
  return MAGIC.every((octet, at) => start[at] === octet);
}

/** The key of one file. A `KeyObject`: with raw octets each cipher costs several times as much on Node 24. */
export function fileKey(recordingKey: KeyObject, preamble: Uint8Array, path: string): KeyObject {
  const info = Buffer.concat([Buffer.from("callfork recording file"), preamble, Buffer.from(basename(path))]);
  return createSecretKey(new Uint8Array(hkdfSync("sha256", recordingKey, preamble.slice(16, 32), info, 32)));
}

const nonces = new Uint8Array(NONCE_BYTES * 256);
let noncesUsed = nonces.length;

function nextNonce(): Uint8Array {
  if (noncesUsed === nonces.length) {
    randomFillSync(nonces);
    noncesUsed = 0;
  }
  noncesUsed += NONCE_BYTES;
  return nonces.subarray(noncesUsed - NONCE_BYTES, noncesUsed);
}

/** A frame as it stands at `position` of the file. */
export function sealFrame(key: KeyObject, type: FrameType, position: number, octets: Uint8Array): Buffer {
  if (octets.length > MAX_FRAME_BYTES) throw new RangeError("a frame holds at most 16 MiB");
  const frame = Buffer.allocUnsafe(octets.length + FRAME_OVERHEAD_BYTES);
  frame.writeUInt32BE((TYPES.indexOf(type) << 24) | octets.length);
  frame.set(nextNonce(), TYPE_AND_LENGTH_BYTES);
  const cipher = createCipheriv("aes-256-gcm", key, frame.subarray(TYPE_AND_LENGTH_BYTES, FRAME_HEAD_BYTES));
  cipher.setAAD(associatedData(frame, position));
  frame.set(cipher.update(octets), FRAME_HEAD_BYTES);
  cipher.final();
  frame.set(cipher.getAuthTag(), FRAME_HEAD_BYTES + octets.length);
  return frame;
}

export interface FrameHead {
  readonly type: FrameType;
  /** Octets inside. */
  readonly length: number;
}

/** What the first four octets of a frame say; undefined when they begin no frame. */
export function readFrameHead(octets: Uint8Array): FrameHead | undefined {
  if (octets.length < TYPE_AND_LENGTH_BYTES) return undefined;
  const type = TYPES[octets[0]!];
  return type === undefined ? undefined : { type, length: view(octets).getUint32(0) & MAX_FRAME_BYTES };
}

/** @returns what is in a whole frame that stands at `position`; undefined when it is not what was sealed there */
export function openFrame(key: KeyObject, frame: Uint8Array, position: number): Uint8Array | undefined {
  const decipher = createDecipheriv(
    "aes-256-gcm",
    key,
    frame.subarray(TYPE_AND_LENGTH_BYTES, FRAME_HEAD_BYTES),
    {
      authTagLength: TAG_BYTES,
    },
  );
  decipher.setAAD(associatedData(frame, position));
  decipher.setAuthTag(frame.subarray(-TAG_BYTES));
  try {
    const { buffer, byteOffset, length } = decipher.update(frame.subarray(FRAME_HEAD_BYTES, -TAG_BYTES));
    decipher.final();
    return new Uint8Array(buffer, byteOffset, length);
  } catch {
    return undefined;
  }
}

export function endOctets(header: Uint8Array, dataLengths: readonly number[]): Uint8Array {
  const octets = new Uint8Array(4 + header.length + 4 * dataLengths.length);
  const numbers = view(octets);
  numbers.setUint32(0, header.length);
  octets.set(header, 4);
  for (const [at, length] of dataLengths.entries()) numbers.setUint32(4 + header.length + 4 * at, length);
  return octets;
}

export function readEnd(octets: Uint8Array): { readonly header: Uint8Array; readonly dataLengths: number[] } {
  const numbers = view(octets);
  const first = 4 + numbers.getUint32(0);
  const dataLengths: number[] = [];
  for (let at = first; at + 4 <= octets.length; at += 4) dataLengths.push(numbers.getUint32(at));
  return { header: octets.slice(4, first), dataLengths };
}

export function writeTrailer(endPosition: number): Uint8Array {
  const trailer = new Uint8Array(TRAILER_BYTES);
  view(trailer).setBigUint64(0, BigInt(endPosition));
  trailer.set(MAGIC, 8);
  return trailer;
}

/** Where the end frame stands; undefined when the file was not finished. */
export function readTrailer(octets: Uint8Array): number | undefined {
  if (octets.length < TRAILER_BYTES || !isSealed(octets.subarray(8))) return undefined;
  const position = Number(view(octets).getBigUint64(0));
  return Number.isSafeInteger(position) ? position : undefined;
}

function associatedData(frame: Uint8Array, position: number): Uint8Array {
  const data = new Uint8Array(TYPE_AND_LENGTH_BYTES + 8);
  data.set(frame.subarray(0, TYPE_AND_LENGTH_BYTES));
  view(data).setBigUint64(TYPE_AND_LENGTH_BYTES, BigInt(position));
  return data;
}

const view = (octets: Uint8Array) => new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
