import type { Readable } from "node:stream";
import type { RecordingFilter } from "./search.ts";
import type { Whole } from "./stitching/whole.ts";
import type { RecordingCallback } from "./webhooks.ts";

/** A recording as design and REST show it. Times: epoch milliseconds here, ISO 8601 at the REST face. */
export interface RecordingRecord {
  readonly sid: string;
  readonly accountSid: string;
  readonly status: "in-progress" | "completed" | "interrupted" | "failed";
  readonly source: {
    readonly address: string;
    readonly transport: string;
    readonly userAgent: string | null;
    readonly callId: string;
    readonly dialect: string;
  };
  /** Where the audio begins: the first packet of any track; before one has come, when the INVITE came. */
  readonly startTime: number;
  readonly endTime: number | null;
  readonly durationMs: number | null;
  readonly sessions: readonly {
    readonly sessionId: string;
    readonly groupId: string | null;
    readonly sipSessionIds: readonly string[];
  }[];
  readonly participants: readonly {
    readonly participantId: string;
    readonly aor: string;
    readonly name: string | null;
    /** When the party was there, as the metadata tells; absent when it does not. Null: still there at the end. */
    readonly presence?: readonly { readonly from: number; readonly until: number | null }[];
  }[];
  readonly tracks: readonly TrackRecord[];
  /** In the order of their times. */
  readonly markers?: readonly RecordingMarker[];
  readonly warnings: readonly { readonly code: string; readonly message: string; readonly time: number }[];
  /** Parameters and vendor data from the metadata. */
  readonly extensionData: Readonly<Record<string, string>>;
  /** The first recording of the same call, when this is another one of it. */
  readonly partOf?: string | null;
}

export interface TrackRecord {
  readonly label: string;
  readonly streamId: string | null;
  /** participant_ids whose `send` names the stream. */
  readonly senders: readonly string[];
  readonly codec: string;
  readonly clockRateHz: number;
  readonly durationMs: number;
  readonly packets: number;
  readonly expected: number;
  readonly lost: number;
  readonly late: number;
  readonly duplicates: number;
  readonly longestGapMs: number;
  /** Offset of the track's first sample from the recording's start. */
  readonly startOffsetMs: number;
  /** File name below the recording's folder: the first of `detail.files`. */
  readonly file: string;
  readonly detail?: TrackDetail;
}

/** What is known of a track beyond its columns. */
export interface TrackDetail {
  /** Video is kept packet by packet, in a capture. */
  readonly kind: "audio" | "video";
  /** Encoding names in the order in which they were first heard. */
  readonly codecs: readonly string[];
  /** All files of the track below the recording's folder, in the order of the timeline. */
  readonly files: readonly string[];
  readonly firstPacketTime: number | null;
  readonly lastPacketTime: number | null;
  /** Part of the track that is silent, gaps and quiet audio together: 0 to 1. */
  readonly silenceShare: number;
  readonly sourceChanges: number;
  /** How the track's clock drifted: from it `Media` puts the tracks onto one timeline. */
  readonly clockPoints: readonly { readonly position: number; readonly leadMs: number }[];
}

/** Something that happened during a recording, and where it lies in the audio. */
export interface RecordingMarker {
  /**
   * `hold`, `resume`: of one track; `pause`, `continue`: of all of them; `transfer`: a participant came or went;
   * `dtmf`: a key was pressed.
   */
  readonly kind: "hold" | "resume" | "pause" | "continue" | "transfer" | "dtmf";
  /** Epoch milliseconds. */
  readonly time: number;
  /** Of the track, where it is one track's. */
  readonly label?: string;
  /** The key, or who came and who went. */
  readonly text?: string;
  readonly durationMs?: number;
}

export interface MetadataVersion {
  readonly recordingSid: string;
  readonly version: number;
  /** When it arrived. */
  readonly time: number;
  /** The SIP method that carried it. */
  readonly carrier: string;
  /**
   * As it came, malformed ones too: its text when its octets are the UTF-8 of that, else a `data:` URL of them
   * (RFC 2397).
   */
  readonly document: string;
}

/** Every promise resolves when the change is durable. */
export interface RecordingStore {
  /** @param callbacks - what the change owes: durable with it, or not at all */
  saveRecording(record: RecordingRecord, callbacks?: readonly RecordingCallback[]): Promise<void>;
  addMetadataVersion(version: MetadataVersion): Promise<void>;
  findRecording(sid: string): Promise<RecordingRecord | undefined>;
  /** Newest first. */
  listRecordings(
    query: { readonly accountSid: string; readonly offset: number; readonly limit: number } & RecordingFilter,
  ): Promise<readonly RecordingRecord[]>;
  listMetadataVersions(recordingSid: string): Promise<readonly MetadataVersion[]>;
  /** Recordings in progress when the process died. */
  listUnfinishedRecordings(): Promise<readonly RecordingRecord[]>;
  deleteRecording(sid: string): Promise<void>;
}

export interface MetadataFile {
  /** With the charset, where the octets alone do not tell it. */
  readonly contentType: string;
  readonly octets: Uint8Array;
}

/** Bytes that HTTP can serve with ranges. */
export interface MediaFile {
  readonly contentType: string;
  /** Total length in octets. */
  readonly length: number;
  /** Octets from `start` to `end`, both inclusive. The caller reads to the end or destroys the stream. */
  open(start: number, end: number): Readable;
}

/** `wav`: 16-bit PCM; `opus`: Opus in Ogg. */
export type AudioForm = "wav" | "opus";

/** `cfp`: the payloads of a track that is not G.711, as they came; `pcap`: the packets of a video track. */
export type TrackForm = AudioForm | "cfp" | "pcap";

export interface AudioAsked {
  /** Default `wav`. */
  readonly form?: AudioForm;
  /** All tracks in one channel. */
  readonly isMixed?: boolean;
}

/** How a vCon is wanted. */
export interface VconWish {
  /** As a JWS. @throws `VconNotSignableError` without key and certificate */
  readonly isSigned: boolean;
  /** `none`: it is named; `inline`: the vCon carries it; `link`: by URL, with its hash. */
  readonly audio: "none" | "inline" | "link";
  /** Base URL of links. */
  readonly base: string;
}

/** What `api` asks of the recorder. `undefined`: no such recording or label in that account. */
export interface RecordingLibrary {
  list(
    accountSid: string,
    page: { readonly offset: number; readonly limit: number } & RecordingFilter,
  ): Promise<readonly RecordingRecord[]>;
  find(accountSid: string, sid: string): Promise<RecordingRecord | undefined>;
  /**
   * All tracks on one timeline: stereo for two, mono for one, N channels for N; 16 bit PCM unless told otherwise.
   *
   * @throws `AudioNotDecodedError` when nothing of it can be decoded
   */
  media(accountSid: string, sid: string, asked?: AudioAsked): Promise<MediaFile | undefined>;
  /** One track on its own clock, in a form; undefined also where it has no such form. */
  track(accountSid: string, sid: string, label: string, form?: TrackForm): Promise<MediaFile | undefined>;
  /** The call that a recording is of: all its recordings as one, whichever of them is asked for. */
  whole(accountSid: string, sid: string): Promise<Whole | undefined>;
  /** The whole call's audio on one timeline, 16 bit PCM. */
  wholeMedia(accountSid: string, sid: string, isMixed: boolean): Promise<MediaFile | undefined>;
  /** The latest complete metadata document, byte for byte as it came. */
  metadataXml(accountSid: string, sid: string): Promise<MetadataFile | undefined>;
  /** Every version: the model as JSON, the raw document, when and by what it came. */
  metadataJson(accountSid: string, sid: string): Promise<object | undefined>;
  vcon(accountSid: string, sid: string, wish: VconWish): Promise<object | undefined>;
}
