import type { FileReader } from "../files/file-reader.ts";
import type { PayloadFormat } from "./payload-format.ts";
import {
  PAYLOAD_HEADER_BYTES,
  type PayloadHeader,
  RECORD_HEAD_BYTES,
  readFormatBody,
  readPayloadHeader,
  readRecordHead,
} from "./payload-records.ts";

/** Octets read at a time. */
const CHUNK_BYTES = 1 << 20;
/** There is a mark about every second of the track: from there it can be read. */
const MARK_MS = 1_000;

/** A record that can be begun with. */
export interface Mark {
  readonly position: number;
  /** In the file. */
  readonly at: number;
  /** What each payload type stands for from here on. */
  readonly formats: ReadonlyMap<number, PayloadFormat>;
}

/** What is in a payload file, found by going through it once. */
export interface PayloadIndex {
  readonly header: PayloadHeader;
  readonly marks: readonly Mark[];
  readonly records: number;
  /** Octets of whole records: what follows was cut short. */
  readonly recordBytes: number;
  readonly durationTicks: number;
  /** Formats that have payloads, in order of appearance. */
  readonly formats: readonly PayloadFormat[];
}

/** @returns undefined when there is no such file, or it has no whole header */
export async function readPayloadIndex(
  open: () => Promise<FileReader | undefined>,
): Promise<PayloadIndex | undefined> {
  const file = await open();
  if (file === undefined) return undefined;
  try {
    const header = readPayloadHeader(await file.read(0, PAYLOAD_HEADER_BYTES));
    return header && (await scan(file, header));
  } finally {
    await file.close();
  }
}

async function scan(file: FileReader, header: PayloadHeader): Promise<PayloadIndex> {
  const markTicks = (MARK_MS * header.clockRateHz) / 1_000;
  const marks: Mark[] = [];
  const all: PayloadFormat[] = [];
  let formats = new Map<number, PayloadFormat>();
  let [records, durationTicks, nextMark] = [0, 0, 0];
  const from = PAYLOAD_HEADER_BYTES;
  const recordBytes = await eachRecord(file, from, (octets, at, fileAt) => {
    const head = readRecordHead(octets, at)!;
    records++;
    if (head.kind === "format") {
      const body = octets.subarray(at + RECORD_HEAD_BYTES, at + RECORD_HEAD_BYTES + head.bodyLength);
      const format = readFormatBody(head.payloadType, body);
      if (format === undefined) return true;
      formats = new Map(formats).set(head.payloadType, format);
      all.push(format);
      nextMark = 0;
      return true;
    }
    if (head.position >= nextMark) {
      marks.push({ position: head.position, at: fileAt, formats });
      nextMark = head.position + markTicks;
    }
    durationTicks = Math.max(durationTicks, head.position + head.ticks);
    return true;
  });
  return { header, marks, records, recordBytes, durationTicks, formats: all };
}

/**
 * Goes through whole records from a place of the file on.
 *
 * @param take - gets octets, where in them the record begins, and where in the file; false: it was the last
 * @returns octets of the records gone through
 */
export async function eachRecord(
  file: FileReader,
  from: number,
  take: (octets: Uint8Array, at: number, fileAt: number) => boolean,
): Promise<number> {
  let done = 0;
  for (;;) {
    const octets = await file.read(from + done, CHUNK_BYTES);
    let at = 0;
    for (;;) {
      const head = readRecordHead(octets, at);
      if (head === undefined || at + RECORD_HEAD_BYTES + head.bodyLength > octets.length) break;
      const goesOn = take(octets, at, from + done + at);
      at += RECORD_HEAD_BYTES + head.bodyLength;
      if (!goesOn) return done + at;
    }
    if (at === 0) return done;
    done += at;
  }
}
