import { openFile } from "../files/file-reader.ts";
import { createFile, type FilePlace, type FileWriter, reopenFile } from "../files/file-writer.ts";
import type { PayloadFormat } from "./payload-format.ts";
import { readPayloadIndex } from "./payload-index.ts";
import {
  formatBody,
  PAYLOAD_HEADER_BYTES,
  RECORD_HEAD_BYTES,
  type RecordHead,
  writePayloadHeader,
  writeRecordHead,
} from "./payload-records.ts";
import type { PlacedPacket } from "./track-assembler.ts";

const BUFFER_BYTES = 16_384;

/**
 * Payloads of one track on the disk, of any codec, as they came: nothing is decoded while a call is recorded. The form
 * is drawn in `payload-records.ts`.
 *
 * All calls are synchronous and may throw what the file system throws: it belongs into the writer's thread.
 */
export class PayloadFile {
  readonly #file: FileWriter;
  readonly #clockRateHz: number;
  readonly #startTime: number;
  readonly #described = new Map<number, PayloadFormat>();
  #buffer = new Uint8Array(BUFFER_BYTES);
  #buffered = 0;
  #records = 0;
  #recordBytes = 0;
  #end = 0;

  /** Makes the file; one that exists is an error. */
  constructor(place: FilePlace, clockRateHz: number, startTime: number) {
    this.#clockRateHz = clockRateHz;
    this.#startTime = startTime;
    this.#file = createFile(place, this.#header(false));
  }

  append(
    payload: Uint8Array,
    format: PayloadFormat,
    packet: PlacedPacket,
    position: number,
    ticks: number,
  ): void {
    const { payloadType, sequence, timestamp, arrivalTime } = packet;
    const common = { payloadType, sequence, timestamp, arrivalTime, position };
    if (this.#described.get(payloadType) !== format) {
      const body = formatBody(format);
      this.#put({ ...common, kind: "format", ticks: 0, bodyLength: body.length }, body);
      this.#described.set(payloadType, format);
    }
    this.#put({ ...common, kind: "payload", ticks, bodyLength: payload.length }, payload);
    this.#end = Math.max(this.#end, position + ticks);
  }

  flush(): void {
    if (this.#buffered === 0) return;
    this.#file.append(this.#buffer.subarray(0, this.#buffered));
    this.#buffered = 0;
  }

  /** Writes what is buffered and the header's numbers, and waits for the disk. The file is closed in any case. */
  close(): void {
    try {
      this.flush();
      this.#file.setHeader(this.#header(true));
    } catch (error) {
      this.#file.abandon();
      throw error;
    }
    this.#file.close();
  }

  /** The disk refuses: what is in the file is found by `repairPayloadFile`. */
  abandon(): void {
    this.#file.abandon();
  }

  #put(head: RecordHead, body: Uint8Array): void {
    const length = RECORD_HEAD_BYTES + body.length;
    if (this.#buffered + length > this.#buffer.length) this.flush();
    if (length > this.#buffer.length) this.#buffer = new Uint8Array(length);
    writeRecordHead(this.#buffer, this.#buffered, head);
    this.#buffer.set(body, this.#buffered + RECORD_HEAD_BYTES);
    this.#buffered += length;
    this.#records++;
    this.#recordBytes += length;
  }

  #header(isClosed: boolean): Uint8Array {
    return writePayloadHeader({
      clockRateHz: this.#clockRateHz,
      startTime: this.#startTime,
      records: isClosed ? this.#records : 0,
      recordBytes: isClosed ? this.#recordBytes : 0,
      durationTicks: isClosed ? this.#end : 0,
    });
  }
}

/**
 * Puts the numbers into the header of a file that was not closed, by its whole records. What was cut short behind them
 * stays and is not counted.
 *
 * @returns ticks of the track's clock up to its end; undefined when the file is missing or has no whole header
 */
export async function repairPayloadFile(place: FilePlace): Promise<number | undefined> {
  const index = await readPayloadIndex(() => openFile(place));
  if (index === undefined) return undefined;
  const { header, records, recordBytes, durationTicks } = index;
  const file = reopenFile(place, PAYLOAD_HEADER_BYTES);
  if (file === undefined) return undefined;
  try {
    file.setHeader(writePayloadHeader({ ...header, records, recordBytes, durationTicks }));
  } catch (error) {
    file.abandon();
    throw error;
  }
  file.close();
  return durationTicks;
}
