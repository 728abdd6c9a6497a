import type { MessagePort } from "node:worker_threads";
import type { PacketIoChoice, PacketIoCounters } from "../net/index.ts";
import type {
  ForkConnection,
  LegConnection,
  MediaEvent,
  MediaId,
  MediaSrtp,
  MediaStats,
  MediaTarget,
  PlayOptions,
} from "./types.ts";

/** What `new Worker` gets. */
export interface WorkerSettings {
  readonly silenceMs: number;
  readonly earlyMs: number | undefined;
  readonly io: PacketIoChoice;
  /** The table of its `HeldResources`. */
  readonly held: Int32Array<SharedArrayBuffer>;
}

/** Where a port pair is to be bound. */
export interface PairAddress {
  readonly address: string;
  readonly rtpPort: number;
}

/** From the main thread to a media worker. Each names the leg, fork or receiver it is about. */
export type WorkerCommand =
  | {
      readonly kind: "open-leg";
      readonly id: MediaId;
      readonly question: number;
      readonly pair: PairAddress;
      readonly isPassage: boolean;
    }
  | { readonly kind: "connect-leg"; readonly id: MediaId; readonly connection: LegConnection }
  | {
      readonly kind: "bridge";
      readonly id: MediaId;
      readonly other: MediaId;
      readonly aToB: ReadonlyMap<number, number>;
      readonly bToA: ReadonlyMap<number, number>;
    }
  | { readonly kind: "unbridge"; readonly id: MediaId }
  | { readonly kind: "play"; readonly id: MediaId; readonly question: number; readonly options: PlayOptions }
  | { readonly kind: "stop-play"; readonly id: MediaId }
  | {
      readonly kind: "open-fork";
      readonly id: MediaId;
      readonly question: number;
      readonly pair: PairAddress;
      readonly leg: MediaId;
      readonly track: "inbound" | "outbound";
    }
  | { readonly kind: "start-fork"; readonly id: MediaId; readonly connection: ForkConnection }
  | {
      readonly kind: "open-receiver";
      readonly id: MediaId;
      readonly question: number;
      readonly pair: PairAddress;
      readonly sink: number;
      readonly cname: string;
      readonly clockRateHz: number;
    }
  /** Receivers that name the same sink share its batches. */
  | { readonly kind: "add-sink"; readonly id: MediaId; readonly sink: number; readonly port: MessagePort }
  | {
      readonly kind: "connect-receiver";
      readonly id: MediaId;
      readonly remote: MediaTarget | null;
      readonly payloadTypes: readonly number[];
      readonly srtp: MediaSrtp | undefined;
    }
  | { readonly kind: "stats"; readonly id: MediaId; readonly question: number }
  | { readonly kind: "close"; readonly id: MediaId; readonly question: number }
  /** How its packets go. */
  | { readonly kind: "counters"; readonly id: MediaId; readonly question: number }
  | { readonly kind: "stop"; readonly id: MediaId };

/** From a media worker to the main thread. */
export type WorkerReport =
  | { readonly kind: "ready"; readonly io: "dgram" | "uring"; readonly refusal: string | undefined }
  | { readonly kind: "event"; readonly event: MediaEvent }
  /** The answer to the command with that question. */
  | { readonly kind: "answer"; readonly question: number; readonly answer: WorkerAnswer };

export type WorkerAnswer =
  | { readonly kind: "opened" }
  /** `inUse`: another pair may do. */
  | { readonly kind: "refused"; readonly inUse: boolean; readonly message: string }
  | { readonly kind: "gone" }
  | { readonly kind: "counters"; readonly counters: PacketIoCounters }
  | { readonly kind: "played"; readonly completed: boolean }
  | { readonly kind: "stats"; readonly stats: MediaStats | undefined };
