/** What recordings can be asked for. Conditions that are given all have to be met. */
export interface RecordingFilter {
  readonly status?: string;
  /** An address or number of a participant; `*` at its end stands for anything. */
  readonly number?: string;
  /** A participant's name, or a word of it; `*` as above. */
  readonly name?: string;
  /** A track's label. */
  readonly label?: string;
  /** The connector that our own client sent it by. */
  readonly connector?: string;
  /** The recording session's Call-ID. */
  readonly callId?: string;
  /** Of the communication session, or a SIP Session-ID. */
  readonly sessionId?: string;
  readonly groupId?: string;
  /** SID of the first recording of the same call: all others of it. */
  readonly partOf?: string;
  /** Address of the recording client, without port. */
  readonly source?: string;
  readonly extensionData?: Readonly<Record<string, string>>;
  /** Epoch milliseconds, both ends inclusive: when it started. */
  readonly startedFrom?: number;
  readonly startedTo?: number;
}
