import { spawn } from "node:child_process";
import type { FileReader } from "../files/file-reader.ts";
import type { PayloadFormat } from "../tracks/payload-format.ts";
import { eachRecord } from "../tracks/payload-index.ts";
import {
  PAYLOAD_HEADER_BYTES,
  RECORD_HEAD_BYTES,
  readFormatBody,
  readRecordHead,
} from "../tracks/payload-records.ts";
import type { PcmSource } from "./pcm-source.ts";

/** A command that hears a codec which we do not: payloads, one behind the other, come out as 16-bit samples. */
export interface DecoderCommand {
  /** Encoding name, upper case. */
  readonly codec: string;
  /** Program and arguments; no shell is asked. Reads standard input, writes standard output. */
  readonly command: readonly string[];
}

/** A decoder that says nothing for so long is given up. */
const PATIENCE_MS = 60_000;
const MAX_COMPLAINT = 500;

/** `G729=ffmpeg -f g729 -i pipe:0 …`; undefined when it is not written like that. */
export function readDecoderCommand(written: string): DecoderCommand | undefined {
  const [, codec, rest] = /^([A-Za-z0-9._-]{1,32})=(\S.*)$/.exec(written.trim()) ?? [];
  if (codec === undefined || rest === undefined) return undefined;
  return { codec: codec.toUpperCase(), command: rest.split(/\s+/) };
}

/**
 * Has the payloads of one codec decoded by a command.
 *
 * @param write - gets 16-bit samples, little-endian, at the codec's clock rate: the whole timeline of the track in order,
 *   silence where nothing came
 * @throws Error with what the command complained of
 */
export async function decodeByCommand(
  { command }: DecoderCommand,
  format: PayloadFormat,
  file: FileReader,
  write: (octets: Uint8Array) => void,
): Promise<void> {
  const [program, ...args] = command;
  const child = spawn(program!, args, { stdio: ["pipe", "pipe", "pipe"] });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  ended.catch(() => {});
  let complaint = "";
  child.stderr.on("data", (octets: Buffer) => {
    complaint = (complaint + octets.toString("utf8")).slice(-MAX_COMPLAINT);
  });
  // It may end before it has read everything: the exit code tells.
  child.stdin.on("error", () => {});
  let lastHeard = performance.now();
  const watch = setInterval(() => {
    if (performance.now() - lastHeard > PATIENCE_MS) child.kill("SIGKILL");
  }, 1_000);
  const places: { readonly position: number; readonly samples: number }[] = [];
  const timeline = new Timeline(places, write);
  child.stdout.on("data", (octets: Buffer) => {
    lastHeard = performance.now();
    timeline.take(octets);
  });
  try {
    for await (const { position, ticks, body } of payloadsOf(file, format)) {
      const whole = wholeFrames(format.codec, body);
      const samples = format.codec.startsWith("G729") ? (whole.length / 10) * 80 : ticks;
      if (samples === 0) continue;
      places.push({ position, samples });
      if (!child.stdin.write(whole) && !child.stdin.destroyed) {
        await Promise.race([new Promise((resolve) => child.stdin.once("drain", resolve)), ended]);
      }
    }
    child.stdin.end();
    const exitCode = await ended;
    if (exitCode !== 0) throw new Error(`${program} ended with ${exitCode}: ${complaint.trim()}`);
    timeline.finish();
  } finally {
    clearInterval(watch);
    child.kill("SIGKILL");
  }
}

/** A raw file of 16-bit samples, as `decodeByCommand` made it. */
export async function rawSource(
  open: () => Promise<FileReader | undefined>,
  sampleRateHz: number,
): Promise<PcmSource | undefined> {
  const first = await open();
  if (first === undefined) return undefined;
  const samples = Math.floor(first.size / 2);
  await first.close();
  return {
    sampleRateHz,
    samples,
    open: async () => {
      const file = await open();
      if (file === undefined) throw new Error("decoded audio went while it was read");
      return {
        read: async (at, out) => {
          out.fill(0);
          const from = Math.max(at, 0);
          const to = Math.min(at + out.length, samples);
          if (to <= from) return;
          const octets = await file.read(2 * from, 2 * (to - from));
          const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
          for (let index = 0; 2 * index + 1 < octets.length; index++) {
            out[from - at + index] = view.getInt16(2 * index, true);
          }
        },
        close: () => file.close(),
      };
    },
  };
}

/** Puts what the decoder says, without any gap, into the places where its payloads lay. */
class Timeline {
  readonly #places: { readonly position: number; readonly samples: number }[];
  readonly #write: (octets: Uint8Array) => void;
  #next = 0;
  /** Samples of the place that have been written. */
  #done = 0;
  #written = 0;
  #odd: Uint8Array = new Uint8Array(0);

  constructor(
    places: { readonly position: number; readonly samples: number }[],
    write: (octets: Uint8Array) => void,
  ) {
    this.#places = places;
    this.#write = write;
  }

  take(octets: Uint8Array): void {
    const all = this.#odd.length === 0 ? octets : Buffer.concat([this.#odd, octets]);
    let at = 0;
    while (all.length - at >= 2) {
      const place = this.#places[this.#next];
      if (place === undefined) break; // more than was asked for: the decoder's own end
      if (this.#done === 0) this.#silence(place.position - this.#written);
      const samples = Math.min(place.samples - this.#done, (all.length - at) >> 1);
      this.#write(all.slice(at, at + 2 * samples));
      at += 2 * samples;
      this.#done += samples;
      this.#written += samples;
      if (this.#done < place.samples) break;
      this.#next++;
      this.#done = 0;
    }
    this.#odd = all.slice(at);
  }

  /** What the decoder owes is silence. */
  finish(): void {
    for (const place of this.#places.slice(this.#next)) {
      const left = place.samples - this.#done;
      this.#silence(place.position + this.#done - this.#written + left);
      this.#done = 0;
    }
  }

  #silence(samples: number): void {
    if (samples <= 0) return;
    this.#write(new Uint8Array(2 * samples));
    this.#written += samples;
  }
}

async function* payloadsOf(
  file: FileReader,
  format: PayloadFormat,
): AsyncGenerator<{ readonly position: number; readonly ticks: number; readonly body: Uint8Array }> {
  const codecs = new Map<number, string>();
  let batch: { position: number; ticks: number; body: Uint8Array }[] = [];
  let at = PAYLOAD_HEADER_BYTES;
  for (;;) {
    let count = 0;
    const done = await eachRecord(file, at, (octets, from) => {
      const head = readRecordHead(octets, from)!;
      const bodyAt = from + RECORD_HEAD_BYTES;
      const body = octets.subarray(bodyAt, bodyAt + head.bodyLength);
      if (head.kind === "format") {
        codecs.set(head.payloadType, readFormatBody(head.payloadType, body)?.codec ?? "");
      } else if (codecs.get(head.payloadType) === format.codec) {
        batch.push({ position: head.position, ticks: head.ticks, body: body.slice() });
      }
      return ++count < 5_000;
    });
    if (done === 0 && batch.length === 0) return;
    at += done;
    yield* batch;
    batch = [];
    if (count < 5_000) return;
  }
}

/** Of G.729 without the comfort noise that may stand at its end: a raw stream has frames of 10 octets only. */
function wholeFrames(codec: string, body: Uint8Array): Uint8Array {
  return codec.startsWith("G729") ? body.subarray(0, body.length - (body.length % 10)) : body;
}
