import { Resampler } from "@callfork/protocol/audio";
import { timestampDelta } from "@callfork/protocol/rtp";
import type { AudioDecoder, AudioEncoder } from "./codec/index.ts";
import { type InOrder, MAX_PAYLOAD, ReorderBuffer } from "./reorder-buffer.ts";

/** A hole up to this is filled by the decoder; a longer one is silence that the source did not send, and stays a hole. */
const MAX_CONCEALED_MS = 120;
/** A source whose timestamps run further ahead of the clock than this has started over. */
const MAX_LEAD_MS = 5000;

const NOTHING = new Uint8Array(0);

/** More audio than time has passed, by this much, is no talk: what comes above it is dropped. */
const MAX_SURPLUS_MS = 5000;

/** Takes what a transcoder makes. */
export interface TranscodedSink {
  /**
   * One packet.
   *
   * @param payload - valid during the call
   * @param units - RTP timestamp units of the packet, in the clock of the new codec
   * @param skippedUnits - silence since the packet before; −1: nobody knows how it follows that one
   */
  onTranscoded(payload: Uint8Array, units: number, skippedUnits: number): void;
}

export interface TranscoderCounts {
  /** Packets of the source that were decoded. */
  readonly packets: number;
  /** Those that were no payload of the codec, or more than anybody can say in the time. */
  readonly undecodable: number;
  /** Those that came too late to be put in order, and those that never came. */
  readonly late: number;
  readonly lost: number;
  /** Audio that the decoder made up for lost packets and short pauses of the source. */
  readonly concealedMs: number;
}

/**
 * RTP payloads of one codec to payloads of another: one source's packets in, in whatever order and with whatever is
 * missing; packets of one length out, with what their timestamps are to go on by.
 *
 * The timeline is the source's: its timestamps say where audio belongs, so that neither loss nor DTX nor a packet time
 * of its own shifts anything. A hole of up to 120 ms is filled by the decoder (PLC or in-band FEC for Opus, silence for
 * the others); a longer one stays a hole: timestamps jump, nothing is sent for it.
 *
 * It holds audio back: packets that wait to be put in order, less than a packet of samples, and what the filters of
 * decoder, resampler and encoder remember. `reset` drops all of that: nothing that went in before comes out after.
 */
export class Transcoder implements InOrder {
  readonly #decoder: AudioDecoder;
  readonly #encoder: AudioEncoder;
  readonly #sink: TranscodedSink;
  readonly #resampler: Resampler | undefined;
  readonly #order: ReorderBuffer;
  /** Units of the source's clock in a millisecond, and in a sample of the encoder's rate. */
  readonly #unitsPerMs: number;
  readonly #unitsPerSample: number;
  readonly #decoded: Int16Array;
  /** What waits for the rest of its packet, and room for what one payload brings. */
  readonly #samples: Int16Array;
  #count = 0;
  readonly #payload: Uint8Array;
  /** Source timestamp that follows what has been decoded, and of the first sample that has not been sent. */
  #expected = 0;
  #unsent = 0;
  #isAnchored = false;
  /** Audio that came ahead of the clock. */
  #surplusMs = 0;
  #surplusAt = 0;
  /** Nothing has been decoded since the beginning or a reset: there is nothing to go on from. */
  #isFresh = true;
  #ssrc = -1;
  #now = 0;
  #lastAt = 0;
  /** Silence, or DTX of the encoder, since the last packet sent; −1: unknown. */
  #skippedUnits = -1;
  #packets = 0;
  #undecodable = 0;
  #concealedUnits = 0;

  /** Both of one channel; they are this transcoder's from now on. */
  constructor(decoder: AudioDecoder, encoder: AudioEncoder, sink: TranscodedSink) {
    this.#decoder = decoder;
    this.#encoder = encoder;
    this.#sink = sink;
    this.#order = new ReorderBuffer(this);
    const clockRateHz = decoder.sampleRateHz * decoder.unitsPerFrame;
    this.#unitsPerMs = clockRateHz / 1000;
    this.#unitsPerSample = clockRateHz / encoder.sampleRateHz;
    if (decoder.sampleRateHz !== encoder.sampleRateHz) {
      this.#resampler = new Resampler(decoder.sampleRateHz, encoder.sampleRateHz);
    }
    const concealed = Math.ceil((decoder.sampleRateHz * MAX_CONCEALED_MS) / 1000);
    const most = Math.max(decoder.maximumFrames(MAX_PAYLOAD), concealed);
    this.#decoded = new Int16Array(most);
    this.#samples = new Int16Array(encoder.packetFrames + (this.#resampler?.maximumOutput(most) ?? most));
    this.#payload = new Uint8Array(encoder.maximumPayload);
  }

  get counts(): TranscoderCounts {
    return {
      packets: this.#packets,
      undecodable: this.#undecodable,
      late: this.#order.late,
      lost: this.#order.lost,
      concealedMs: Math.round(this.#concealedUnits / this.#unitsPerMs),
    };
  }

  /**
   * Takes the next packet of the source.
   *
   * @param payload - copied when it has to wait
   */
  push(ssrc: number, sequence: number, timestamp: number, payload: Uint8Array, now: number): void {
    this.#now = now;
    if (ssrc !== this.#ssrc) {
      this.flush();
      this.#forget();
      this.#isAnchored = false;
      this.#ssrc = ssrc;
    }
    if (payload.length > MAX_PAYLOAD) {
      this.#undecodable++;
      this.#order.push(sequence, timestamp, NOTHING);
    } else this.#order.push(sequence, timestamp, payload);
    this.#lastAt = now;
  }

  /** A packet of the source that is not to be heard, an event: it is not missing either. */
  skip(ssrc: number, sequence: number): void {
    if (ssrc === this.#ssrc) this.#order.push(sequence, 0, NOTHING);
  }

  /** Sends what is held back, the last packet filled up with silence: the source is used no longer. */
  flush(): void {
    this.#order.flush();
    this.#fillPacket();
  }

  /** Drops all audio that has not been sent, and what decoder and encoder remember of that which has. */
  reset(): void {
    this.#forget();
  }

  close(): void {
    this.#decoder.close();
    this.#encoder.close();
  }

  onPayload(timestamp: number, payload: Uint8Array): void {
    if (payload.length === 0) return;
    this.#surplusMs = Math.max(0, this.#surplusMs - (this.#now - this.#surplusAt));
    this.#surplusAt = this.#now;
    if (this.#surplusMs > MAX_SURPLUS_MS) {
      this.#undecodable++;
      return;
    }
    this.#place(timestamp, payload);
    const frames = this.#decoder.decode(payload, this.#decoded);
    if (frames < 0) {
      this.#undecodable++;
      return;
    }
    this.#surplusMs += (frames * 1000) / this.#decoder.sampleRateHz;
    this.#packets++;
    this.#isFresh = false;
    this.#expected = (timestamp + frames * this.#decoder.unitsPerFrame) >>> 0;
    this.#take(frames);
  }

  #forget(): void {
    this.#order.reset();
    this.#decoder.reset();
    this.#encoder.reset();
    this.#resampler?.reset();
    this.#count = 0;
    this.#isFresh = true;
    this.#expected = this.#unsent;
  }

  /** Finds where a payload belongs: right after the last one, after a hole, or somewhere else altogether. */
  #place(timestamp: number, payload: Uint8Array): void {
    const holeUnits = timestampDelta(timestamp, this.#expected);
    if (holeUnits === 0 && this.#isAnchored) return;
    const holeMs = holeUnits / this.#unitsPerMs;
    if (!this.#isAnchored || holeUnits < 0 || holeMs - (this.#now - this.#lastAt) > MAX_LEAD_MS) {
      this.#anchor(timestamp);
      return;
    }
    if (holeMs <= MAX_CONCEALED_MS && !this.#isFresh) {
      const missing = Math.round(holeUnits / this.#decoder.unitsPerFrame);
      const made = this.#decoder.conceal(missing, this.#decoded, payload);
      this.#concealedUnits += made * this.#decoder.unitsPerFrame;
      this.#take(made);
      return;
    }
    this.#fillPacket();
    this.#resampler?.reset();
    if (this.#skippedUnits >= 0) {
      const samples = timestampDelta(timestamp, this.#unsent) / this.#unitsPerSample;
      this.#skippedUnits += Math.max(0, Math.round(samples * this.#encoder.unitsPerFrame));
    }
    this.#unsent = timestamp;
  }

  /** The source has started, or started over: what it sent before and what it sends now have no common time. */
  #anchor(timestamp: number): void {
    this.#fillPacket();
    this.#unsent = timestamp;
    this.#isAnchored = true;
    this.#skippedUnits = -1;
  }

  /** Samples that were decoded, or made up, to the encoder. */
  #take(frames: number): void {
    const decoded = this.#decoded.subarray(0, frames);
    if (this.#resampler !== undefined) {
      this.#count += this.#resampler.process(decoded, this.#samples, this.#count);
    } else {
      this.#samples.set(decoded, this.#count);
      this.#count += frames;
    }
    const { packetFrames } = this.#encoder;
    let from = 0;
    for (; this.#count - from >= packetFrames; from += packetFrames) this.#send(from);
    this.#samples.copyWithin(0, from, this.#count);
    this.#count -= from;
  }

  #fillPacket(): void {
    if (this.#count === 0) return;
    this.#samples.fill(0, this.#count, this.#encoder.packetFrames);
    this.#count = 0;
    this.#send(0);
  }

  #send(from: number): void {
    const { packetFrames, unitsPerFrame } = this.#encoder;
    const units = packetFrames * unitsPerFrame;
    const octets = this.#encoder.encode(this.#samples.subarray(from, from + packetFrames), this.#payload, 0);
    this.#unsent = (this.#unsent + packetFrames * this.#unitsPerSample) >>> 0;
    if (octets === 0) {
      if (this.#skippedUnits >= 0) this.#skippedUnits += units;
      return;
    }
    this.#sink.onTranscoded(this.#payload.subarray(0, octets), units, this.#skippedUnits);
    this.#skippedUnits = 0;
  }
}
