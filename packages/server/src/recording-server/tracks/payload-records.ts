import { utf8Decode, utf8Encode } from "@callfork/protocol/text";
import type { PayloadFormat } from "./payload-format.ts";

/*
 * A payload file (`.cfp`): RTP payloads as they came, in the order of their place on the track's timeline. A header of
 * 64 octets that can be made from the rest, then records that are only appended. Numbers are little-endian.
 *
 *   header   "CFPAYLOA" | version u32 = 1 | track clock u32, Hz | time of position 0 f64, epoch ms
 *            | records u64 | octets of records u64 | duration u64, ticks | 16 octets 0
 *            The last three numbers are 0 until the file is closed, and made from the records when it never was.
 *   record   kind u8 | payload type u8 | body length u16 | RTP timestamp u32 | position u64, ticks
 *            | sequence number u16 | ticks it lasts u16, 0: not known | arrival u64, microseconds of the epoch | body
 *            kind 1: the body is a payload
 *            kind 2: the body describes the payload type, before its first payload: UTF-8 JSON
 *                    {"codec","clockRateHz","channels","fmtp"?}
 */

export const PAYLOAD_HEADER_BYTES = 64;
export const RECORD_HEAD_BYTES = 28;
const MAGIC = "CFPAYLOA";
const VERSION = 1;
const KIND_PAYLOAD = 1;
const KIND_FORMAT = 2;
const U32 = 2 ** 32;

export interface PayloadHeader {
  readonly clockRateHz: number;
  /** Epoch milliseconds at position 0. */
  readonly startTime: number;
  /** 0 until the file is closed, as the other two. */
  readonly records: number;
  readonly recordBytes: number;
  readonly durationTicks: number;
}

export interface RecordHead {
  readonly kind: "payload" | "format";
  readonly payloadType: number;
  readonly bodyLength: number;
  readonly timestamp: number;
  readonly position: number;
  readonly sequence: number;
  readonly ticks: number;
  /** Epoch milliseconds. */
  readonly arrivalTime: number;
}

export function writePayloadHeader(header: PayloadHeader): Uint8Array {
  const octets = new Uint8Array(PAYLOAD_HEADER_BYTES);
  const view = new DataView(octets.buffer);
  octets.set(utf8Encode(MAGIC));
  view.setUint32(8, VERSION, true);
  view.setUint32(12, header.clockRateHz, true);
  view.setFloat64(16, header.startTime, true);
  setUint64(view, 24, header.records);
  setUint64(view, 32, header.recordBytes);
  setUint64(view, 40, header.durationTicks);
  return octets;
}

/** @returns undefined when it is none */
export function readPayloadHeader(octets: Uint8Array): PayloadHeader | undefined {
  if (octets.length < PAYLOAD_HEADER_BYTES || utf8Decode(octets.subarray(0, 8)) !== MAGIC) return undefined;
  const view = new DataView(octets.buffer, octets.byteOffset);
  const clockRateHz = view.getUint32(12, true);
  if (view.getUint32(8, true) !== VERSION || clockRateHz === 0) return undefined;
  return {
    clockRateHz,
    startTime: view.getFloat64(16, true),
    records: getUint64(view, 24),
    recordBytes: getUint64(view, 32),
    durationTicks: getUint64(view, 40),
  };
}

/** Writes a record's head at `at`; the body goes behind it. */
export function writeRecordHead(octets: Uint8Array, at: number, head: RecordHead): void {
  const view = new DataView(octets.buffer, octets.byteOffset + at);
  view.setUint8(0, head.kind === "payload" ? KIND_PAYLOAD : KIND_FORMAT);
  view.setUint8(1, head.payloadType);
  view.setUint16(2, head.bodyLength, true);
  view.setUint32(4, head.timestamp, true);
  setUint64(view, 8, head.position);
  view.setUint16(16, head.sequence, true);
  view.setUint16(18, Math.min(head.ticks, 0xffff), true);
  setUint64(view, 20, Math.round(head.arrivalTime * 1_000));
}

/** @returns undefined when no whole head stands there, or what stands there is none */
export function readRecordHead(octets: Uint8Array, at: number): RecordHead | undefined {
  if (at + RECORD_HEAD_BYTES > octets.length) return undefined;
  const view = new DataView(octets.buffer, octets.byteOffset + at);
  const kind = view.getUint8(0);
  if (kind !== KIND_PAYLOAD && kind !== KIND_FORMAT) return undefined;
  return {
    kind: kind === KIND_PAYLOAD ? "payload" : "format",
    payloadType: view.getUint8(1),
    bodyLength: view.getUint16(2, true),
    timestamp: view.getUint32(4, true),
    position: getUint64(view, 8),
    sequence: view.getUint16(16, true),
    ticks: view.getUint16(18, true),
    arrivalTime: getUint64(view, 20) / 1_000,
  };
}

export function formatBody({ codec, clockRateHz, channels, fmtp }: PayloadFormat): Uint8Array {
  return utf8Encode(JSON.stringify({ codec, clockRateHz, channels, ...(fmtp !== undefined && { fmtp }) }));
}

/** @returns undefined when it is no description */
export function readFormatBody(payloadType: number, body: Uint8Array): PayloadFormat | undefined {
  try {
    const { codec, clockRateHz, channels, fmtp } = JSON.parse(utf8Decode(body)) as Record<string, unknown>;
    if (typeof codec !== "string" || typeof clockRateHz !== "number" || typeof channels !== "number")
      return undefined;
    return {
      payloadType,
      kind: "audio",
      codec,
      clockRateHz,
      channels,
      ...(typeof fmtp === "string" && { fmtp }),
    };
  } catch {
    return undefined;
  }
}

function setUint64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % U32, true);
  view.setUint32(at + 4, Math.floor(value / U32), true);
}

function getUint64(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * U32;
}
