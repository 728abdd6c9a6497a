import type { SrtpPolicy } from "@callfork/protocol/offer-answer";
import type { Random } from "@callfork/protocol/text";
import type { MediaPlane } from "../media/index.ts";
import type { Clock } from "../net/index.ts";
import type { Alerts, Log } from "../observe/index.ts";
import type { IncomingInvite } from "../signalling/index.ts";
import type { RecordingFiles } from "./files/recording-files.ts";
import type { RecordingStreams, StreamConnector } from "./live/stream-ports.ts";
import type { MetadataPolicy } from "./minimise.ts";
import type { PeerRule } from "./peers.ts";
import type { RecordingPermitOptions } from "./permit.ts";
import type { RecordingLibrary, RecordingRecord, RecordingStore } from "./ports.ts";
import type { DecoderCommand } from "./reading/foreign-decoder.ts";
import type { TwinPolicy } from "./stitching/twins.ts";
import type { VconSigner } from "./vcon-signer.ts";
import type { RecordingWebhook } from "./webhooks.ts";

export interface RecordingServerOptions extends RecordingPermitOptions {
  readonly media: MediaPlane;
  readonly store: RecordingStore;
  /** Folder that holds one folder a recording; made when missing. */
  readonly folder: string;
  /** What is kept of the metadata; undefined: all of it. */
  readonly metadataPolicy?: MetadataPolicy | undefined;
  /** Signs vCons; undefined: they cannot be signed. */
  readonly vconSigner?: VconSigner | undefined;
  /** How the files there are read and sealed. Default: plain, and all of them on the disk. */
  readonly files?: RecordingFiles | undefined;
  /** Whose recordings these are. */
  readonly accountSid: string;
  /** true: RFC 7866 to the letter; false: what deployed clients send is accepted, with a warning on the recording. */
  readonly strict: boolean;
  /** What is done with an INVITE that begins once more what its sender began within two seconds. Default "keep". */
  readonly twins?: TwinPolicy | undefined;
  /** How single recording clients are taken; the first rule that fits counts, `strict` says it for all others. */
  readonly peers?: readonly PeerRule[] | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly alerts: Alerts;
  readonly limits?: Partial<RecordingServerLimits>;
  /** `Media.opus` is made as soon as a recording has ended, not when it is asked for. Default false. */
  readonly opus?: boolean | undefined;
  /** Commands for codecs that are kept as they come. */
  readonly decoders?: readonly DecoderCommand[] | undefined;
  /** Default "offered": SRTP for clients that offer it. "required": nothing else is recorded. */
  readonly srtpPolicy?: SrtpPolicy;
  /** Live audio: who opens connections to consumers, and which of them hear every recording. */
  readonly liveAudio?: { readonly connector: StreamConnector; readonly urls: readonly string[] } | undefined;
  /** Hears of recordings; none: nobody does. */
  readonly webhook?: RecordingWebhook | undefined;
  /** For metrics. */
  readonly onStarted?: () => void;
  readonly onEnded?: (recording: RecordingRecord) => void;
  readonly onRefused?: (reason: string) => void;
  /** A recording was marked with a warning of that code. */
  readonly onWarning?: (code: string) => void;
}

export interface RecordingServerLimits {
  /** Recordings at once; above it 503 with Retry-After. Default 2,000. */
  readonly liveRecordings: number;
  /** Audio m-lines of one recording that are taken. Default 16. */
  readonly tracksPerRecording: number;
  /** Octets of one metadata document. Default 65,536. */
  readonly metadataBytes: number;
  /** Octets that must be free where recordings are kept; below it 503 with Retry-After. Default 256 MiB. */
  readonly freeBytes: number;
}

/** The room as the composition root sees it. */
export interface RecordingServer {
  /** Whether an INVITE outside a dialog is for the recorder: `siprec` in Require, a `+sip.src` Contact, or metadata in its body. */
  isRecordingInvite(invite: IncomingInvite): boolean;
  /** Takes an INVITE, or refuses it. Never throws. */
  accept(invite: IncomingInvite): void;
  readonly library: RecordingLibrary;
  /** The audio of recordings in progress. */
  readonly streams: RecordingStreams;
  /** Starts the writer; repairs tracks and closes recordings that a dead process left open. Call it once, before `accept`. */
  start(): Promise<void>;
  /** Ends live recordings with BYE, writes what is buffered, closes every file. */
  stop(): Promise<void>;
  readonly liveCount: number;
  /** What an INVITE would be refused with now, whoever sent it; undefined: it would be taken. For OPTIONS. */
  readonly refusal:
    | {
        readonly status: number;
        readonly message: string;
        readonly retryAfterSeconds?: number | undefined;
      }
    | undefined;
}
