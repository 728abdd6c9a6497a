import type { Readable } from "node:stream";
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
  }[];
  readonly tracks: readonly TrackRecord[];
  readonly warnings: readonly { readonly code: string; readonly message: string; readonly time: number }[];
  /** Parameters and vendor data from the metadata. */
  readonly extensionData: Readonly<Record<string, string>>;
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
  /** File name below the recording's folder. */
  readonly file: string;
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
  listRecordings(query: {
    readonly accountSid: string;
    readonly offset: number;
    readonly limit: number;
    readonly status?: string;
  }): Promise<readonly RecordingRecord[]>;
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

/** What `api` asks of the recorder. `undefined`: no such recording or label in that account. */
export interface RecordingLibrary {
  list(
    accountSid: string,
    page: { readonly offset: number; readonly limit: number; readonly status?: string },
  ): Promise<readonly RecordingRecord[]>;
  find(accountSid: string, sid: string): Promise<RecordingRecord | undefined>;
  /** Removes files and rows; refuses a recording in progress. */
  remove(accountSid: string, sid: string): Promise<boolean>;
  /** All tracks on one timeline: stereo for two, mono for one, N channels for N; 16 bit PCM. */
  media(accountSid: string, sid: string): Promise<MediaFile | undefined>;
  track(accountSid: string, sid: string, label: string): Promise<MediaFile | undefined>;
  /** The latest complete metadata document, byte for byte as it came. */
  metadataXml(accountSid: string, sid: string): Promise<MetadataFile | undefined>;
  /** Every version: the model as JSON, the raw document, when and by what it came. */
  metadataJson(accountSid: string, sid: string): Promise<object | undefined>;
  vcon(accountSid: string, sid: string): Promise<object | undefined>;
}
