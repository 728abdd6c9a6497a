/** A WebSocket towards somebody who listens, whichever side opened it: as much of one as is needed. */
export interface StreamSocket {
  readonly readyState: number;
  /** Octets that are not on the wire yet. */
  readonly bufferedAmount: number;
  send(text: string): void;
  /** @param code - RFC 6455 §7.4 */
  close(code: number, reason: string): void;
  once(event: "close", handler: () => void): unknown;
  on(event: "error", handler: (error: Error) => void): unknown;
}

/** Opens WebSockets to consumers; where they may be is its business. */
export interface StreamConnector {
  /** Rejects with an error that says why; whatever is thrown, the recording goes on. */
  open(url: string, accountSid: string): Promise<StreamSocket>;
}

export const STREAM_TRACKS = ["inbound_track", "outbound_track", "both_tracks"] as const;
export type StreamTrack = (typeof STREAM_TRACKS)[number];

/** Who wants to hear a recording, and how. */
export interface StreamRequest {
  readonly name: string | null;
  /** `both_tracks` are all tracks there are, more than two of them too. */
  readonly track: StreamTrack;
  /** Told to the consumer as they are. */
  readonly parameters: Readonly<Record<string, string>>;
}

/** A stream as REST shows it. It lives with its recording and the process; no row is kept. */
export interface StreamRecord {
  readonly sid: string;
  readonly accountSid: string;
  readonly recordingSid: string;
  readonly name: string | null;
  /** Null: the consumer connected by itself. */
  readonly url: string | null;
  readonly track: StreamTrack;
  readonly status: "connecting" | "in-progress" | "stopped" | "failed";
  readonly startTime: number;
  readonly endTime: number | null;
  /** Why it failed. */
  readonly error: string | null;
  /** `media` messages that were sent. */
  readonly messages: number;
}

/** `busy`: as many consumers hear this recording as may. `not-live`: it is over, or there is none. */
export type StreamRefusal = "not-live" | "busy";

/** What `api` asks of live audio. */
export interface RecordingStreams {
  /** Connects to a consumer; resolves before that has happened. */
  start(
    accountSid: string,
    recordingSid: string,
    url: string,
    request: StreamRequest,
  ): StreamRecord | StreamRefusal;
  /** A consumer that connected to us. */
  attach(
    accountSid: string,
    recordingSid: string,
    consumer: StreamSocket,
    request: StreamRequest,
  ): StreamRecord | StreamRefusal;
  /** Streams of a recording in progress, those that ended included; undefined: no such recording is in progress. */
  list(accountSid: string, recordingSid: string): readonly StreamRecord[] | undefined;
  /** @returns undefined when there is none of that SID or name */
  stop(accountSid: string, recordingSid: string, sidOrName: string): StreamRecord | undefined;
}
