import type { SrtpPolicy } from "@callfork/protocol/offer-answer";
import type { Random } from "@callfork/protocol/text";
import type { MediaPlane } from "../media/index.ts";
import type { Clock, SipFlow } from "../net/index.ts";
import type { Alerts, Log } from "../observe/index.ts";
import type { Authenticator, IncomingInvite, UserAgent } from "../signalling/index.ts";
import type { CallControl, CallStore, Calls, Director } from "./ports.ts";
import type { RecordingPolicy } from "./recording-policy.ts";
import type { CallRecord } from "./records.ts";

/** What the room needs from the house; the composition root fills it. */
export interface CallsOptions {
  /** Only `invite` is used: INVITEs that come in are handed to `CallRoom.accept`. */
  readonly userAgent: Pick<UserAgent, "invite">;
  readonly media: MediaPlane;
  readonly store: CallStore;
  readonly director: Director;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly alerts: Alerts;
  /** Host of our own URIs, in From of the calls we make: a name or an address, no port. */
  readonly sipHost: string;
  readonly limits?: Partial<CallLimits>;
  /** SRTP on legs whose URI does not say `secure=true`. Default "offered": to those who ask for it. */
  readonly srtpPolicy?: SrtpPolicy;
  /** Asks callers from unknown addresses who they are; without it only addresses open a door. */
  readonly authenticator?: Authenticator;
  /** Who may transfer a call by REFER: legs that no trunk carries, those of trunks too, or nobody. Default "phones". */
  readonly transfers?: "none" | "phones" | "all";
  /** What a caller hears while `<Dial>` rings and nobody sends early media. Default "us". */
  readonly ringbackTone?: RingbackTone;
  /** How parties hear that they are recorded; without it only those that show it by themselves do. */
  readonly recording?: RecordingPolicy;
  /** Told of every INVITE that was turned away before it became a call, for metrics. */
  readonly onRefused?: (refusal: Refusal) => void;
  /** Told of every call that ended, for metrics. */
  readonly onEnded?: (call: CallRecord) => void;
}

/** The type of `createCalls`. */
export type CreateCalls = (options: CallsOptions) => CallRoom;

/** "us": 440 + 480 Hz, 2 s on, 4 s off. "eu": 425 Hz, 1 s on, 4 s off (ITU-T E.180 supplement 2). */
export type RingbackTone = "us" | "eu";

export interface CallLimits {
  /** Live calls, legs of `<Dial>` included; above it 503 with Retry-After. Default 10,000. */
  readonly liveCalls: number;
  /** How long a read list of trunks is used. Default 5,000. */
  readonly trunkRefreshMs: number;
  /** Longest call when nobody said otherwise. Default 14,400 (Twilio's four hours). */
  readonly timeLimitSeconds: number;
}

export const DEFAULT_CALL_LIMITS: CallLimits = {
  liveCalls: 10_000,
  trunkRefreshMs: 5_000,
  timeLimitSeconds: 14_400,
};

/** An INVITE that did not become a call, and what it was told. */
export interface Refusal {
  readonly status: number;
  /** "challenge": asked who it is, as every call by digest begins; "credentials": answered that wrongly. */
  readonly cause:
    | "challenge"
    | "credentials"
    | "source"
    | "number"
    | "limit"
    | "draining"
    | "loop"
    /** Replaces names no dialog, or one whose place cannot be taken. */
    | "replaces"
    | "malformed"
    | "store";
  readonly address: string;
}

/** The room as the composition root sees it. */
export interface CallRoom extends Calls {
  /**
   * Takes an INVITE outside a dialog: checks the source, finds the number, makes a call of it and has it directed,
   * or refuses it. Never throws.
   */
  accept(invite: IncomingInvite): void;
  /**
   * Plays linear PCM at 8 kHz mono to everybody who talks in a live call, once, in place of what they hear otherwise.
   * Resolves at its end. Parties that speak no G.711 do not hear it.
   */
  announce(callSid: string, samples: Int16Array): Promise<void>;
  /** Reads the trunks and sets calls to failed that a dead process left live. Call it once, before `accept`. */
  start(): Promise<void>;
  /** Whether a peer may send calls, by its address or certificate; unknown ones are looked up for the next time. */
  knows(peer: Pick<SipFlow, "remoteAddress" | "tls">): boolean;
  /** Whether callers from unknown addresses may prove who they are. */
  readonly authenticates: boolean;
  /** No new calls are taken now: the node is full, or about to stop. */
  readonly isFull: boolean;
  /** The live calls, oldest first: for consoles and metrics. */
  live(): readonly CallControl[];
}
