export type RecordingState = "Answering" | "Recording" | "Closing" | "Closed";

export type RecordingInput =
  /** The 200 was handed to the transport; everything it acknowledges is durable. */
  | "answered"
  /** CANCEL came, or the set-up failed: no 200 was sent. */
  | "abandoned"
  /** BYE from either side, no ACK, a request that failed, or the dialog was stopped. */
  | "dialogEnded"
  /** Files are closed and the row is saved. */
  | "closed";

/** What a recording does next; an input without a row is dropped. */
export const RECORDING = {
  Answering: { answered: "Recording", abandoned: "Closed" },
  Recording: { dialogEnded: "Closing" },
  Closing: { closed: "Closed" },
  Closed: {},
} as const satisfies Record<RecordingState, Partial<Record<RecordingInput, RecordingState>>>;

/** Next state; undefined when the input has no row. */
export function nextRecordingState(state: RecordingState, input: RecordingInput): RecordingState | undefined {
  const rows: Partial<Record<RecordingInput, RecordingState>> = RECORDING[state];
  return rows[input];
}
