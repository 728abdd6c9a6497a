export type ForkState =
  /** Waits for the call's media, then for ports. */
  | "Preparing"
  /** An INVITE is out. */
  | "Inviting"
  /** A recorder has answered: the recording session is up. */
  | "Recording"
  /** Over for everybody but the recorder: BYE, or CANCEL, waits for its answer. */
  | "Stopping"
  | "Stopped";

export type ForkInput =
  | "ready"
  /** No ports could be had. */
  | "unprepared"
  | "answered"
  /** A recorder failed and another is left in the list. */
  | "nextRecorder"
  /** The last recorder failed that was called in place of one that was lost; the list begins again. */
  | "nextRound"
  /** The last recorder failed, or one whose refusal counts for all. */
  | "exhausted"
  /** REST, TwiML, the call's end, or the node's. */
  | "stop"
  /** The recorder ended the session, or has lost it. */
  | "recorderGone"
  /** The session is up and worth nothing: packets do not arrive, or the recorder will not go on. */
  | "recorderUseless"
  /** A media worker died, or we made a mistake. */
  | "broken"
  /** The answer to BYE or CANCEL came, or was given up. */
  | "over";

export type ForkAction =
  | "prepare"
  | "invite"
  | "cancelInvite"
  | "startMedia"
  | "closeMedia"
  | "saveStarted"
  | "saveStopped"
  /** It has never recorded; or it has, and could not be continued. */
  | "saveFailed"
  | "saveLost"
  | "sendBye"
  /** What is lost from now on is counted. */
  | "beginGap"
  /** BYE to a recorder that will not do; its answer is not waited for. */
  | "leaveRecorder"
  /** Looks for another recorder, or for the same one later. */
  | "replace";

export interface ForkRow {
  readonly to: ForkState;
  readonly do: readonly ForkAction[];
}

/**
 * One fork, from the accepted request to its end. `closeMedia` stands before BYE: "the caller's UA … MUST stop
 * sending media" as soon as it decides to end (RFC 3261 §15.1.1). An input without a row has no effect in that state.
 */
export const FORK = {
  Preparing: {
    ready: { to: "Inviting", do: ["invite"] },
    unprepared: { to: "Stopped", do: ["closeMedia", "saveFailed"] },
    exhausted: { to: "Stopped", do: ["closeMedia", "saveFailed"] },
    stop: { to: "Stopped", do: ["closeMedia", "saveStopped"] },
    broken: { to: "Stopped", do: ["closeMedia", "saveFailed"] },
  },
  Inviting: {
    answered: { to: "Recording", do: ["startMedia", "saveStarted"] },
    nextRecorder: { to: "Preparing", do: ["prepare"] },
    nextRound: { to: "Preparing", do: ["replace"] },
    exhausted: { to: "Stopped", do: ["closeMedia", "saveFailed"] },
    stop: { to: "Stopping", do: ["closeMedia", "saveStopped", "cancelInvite"] },
    broken: { to: "Stopping", do: ["closeMedia", "saveFailed", "cancelInvite"] },
  },
  Recording: {
    stop: { to: "Stopping", do: ["closeMedia", "saveStopped", "sendBye"] },
    recorderGone: { to: "Preparing", do: ["beginGap", "replace"] },
    recorderUseless: { to: "Preparing", do: ["beginGap", "leaveRecorder", "replace"] },
    broken: { to: "Stopping", do: ["closeMedia", "saveLost", "sendBye"] },
  },
  Stopping: {
    answered: { to: "Stopping", do: ["sendBye"] }, // a 2xx that crossed our CANCEL (RFC 3261 §9.1)
    exhausted: { to: "Stopped", do: [] }, // 487, or what else came instead
    recorderGone: { to: "Stopped", do: [] },
    over: { to: "Stopped", do: [] },
  },
  Stopped: {},
} as const satisfies Record<ForkState, Partial<Record<ForkInput, ForkRow>>>;

/** The row for an input, or `undefined` where it has no effect. */
export function forkRow(state: ForkState, input: ForkInput): ForkRow | undefined {
  const rows: Partial<Record<ForkInput, ForkRow>> = FORK[state];
  return rows[input];
}
