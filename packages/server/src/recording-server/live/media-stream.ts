import { toBase64 } from "@callfork/protocol/text";

/** What a consumer is told when a stream begins. */
export interface MediaStreamStart {
  readonly streamSid: string;
  readonly accountSid: string;
  /** Of the call where the source names one, else the recording: Twilio's consumers key on it. */
  readonly callSid: string;
  readonly tracks: readonly string[];
  readonly customParameters: Readonly<Record<string, string>>;
}

/**
 * The messages of one stream in the format of Twilio's Media Streams: `connected`, `start`, `media`, `dtmf`, `stop`;
 * JSON texts with sequence numbers of their own, audio as base64 of 8 kHz mu-law.
 */
export class MediaStreamMessages {
  readonly #start: MediaStreamStart;
  readonly #chunks = new Map<string, number>();
  #sequence = 0;

  constructor(start: MediaStreamStart) {
    this.#start = start;
  }

  connected(): string {
    return JSON.stringify({ event: "connected", protocol: "Call", version: "1.0.0" });
  }

  start(): string {
    const { streamSid, accountSid, callSid, tracks, customParameters } = this.#start;
    const mediaFormat = { encoding: "audio/x-mulaw", sampleRate: 8_000, channels: 1 };
    return this.#numbered("start", {
      start: { accountSid, streamSid, callSid, tracks, mediaFormat, customParameters },
    });
  }

  /**
   * @param timestampMs - of the chunk's first sample, since the stream began
   * @param payload - mu-law at 8 kHz; read before this returns
   */
  media(track: string, timestampMs: number, payload: Uint8Array): string {
    const chunk = (this.#chunks.get(track) ?? 0) + 1;
    this.#chunks.set(track, chunk);
    return this.#numbered("media", {
      media: {
        track,
        chunk: String(chunk),
        timestamp: String(Math.max(0, Math.round(timestampMs))),
        payload: toBase64(payload),
      },
    });
  }

  dtmf(track: string, digit: string): string {
    return this.#numbered("dtmf", { dtmf: { track, digit } });
  }

  stop(): string {
    const { accountSid, callSid } = this.#start;
    return this.#numbered("stop", { stop: { accountSid, callSid } });
  }

  #numbered(event: string, body: object): string {
    this.#sequence++;
    const { streamSid } = this.#start;
    return JSON.stringify({ event, sequenceNumber: String(this.#sequence), ...body, streamSid });
  }
}

const SIDES = ["inbound", "outbound"] as const;

/**
 * The names that a stream gives to tracks: consumers know `inbound` and `outbound`. Labels that say so keep their
 * names; otherwise the first label is `inbound` and the second `outbound`. All others go by their labels.
 */
export function streamTrackNames(labels: readonly string[]): ReadonlyMap<string, string> {
  if (labels.some((label) => (SIDES as readonly string[]).includes(label))) {
    return new Map(labels.map((label) => [label, label]));
  }
  return new Map(labels.map((label, at) => [label, SIDES[at] ?? label]));
}
