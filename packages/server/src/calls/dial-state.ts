/** `<Dial>` as its caller sees it. */
export type DialState = "Ringing" | "Bridged" | "Over";

export type DialInput =
  /** A callee answered and its media was agreed. */
  | "answered"
  /** No target rings any more. */
  | "exhausted"
  /** The bridged callee hung up, or its leg failed. */
  | "calleeEnded"
  /** The bridged callee got a document of its own. */
  | "calleeTaken"
  /** The caller hung up, or its call got another document. */
  | "aborted"
  | "timeLimit";

export const DIAL = {
  Ringing: { answered: "Bridged", exhausted: "Over", aborted: "Over" },
  Bridged: { calleeEnded: "Over", calleeTaken: "Over", aborted: "Over", timeLimit: "Over" },
  Over: {},
} as const satisfies Record<DialState, Partial<Record<DialInput, DialState>>>;

export function nextDialState(state: DialState, input: DialInput): DialState | undefined {
  return (DIAL[state] as Partial<Record<DialInput, DialState>>)[input];
}
