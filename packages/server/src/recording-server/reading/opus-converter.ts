import { Worker } from "node:worker_threads";
import type { OpusAnswer, OpusCommand } from "./opus-messages.ts";
import type { PcmReader, PcmSource } from "./pcm-source.ts";

/** Rates that Opus knows. */
const RATES_HZ = [8_000, 12_000, 16_000, 24_000, 48_000];
/** Bits a second of one channel, by the rate of its audio: a tenth of what 16-bit PCM takes, or less. */
const BITRATES = [
  { upToHz: 8_000, bitrate: 12_000 },
  { upToHz: 16_000, bitrate: 20_000 },
  { upToHz: 48_000, bitrate: 32_000 },
];

/** The lowest rate of Opus that loses nothing. */
export function opusRateFor(sampleRateHz: number): number {
  return RATES_HZ.find((rate) => rate >= sampleRateHz) ?? 48_000;
}

/** A command without its job, whichever it is. */
type Order<C> = C extends unknown ? Omit<C, "job"> : never;

interface Waiter {
  resolve(octets: Uint8Array): void;
  reject(error: Error): void;
}

/** Encodes audio in a thread of its own, which lives as long as there is work. */
export class OpusConverter {
  #worker: Worker | undefined;
  #lastJob = 0;
  #running = 0;
  readonly #waiting = new Map<number, Waiter>();

  /**
   * Makes an Ogg Opus file of channels that are all at one rate of Opus.
   *
   * @param write - gets the file piece by piece, in order
   */
  async convert(
    channels: readonly PcmSource[],
    facts: {
      readonly sampleRateHz: number;
      readonly inputSampleRateHz: number;
      readonly serialNumber: number;
      readonly comments: readonly string[];
    },
    write: (octets: Uint8Array) => void,
  ): Promise<void> {
    const job = ++this.#lastJob;
    const { sampleRateHz } = facts;
    const bitrate = BITRATES.find(({ upToHz }) => sampleRateHz <= upToHz)!.bitrate;
    const readers: PcmReader[] = [];
    this.#running++;
    try {
      for (const channel of channels) readers.push(await channel.open());
      const begin = { kind: "begin", channels: channels.length, bitrate, ...facts } as const;
      write(await this.#ask(job, begin));
      const samples = Math.max(0, ...channels.map((channel) => channel.samples));
      for (let at = 0; at < samples; at += sampleRateHz) {
        const length = Math.min(sampleRateHz, samples - at);
        const audio: Int16Array[] = [];
        for (const reader of readers) {
          const out = new Int16Array(length);
          await reader.read(at, out);
          audio.push(out);
        }
        write(await this.#ask(job, { kind: "audio", channels: audio }));
      }
      write(await this.#ask(job, { kind: "end" }));
    } finally {
      for (const reader of readers) await reader.close();
      if (--this.#running === 0) await this.stop();
    }
  }

  async stop(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }

  #ask(job: number, order: Order<OpusCommand>): Promise<Uint8Array> {
    this.#worker ??= this.#start();
    const worker = this.#worker;
    const command = { ...order, job } as OpusCommand;
    const transfer =
      command.kind === "audio" ? command.channels.map(({ buffer }) => buffer as ArrayBuffer) : [];
    return new Promise((resolve, reject) => {
      this.#waiting.set(job, { resolve, reject });
      worker.postMessage(command, transfer);
    });
  }

  #start(): Worker {
    const worker = new Worker(new URL("./opus-worker.ts", import.meta.url), { name: "opus-encoder" });
    let cause = new Error("the thread that encodes ended");
    worker.on("message", (answer: OpusAnswer) => {
      const waiter = this.#waiting.get(answer.job);
      this.#waiting.delete(answer.job);
      if ("error" in answer) waiter?.reject(new Error(answer.error));
      else waiter?.resolve(answer.octets);
    });
    worker.on("error", (error: unknown) => {
      cause = error instanceof Error ? error : new Error(String(error));
    });
    worker.on("exit", () => {
      if (this.#worker === worker) this.#worker = undefined;
      for (const waiter of this.#waiting.values()) waiter.reject(cause);
      this.#waiting.clear();
    });
    return worker;
  }
}
