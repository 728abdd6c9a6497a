import { parentPort } from "node:worker_threads";
import { joinOpusPackets, OggOpusWriter, OPUS_CLOCK_HZ } from "@callfork/protocol/audio";
import { type AudioEncoder, createAudioEncoder } from "../../media/index.ts";
import type { OpusAnswer, OpusCommand } from "./opus-messages.ts";

/** Longer packets cost fewer octets; nobody talks through them. */
const PACKET_MS = 60;
/** What stands for a packet that the encoder does not want to send: a frame of no octets (RFC 6716 §3.1, DTX). */
const NOTHING = Uint8Array.of(0x18);

/** One file being made. */
class Job {
  readonly #encoders: AudioEncoder[] = [];
  readonly #writer: OggOpusWriter;
  readonly #sampleRateHz: number;
  readonly #packetFrames: number;
  readonly #delayFrames: number;
  /** Samples that do not fill a packet yet, by channel. */
  readonly #left: Int16Array[];
  #leftLength = 0;
  #frames = 0;
  readonly #payload: Uint8Array;

  constructor({
    channels,
    sampleRateHz,
    bitrate,
    ...rest
  }: Extract<OpusCommand, { readonly kind: "begin" }>) {
    this.#sampleRateHz = sampleRateHz;
    for (let channel = 0; channel < channels; channel++) {
      const format = { name: "opus", clockRateHz: OPUS_CLOCK_HZ, channels: 2 };
      const made = createAudioEncoder(format, {
        sampleRateHz,
        channels: 1,
        bitrate,
        packetTimeMs: PACKET_MS,
      });
      if (!made.ok) {
        this.close();
        throw new Error(made.error.message);
      }
      this.#encoders.push(made.value);
    }
    const [first] = this.#encoders;
    this.#packetFrames = first!.packetFrames;
    this.#payload = new Uint8Array(first!.maximumPayload);
    this.#delayFrames = first!.lookaheadFrames;
    this.#left = this.#encoders.map(() => new Int16Array(this.#packetFrames));
    const { serialNumber, inputSampleRateHz, comments } = rest;
    const preSkip = this.#at48kHz(this.#delayFrames);
    const vendor = "Callfork, libopus";
    this.#writer = new OggOpusWriter({
      serialNumber,
      channels,
      inputSampleRateHz,
      preSkip,
      vendor,
      comments,
    });
  }

  header(): Uint8Array {
    return this.#writer.header();
  }

  audio(channels: readonly Int16Array[]): Uint8Array {
    const length = channels[0]?.length ?? 0;
    const pages: Uint8Array[] = [];
    this.#frames += length;
    for (let at = 0; at < length; ) {
      const take = Math.min(this.#packetFrames - this.#leftLength, length - at);
      for (const [channel, samples] of channels.entries()) {
        this.#left[channel]!.set(samples.subarray(at, at + take), this.#leftLength);
      }
      this.#leftLength += take;
      at += take;
      if (this.#leftLength === this.#packetFrames) this.#encode(pages);
    }
    return Buffer.concat(pages);
  }

  /** What is left and what the encoder still holds, with silence behind it. */
  finish(): Uint8Array {
    const pages: Uint8Array[] = [];
    const frames = this.#frames;
    let missing = this.#delayFrames;
    do {
      for (const left of this.#left) left.fill(0, this.#leftLength);
      missing -= this.#packetFrames - this.#leftLength;
      this.#encode(pages);
    } while (missing > 0);
    pages.push(this.#writer.finish(this.#at48kHz(frames)));
    return Buffer.concat(pages);
  }

  close(): void {
    for (const encoder of this.#encoders) encoder.close();
  }

  #encode(pages: Uint8Array[]): void {
    const packets = this.#encoders.map((encoder, channel) => {
      const octets = encoder.encode(this.#left[channel]!, this.#payload, 0);
      return octets === 0 ? NOTHING : this.#payload.slice(0, octets);
    });
    this.#leftLength = 0;
    const packet = joinOpusPackets(packets);
    if (packet === undefined) throw new Error("the encoder made what is no Opus packet");
    const page = this.#writer.packet(packet, this.#at48kHz(this.#packetFrames));
    if (page !== undefined) pages.push(page);
  }

  #at48kHz(frames: number): number {
    return Math.round((frames * OPUS_CLOCK_HZ) / this.#sampleRateHz);
  }
}

const jobs = new Map<number, Job>();
const main = parentPort!;

main.on("message", (command: OpusCommand) => {
  const { job } = command;
  let answer: OpusAnswer;
  try {
    answer = { job, octets: obey(command) };
  } catch (error) {
    jobs.get(job)?.close();
    jobs.delete(job);
    answer = { job, error: error instanceof Error ? error.message : String(error) };
  }
  main.postMessage(answer);
});

function obey(command: OpusCommand): Uint8Array {
  if (command.kind === "begin") {
    const job = new Job(command);
    jobs.set(command.job, job);
    return job.header();
  }
  const job = jobs.get(command.job);
  if (job === undefined) throw new Error("no such file is being made");
  if (command.kind === "audio") return job.audio(command.channels);
  jobs.delete(command.job);
  try {
    return job.finish();
  } finally {
    job.close();
  }
}
