/*
 * Ogg (RFC 3533), as far as Opus needs it (RFC 7845).
 *
 *     0                   1                   2                   3
 *     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    | capture_pattern "OggS"                                        | 0
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    | version = 0   | header_type   | granule_position              | 4
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |                                                               | 8
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |                               | bitstream_serial_number       | 12
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |                               | page_sequence_number          | 16
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |                               | CRC_checksum                  | 20
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |                               |page_segments  | segment_table | 24
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 */

const PAGE_HEADER_BYTES = 27;
const MAX_SEGMENTS = 255;
const BEGIN_OF_STREAM = 2;
const END_OF_STREAM = 4;
const U32 = 2 ** 32;
/** Opus counts time at 48 kHz, whatever the rate of the audio (RFC 7845 §4). */
export const OPUS_CLOCK_HZ = 48_000;
/** RFC 7845 §4: a page should be no longer than a second. */
const PAGE_SAMPLES = OPUS_CLOCK_HZ;

export interface OggOpusOptions {
  /** Distinguishes streams in one file; any number of 32 bits. */
  readonly serialNumber: number;
  /**
   * Channels, each a mono Opus stream of its own, so that nothing of one is heard on another: one by mapping family 0,
   * two by family 1 (left and right, uncoupled), more by family 255 (RFC 7845 §5.1.1).
   */
  readonly channels: number;
  /** Of the audio before it was encoded; for information. */
  readonly inputSampleRateHz: number;
  /** Samples at 48 kHz that the decoder is to drop at the start: the encoder's delay. */
  readonly preSkip: number;
  /** Name of the encoder. */
  readonly vendor: string;
  /** `NAME=value`; names are ASCII. Together less than 64 KiB. */
  readonly comments?: readonly string[];
}

/** Packets that are one instant of several mono streams are joined to one (RFC 6716 appendix B). */
export function joinOpusPackets(packets: readonly Uint8Array[]): Uint8Array | undefined {
  const [only] = packets;
  if (packets.length === 1) return only;
  const parts = packets.map((packet, at) => (at === packets.length - 1 ? packet : selfDelimited(packet)));
  if (parts.includes(undefined)) return undefined;
  return concat(parts as Uint8Array[]);
}

/** Writes an Ogg Opus stream, page by page. Octets that are returned are the caller's. */
export class OggOpusWriter {
  readonly #options: OggOpusOptions;
  #sequence = 0;
  /** Samples at 48 kHz in the packets so far, those to be dropped included. */
  #samples = 0;
  #packets: Uint8Array[] = [];
  #segments = 0;
  #pageSamples = 0;

  constructor(options: OggOpusOptions) {
    if (options.channels < 1 || options.channels > 255) throw new RangeError("1 to 255 channels");
    this.#options = options;
  }

  /** The two pages in front: identification and comments (RFC 7845 §5). */
  header(): Uint8Array {
    return concat([
      this.#page([this.#identification()], 0, BEGIN_OF_STREAM),
      this.#page([this.#comments()], 0, 0),
    ]);
  }

  /**
   * Takes the next packet.
   *
   * @param packet - of all channels (`joinOpusPackets`); kept until its page is written. At most 61,440 octets
   * @param samples - what it lasts, at 48 kHz
   * @returns a page that has become full, without the packet
   */
  packet(packet: Uint8Array, samples: number): Uint8Array | undefined {
    const segments = Math.floor(packet.length / 255) + 1;
    if (segments > MAX_SEGMENTS) throw new RangeError("a packet fits on one page");
    const isFull =
      this.#packets.length > 0 &&
      (this.#segments + segments > MAX_SEGMENTS || this.#pageSamples + samples > PAGE_SAMPLES);
    const page = isFull ? this.#flush(0) : undefined;
    this.#packets.push(packet);
    this.#segments += segments;
    this.#pageSamples += samples;
    this.#samples += samples;
    return page;
  }

  /**
   * The last page.
   *
   * @param samples - samples at 48 kHz of audio in the whole stream, without those that are dropped at its start: what
   *   the last packet has beyond them is dropped too (RFC 7845 §4.4)
   */
  finish(samples: number): Uint8Array {
    const end = Math.min(this.#samples, this.#options.preSkip + samples);
    return this.#flush(END_OF_STREAM, end);
  }

  #flush(headerType: number, granule = this.#samples): Uint8Array {
    const page = this.#page(this.#packets, granule, headerType);
    this.#packets = [];
    this.#segments = 0;
    this.#pageSamples = 0;
    return page;
  }

  #page(packets: readonly Uint8Array[], granule: number, headerType: number): Uint8Array {
    const lacing: number[] = [];
    for (const { length } of packets) {
      for (let left = length; left >= 255; left -= 255) lacing.push(255);
      lacing.push(length % 255);
    }
    const length = packets.reduce((sum, packet) => sum + packet.length, 0);
    const page = new Uint8Array(PAGE_HEADER_BYTES + lacing.length + length);
    const view = new DataView(page.buffer);
    page.set([0x4f, 0x67, 0x67, 0x53, 0, headerType]);
    view.setUint32(6, granule % U32, true);
    view.setUint32(10, Math.floor(granule / U32), true);
    view.setUint32(14, this.#options.serialNumber >>> 0, true);
    view.setUint32(18, this.#sequence++, true);
    page[26] = lacing.length;
    page.set(lacing, PAGE_HEADER_BYTES);
    let at = PAGE_HEADER_BYTES + lacing.length;
    for (const packet of packets) {
      page.set(packet, at);
      at += packet.length;
    }
    view.setUint32(22, oggCrc(page), true);
    return page;
  }

  /** RFC 7845 §5.1. */
  #identification(): Uint8Array {
    const { channels, preSkip, inputSampleRateHz } = this.#options;
    const family = channels === 1 ? 0 : channels === 2 ? 1 : 255;
    const octets = new Uint8Array(family === 0 ? 19 : 21 + channels);
    const view = new DataView(octets.buffer);
    octets.set(ascii("OpusHead"));
    octets[8] = 1;
    octets[9] = channels;
    view.setUint16(10, preSkip, true);
    view.setUint32(12, inputSampleRateHz, true);
    octets[18] = family;
    if (family === 0) return octets;
    octets[19] = channels; // streams
    octets[20] = 0; // none of them of two channels
    for (let channel = 0; channel < channels; channel++) octets[21 + channel] = channel;
    return octets;
  }

  /** RFC 7845 §5.2. */
  #comments(): Uint8Array {
    const { vendor, comments = [] } = this.#options;
    return concat([
      ascii("OpusTags"),
      counted(vendor),
      uint32(comments.length),
      ...comments.map((comment) => counted(comment)),
    ]);
  }
}

/** A page of an Ogg stream, as it stands in the file. */
export interface OggPage {
  readonly headerType: number;
  /** −1: no packet ends on it. */
  readonly granulePosition: number;
  readonly serialNumber: number;
  readonly sequence: number;
  /** Octets of the page. */
  readonly length: number;
  /** Views; the last one may go on on the next page. */
  readonly packets: readonly Uint8Array[];
}

/**
 * Reads the page that begins at `at`.
 *
 * @returns undefined when no whole page stands there, or its checksum is wrong
 */
export function readOggPage(octets: Uint8Array, at: number): OggPage | undefined {
  if (at + PAGE_HEADER_BYTES > octets.length) return undefined;
  const view = new DataView(octets.buffer, octets.byteOffset + at);
  if (view.getUint32(0) !== 0x4f67_6753 || octets[at + 4] !== 0) return undefined;
  const segments = octets[at + 26]!;
  const table = at + PAGE_HEADER_BYTES;
  let end = table + segments;
  if (end > octets.length) return undefined;
  const packets: Uint8Array[] = [];
  let start = end;
  for (let segment = 0; segment < segments; segment++) {
    const lacing = octets[table + segment]!;
    end += lacing;
    if (lacing === 255 && segment < segments - 1) continue;
    packets.push(octets.subarray(start, end));
    start = end;
  }
  if (end > octets.length) return undefined;
  if (oggCrc(octets.subarray(at, end)) !== view.getUint32(22, true)) return undefined;
  const high = view.getInt32(10, true);
  return {
    headerType: octets[at + 5]!,
    granulePosition: high < 0 ? -1 : view.getUint32(6, true) + high * U32,
    serialNumber: view.getUint32(14, true),
    sequence: view.getUint32(18, true),
    length: end - at,
    packets,
  };
}

/** RFC 3533 §6: CRC-32 with polynomial 0x04c11db7, neither reflected nor inverted; its own field counts as zero. */
export function oggCrc(page: Uint8Array): number {
  let crc = 0;
  for (let at = 0; at < page.length; at++) {
    const octet = at >= 22 && at < 26 ? 0 : page[at]!;
    crc = ((crc << 8) ^ CRC_TABLE[((crc >>> 24) ^ octet) & 0xff]!) >>> 0;
  }
  return crc;
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index << 24;
  for (let bit = 0; bit < 8; bit++) value = value & 0x8000_0000 ? (value << 1) ^ 0x04c1_1db7 : value << 1;
  return value >>> 0;
});

/** The packet with the length of its last frame, or of each, in it (RFC 6716 appendix B). Undefined: it is malformed. */
function selfDelimited(packet: Uint8Array): Uint8Array | undefined {
  const toc = packet[0];
  if (toc === undefined) return undefined;
  switch (toc & 3) {
    case 0:
      return concat([packet.subarray(0, 1), frameLength(packet.length - 1), packet.subarray(1)]);
    case 1: {
      const length = packet.length - 1;
      if (length % 2 !== 0) return undefined;
      return concat([packet.subarray(0, 1), frameLength(length / 2), packet.subarray(1)]);
    }
    case 2: {
      const first = readFrameLength(packet, 1);
      const left = first === undefined ? -1 : packet.length - 1 - first.octets - first.length;
      if (first === undefined || left < 0) return undefined;
      const head = packet.subarray(0, 1 + first.octets);
      return concat([head, frameLength(left), packet.subarray(1 + first.octets)]);
    }
    default:
      return selfDelimitedMany(packet);
  }
}

/** Code 3: any number of frames. */
function selfDelimitedMany(packet: Uint8Array): Uint8Array | undefined {
  const count = packet[1];
  if (count === undefined || (count & 0x3f) === 0) return undefined;
  const frames = count & 0x3f;
  let at = 2;
  let padding = 0;
  if (count & 0x40) {
    for (;;) {
      const octet = packet[at++];
      if (octet === undefined) return undefined;
      padding += octet === 255 ? 254 : octet;
      if (octet !== 255) break;
    }
  }
  let left = packet.length - padding - at;
  if (count & 0x80) {
    for (let frame = 0; frame < frames - 1; frame++) {
      const read = readFrameLength(packet, at);
      if (read === undefined) return undefined;
      at += read.octets;
      left -= read.octets + read.length;
    }
    if (left < 0) return undefined;
    return concat([packet.subarray(0, at), frameLength(left), packet.subarray(at)]);
  }
  if (left < 0 || left % frames !== 0) return undefined;
  return concat([packet.subarray(0, at), frameLength(left / frames), packet.subarray(at)]);
}

/** RFC 6716 §3.2.1. */
function frameLength(length: number): Uint8Array {
  if (length < 252) return Uint8Array.of(length);
  const low = 252 + (length & 3);
  return Uint8Array.of(low, (length - low) >> 2);
}

function readFrameLength(
  packet: Uint8Array,
  at: number,
): { readonly length: number; readonly octets: number } | undefined {
  const first = packet[at];
  if (first === undefined) return undefined;
  if (first < 252) return { length: first, octets: 1 };
  const second = packet[at + 1];
  return second === undefined ? undefined : { length: first + 4 * second, octets: 2 };
}

function counted(text: string): Uint8Array {
  const octets = utf8(text);
  return concat([uint32(octets.length), octets]);
}

function uint32(value: number): Uint8Array {
  return Uint8Array.of(value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24);
}

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

/** This room knows no encoder of texts. */
function utf8(text: string): Uint8Array {
  const octets: number[] = [];
  for (const letter of text) {
    const point = letter.codePointAt(0)!;
    if (point < 0x80) octets.push(point);
    else if (point < 0x800) octets.push(0xc0 | (point >> 6), 0x80 | (point & 0x3f));
    else if (point < 0x1_0000)
      octets.push(0xe0 | (point >> 12), 0x80 | ((point >> 6) & 0x3f), 0x80 | (point & 0x3f));
    else
      octets.push(
        0xf0 | (point >> 18),
        0x80 | ((point >> 12) & 0x3f),
        0x80 | ((point >> 6) & 0x3f),
        0x80 | (point & 0x3f),
      );
  }
  return Uint8Array.from(octets);
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
