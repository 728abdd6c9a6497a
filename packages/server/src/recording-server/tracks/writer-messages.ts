import type { KeyObject } from "node:crypto";
import type { MessagePort } from "node:worker_threads";
import type { PayloadFormat } from "./payload-format.ts";
import type { TrackCounters } from "./track-assembler.ts";

/** What a track is to be written as. */
export interface TrackPlan {
  /** Video is kept packet by packet, audio on a timeline. */
  readonly media: "audio" | "video";
  /** Path without extension: the form that the audio takes adds one. */
  readonly base: string;
  /** The recording's key; undefined: files are plain. */
  readonly key?: KeyObject | undefined;
  /** RTP clock of the codec that was agreed on. */
  readonly clockRateHz: number;
  readonly formats: readonly PayloadFormat[];
}

/** What the main thread tells the writer. */
export type WriterCommand =
  | { readonly kind: "open"; readonly track: number; readonly plan: TrackPlan }
  /** The receiver whose packets are the track's, before the first of them can come. */
  | {
      readonly kind: "bind";
      readonly track: number;
      readonly receiver: number;
      readonly rtpPort: number;
    }
  /** Where a media worker posts its batches; transferred. */
  | { readonly kind: "sink"; readonly batches: MessagePort }
  /** The payload types of a later answer, added to those before. */
  | { readonly kind: "formats"; readonly track: number; readonly formats: readonly PayloadFormat[] }
  /** The line was inactive and is active again. */
  | { readonly kind: "resumed"; readonly track: number }
  /** Whether what is written is to be told as well. */
  | { readonly kind: "listen"; readonly track: number; readonly on: boolean }
  | { readonly kind: "ask"; readonly track: number; readonly question: number }
  | { readonly kind: "close"; readonly track: number; readonly question: number }
  | { readonly kind: "stop" };

/** What the writer tells the main thread. */
export type WriterReport =
  | { readonly kind: "answer"; readonly question: number; readonly summary: TrackSummary | undefined }
  | { readonly kind: "started"; readonly track: number; readonly firstPacketTime: number }
  /** The sender's clock has said when the track began. */
  | { readonly kind: "aligned"; readonly track: number }
  | { readonly kind: "digit"; readonly track: number; readonly digit: Digit }
  /** What was written on a track that somebody listens to, in order. */
  | { readonly kind: "heard"; readonly track: number; readonly heard: readonly Heard[] }
  | { readonly kind: "failed"; readonly track: number; readonly message: string };

/** A key that was pressed. */
export interface Digit {
  readonly digit: string;
  /** From the track's first sample. */
  readonly offsetMs: number;
  readonly durationMs: number;
}

/** What a listener gets: a payload, or what is missing before the next one. */
export type Heard =
  | {
      readonly payload: Uint8Array;
      readonly format: PayloadFormat;
      readonly timestamp: number;
      /** Epoch milliseconds. */
      readonly arrivalTime: number;
      /** From the track's first sample. */
      readonly offsetMs: number;
    }
  | { readonly silenceMs: number };

/** A track as the writer knows it. */
export interface TrackSummary extends TrackCounters {
  /** Encoding names in the order in which they were first heard. */
  readonly codecs: readonly string[];
  /** Names of the files that there are, in the order of the timeline. */
  readonly files: readonly string[];
  /** Ticks of audio that is silent all the same: digital silence, or next to it. */
  readonly quietSamples: number;
  /** Octets of audio that could not be written. */
  readonly unwritten: number;
}
