import type { MessagePort } from "node:worker_threads";
import type { FilePlace } from "../files/file-writer.ts";
import type { TrackCounters } from "./track-assembler.ts";
import type { TrackFormat } from "./track-file.ts";

/** What the main thread tells the writer. */
export type WriterCommand =
  | {
      readonly kind: "open";
      readonly track: number;
      readonly place: FilePlace;
      readonly clockRateHz: number;
      readonly formats: readonly (readonly [payloadType: number, format: TrackFormat])[];
      /** Where a media worker posts its batches; transferred. */
      readonly batches: MessagePort;
    }
  /** The payload types of a later answer, added to those before. */
  | {
      readonly kind: "formats";
      readonly track: number;
      readonly formats: readonly (readonly [payloadType: number, format: TrackFormat])[];
    }
  /** The line was inactive and is active again. */
  | { readonly kind: "resumed"; readonly track: number }
  | { readonly kind: "ask"; readonly track: number; readonly question: number }
  | { readonly kind: "close"; readonly track: number; readonly question: number }
  | { readonly kind: "stop" };

/** What the writer tells the main thread. */
export type WriterReport =
  | { readonly kind: "answer"; readonly question: number; readonly summary: TrackSummary | undefined }
  | { readonly kind: "started"; readonly track: number; readonly firstPacketTime: number }
  /** The sender's clock has said when the track began. */
  | { readonly kind: "aligned"; readonly track: number }
  | { readonly kind: "failed"; readonly track: number; readonly message: string };

/** A track as the writer knows it. */
export interface TrackSummary extends TrackCounters {
  /** Undefined before the first packet. */
  readonly format: TrackFormat | undefined;
  /** Octets of audio that could not be written. */
  readonly unwritten: number;
}
