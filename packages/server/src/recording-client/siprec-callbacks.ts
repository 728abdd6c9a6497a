import { type CallbackRequest, type SiprecRecord, voiceParameters } from "../calls/index.ts";
import type { SiprecStore } from "./ports.ts";

export type SiprecEvent =
  | "siprec-started"
  | "siprec-stopped"
  | "siprec-error"
  /** These are ours. */
  | "siprec-paused"
  | "siprec-resumed"
  | "siprec-recovered";

export interface SiprecProblem {
  /** From the published table (docs/errors.md). */
  readonly code: number;
  readonly text: string;
}

type Parameters = readonly (readonly [name: string, value: string])[];

/**
 * The callback a change of a fork owes, as a list: empty when nobody asked for callbacks.
 *
 * @param voice - the call's voice request parameters
 * @param now - epoch milliseconds
 * @param details - what an event of ours has to say besides
 */
export function siprecCallback(
  record: SiprecRecord,
  event: SiprecEvent,
  voice: Parameters,
  now: number,
  problem?: SiprecProblem,
  details: Parameters = [],
): readonly CallbackRequest[] {
  if (record.statusCallback === null) return [];
  const parameters: [string, string][] = [
    ["AccountSid", record.accountSid],
    ["CallSid", record.callSid],
    ["SiprecSid", record.sid],
    ["SiprecName", record.name ?? ""],
    ["SiprecEvent", event],
    ["Timestamp", callbackTime(now)],
  ];
  if (problem !== undefined) {
    parameters.push(["SiprecError", problem.text], ["SiprecErrorCode", String(problem.code)]);
  }
  if (record.detail.parallelOf !== null) {
    parameters.push(
      ["SiprecParallelOf", record.detail.parallelOf],
      ["SiprecConnector", record.connectorName],
    );
  }
  for (const [name, value] of details) parameters.push([name, value]);
  const own = new Set(parameters.map(([name]) => name));
  return [
    {
      accountSid: record.accountSid,
      callSid: record.callSid,
      kind: "siprec-status",
      url: record.statusCallback,
      method: record.statusCallbackMethod,
      parameters: [...parameters, ...voice.filter(([name]) => !own.has(name))],
    },
  ];
}

/** What is known of a call that this process has not carried: its row, as it was left. */
export async function parametersOfPast(
  store: Pick<SiprecStore, "findCall">,
  callSid: string,
): Promise<Parameters> {
  const call = await store.findCall(callSid);
  if (call === undefined) return [["ApiVersion", "2010-04-01"]];
  return voiceParameters(call, call.sipCallId === null ? [] : [["SipCallId", call.sipCallId]]);
}

/** ISO 8601 in UTC with six decimals, the last three of which our clock does not have. */
const callbackTime = (epochMs: number): string => new Date(epochMs).toISOString().replace("Z", "000Z");
