import type { AudioEncoder } from "./audio-codec.ts";
import type { OpusParameters } from "./opus-fmtp.ts";
import { OPUS_APPLICATION_VOIP, OPUS_CTL, type OpusLibrary } from "./opus-wasm.ts";

/** Speech gains little beyond it, and it costs half of what the highest does. */
const COMPLEXITY = 5;
/** What the encoder is to reckon with when the receiver makes use of in-band FEC: without it, it would add none. */
const EXPECTED_LOSS_PERCENT = 10;
/** Bits a second for mono speech of narrow, wide and full band (RFC 7587 §3.1.1, upper end of each range). */
const BITRATES = [
  { upToHz: 8000, bitrate: 16_000 },
  { upToHz: 16_000, bitrate: 24_000 },
  { upToHz: 48_000, bitrate: 40_000 },
];
/** Narrow, medium, wide, super wide and full band, as libopus counts them, by the highest rate that makes use of them. */
const BANDWIDTHS = [
  { upToHz: 8000, bandwidth: 1101 },
  { upToHz: 12_000, bandwidth: 1102 },
  { upToHz: 16_000, bandwidth: 1103 },
  { upToHz: 24_000, bandwidth: 1104 },
  { upToHz: 48_000, bandwidth: 1105 },
];
/** The largest frame of RFC 6716 §3.4, times the six of 20 ms that a packet of 120 ms has. */
const MAXIMUM_PAYLOAD = 6 * 1275;

/** Lengths that a packet may have (RFC 7587 §6.1, ptime). */
export const OPUS_PACKET_TIMES_MS: readonly number[] = [5, 10, 20, 40, 60, 80, 100, 120];

export interface OpusEncoderOptions {
  readonly sampleRateHz: number;
  readonly channels: 1 | 2;
  readonly packetTimeMs: number;
  readonly bitrate?: number | undefined;
  /** The receiver's. */
  readonly receiver: OpusParameters;
}

/** Opus for speech, as the receiver's parameters ask for it (RFC 7587 §6.1). */
export class OpusEncoder implements AudioEncoder {
  readonly sampleRateHz: number;
  readonly channels: number;
  readonly unitsPerFrame: number;
  readonly packetFrames: number;
  readonly maximumPayload: number;
  readonly lookaheadFrames: number;
  readonly #library: OpusLibrary;
  readonly #state: number;
  readonly #usesDtx: boolean;

  /** @throws Error when the library has no memory left */
  constructor(library: OpusLibrary, options: OpusEncoderOptions) {
    const { sampleRateHz, channels, packetTimeMs, receiver } = options;
    const { calls } = library;
    this.#library = library;
    this.sampleRateHz = sampleRateHz;
    this.channels = channels;
    this.unitsPerFrame = 48_000 / sampleRateHz;
    this.packetFrames = (sampleRateHz * packetTimeMs) / 1000;
    this.maximumPayload = packetTimeMs <= 20 ? 1275 : MAXIMUM_PAYLOAD;
    this.#usesDtx = receiver.usesDtx;
    this.#state = calls.malloc(calls.opus_encoder_get_size(channels));
    if (this.#state === 0) throw new Error("no memory for another Opus encoder");
    calls.opus_encoder_init(this.#state, sampleRateHz, channels, OPUS_APPLICATION_VOIP);
    const own = options.bitrate ?? channels * BITRATES.find(({ upToHz }) => sampleRateHz <= upToHz)!.bitrate;
    this.#set(OPUS_CTL.setBitrate, Math.min(own, receiver.maximumAverageBitrate ?? own));
    const playable = BANDWIDTHS.find(({ upToHz }) => receiver.maximumPlaybackRateHz <= upToHz)!;
    this.#set(OPUS_CTL.setMaximumBandwidth, playable.bandwidth);
    this.#set(OPUS_CTL.setComplexity, COMPLEXITY);
    this.#set(OPUS_CTL.setVbr, receiver.wantsConstantBitrate ? 0 : 1);
    this.#set(OPUS_CTL.setDtx, receiver.usesDtx ? 1 : 0);
    this.#set(OPUS_CTL.setInbandFec, receiver.usesInbandFec ? 1 : 0);
    this.#set(OPUS_CTL.setPacketLossPercent, receiver.usesInbandFec ? EXPECTED_LOSS_PERCENT : 0);
    this.lookaheadFrames = calls.opus_encoder_ctl_get(this.#state, OPUS_CTL.getLookahead);
  }

  encode(samples: Int16Array, out: Uint8Array, offset: number): number {
    const { calls, samplesPointer, payloadPointer } = this.#library;
    this.#library.samples.set(samples);
    const stack = calls.stackSave();
    let octets: number;
    try {
      const room = Math.min(this.maximumPayload, out.length - offset);
      octets = calls.opus_encode(this.#state, samplesPointer, this.packetFrames, payloadPointer, room);
    } catch {
      calls.stackRestore(stack);
      this.reset();
      return 0;
    }
    // "If the return value is 2 bytes or less, the packet does not need to be transmitted (DTX)": libopus.
    if (octets <= (this.#usesDtx ? 2 : 0)) return 0;
    const payload = this.#library.payload;
    for (let i = 0; i < octets; i++) out[offset + i] = payload[i]!;
    return octets;
  }

  reset(): void {
    this.#set(OPUS_CTL.resetState, 0);
  }

  close(): void {
    this.#library.calls.free(this.#state);
  }

  #set(request: number, value: number): void {
    this.#library.calls.opus_encoder_ctl_set(this.#state, request, value);
  }
}
