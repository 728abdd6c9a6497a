/** One SIP leg of a call, either way: `Idle` until the peer was told or told us anything. */
export type LegState = "Idle" | "Ringing" | "EarlyMedia" | "Answered" | "Ended";

export type LegInput =
  /** 180, or another provisional answer without a session description. */
  | "ring"
  /** A provisional answer with a session description. */
  | "earlyMedia"
  /** 2xx. */
  | "answer"
  /** 300–699 to the INVITE, sent or received, or none within the time. */
  | "refuse"
  /** CANCEL, sent or received. */
  | "cancel"
  /** The dialog is over: BYE of either side, no ACK, a failed request, the transport. */
  | "end";

/** An input without a row is dropped: a 180 after the 200, a BYE after the end. */
export const LEG = {
  Idle: { ring: "Ringing", earlyMedia: "EarlyMedia", answer: "Answered", refuse: "Ended", cancel: "Ended" },
  Ringing: { earlyMedia: "EarlyMedia", answer: "Answered", refuse: "Ended", cancel: "Ended" },
  // A forked INVITE brings the early media of several callees: the latest is heard.
  EarlyMedia: { earlyMedia: "EarlyMedia", answer: "Answered", refuse: "Ended", cancel: "Ended" },
  Answered: { end: "Ended" },
  Ended: {},
} as const satisfies Record<LegState, Partial<Record<LegInput, LegState>>>;

/** The state that follows, or `undefined` when the input means nothing now. */
export function nextLegState(state: LegState, input: LegInput): LegState | undefined {
  return (LEG[state] as Partial<Record<LegInput, LegState>>)[input];
}
