import type { CallStatus } from "./records.ts";

/** How a leg came to its end. */
export interface LegEnd {
  readonly cause: LegEndCause;
  readonly by: "local" | "remote";
  /** The final status of the INVITE, or of the request that ended the dialog; `null` when there was none. */
  readonly sipStatus: number | null;
  /** Reason header field values (RFC 3326) that came with it, to be passed on. */
  readonly reasons: readonly string[];
}

export type LegEndCause =
  /** BYE. */
  | "bye"
  /** CANCEL. */
  | "canceled"
  /** A final answer of 300 and above. */
  | "refused"
  /** Nobody answered within the time. */
  | "no-answer"
  /** No ACK, no answer in the dialog, no transport, no address, no media. */
  | "failed";

/** Final answers that mean "busy" (RFC 3261 §21.4.24, §21.6.1, §21.6.2) and "nobody there" (§21.4.9, §21.4.18). */
const BUSY: ReadonlySet<number> = new Set([486, 600, 603]);
const NO_ANSWER: ReadonlySet<number> = new Set([408, 480, 487]);

/** Twilio's word for the end of a call. */
export function finalStatus(end: LegEnd, answered: boolean): CallStatus {
  if (answered) return "completed";
  switch (end.cause) {
    case "bye":
      return "completed";
    case "canceled":
      return "canceled";
    case "no-answer":
      return "no-answer";
    case "failed":
      return "failed";
    case "refused":
      if (end.sipStatus !== null && BUSY.has(end.sipStatus)) return "busy";
      return end.sipStatus !== null && NO_ANSWER.has(end.sipStatus) ? "no-answer" : "failed";
  }
}

/** What a caller that was never answered is told when the call is over for this reason. */
export function refusalStatus(status: CallStatus, sipStatus: number | null): number {
  if (status === "busy") return sipStatus !== null && BUSY.has(sipStatus) ? sipStatus : 486;
  if (status === "no-answer") return 480;
  if (status === "failed") return sipStatus !== null && isPassedOn(sipStatus) ? sipStatus : 503;
  return 480;
}

/** Refusals that mean the same to the caller; the others are between us and the callee (401, 407, 481, 3xx …). */
function isPassedOn(status: number): boolean {
  return [403, 404, 410, 415, 480, 482, 483, 484, 488, 500, 501, 502, 503, 504, 603, 604, 606].includes(
    status,
  );
}
