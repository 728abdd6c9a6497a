import type { RecordingRecord } from "./ports.ts";

/** Participants that one callback names. */
const MAX_PARTICIPANTS = 10;

export const RECORDING_EVENTS = ["recording-started", "recording-completed", "recording-failed"] as const;
export type RecordingEvent = (typeof RECORDING_EVENTS)[number];

/** A callback that belongs into the transaction of the row's change: `store` puts it into its outbox. */
export interface RecordingCallback {
  readonly accountSid: string;
  readonly callSid: null;
  /** Callbacks of one recording leave in order. */
  readonly resourceSid: string;
  readonly kind: "recording-status";
  readonly url: string;
  readonly method: "GET" | "POST";
  readonly parameters: readonly (readonly [name: string, value: string])[];
}

/** Who hears of recordings. */
export interface RecordingWebhook {
  readonly url: string;
  readonly method: "GET" | "POST";
  readonly events: readonly RecordingEvent[];
  /** Where REST is reached from outside, without a slash at its end. */
  readonly publicUrl: string;
}

/**
 * The callback that a change of a recording owes, as a list: empty when nobody asked for it. Parameters are those of
 * Twilio's RecordingStatusCallback, and ours besides.
 *
 * @param now - epoch milliseconds
 */
export function recordingCallback(
  webhook: RecordingWebhook | undefined,
  record: RecordingRecord,
  now: number,
): readonly RecordingCallback[] {
  if (webhook === undefined) return [];
  const event = EVENTS[record.status];
  if (!webhook.events.includes(event)) return [];
  const { sid, accountSid, status, source, durationMs } = record;
  const parameters: [string, string][] = [
    ["AccountSid", accountSid],
    ["RecordingSid", sid],
    ["RecordingEvent", event],
    ["RecordingStatus", status],
    ["RecordingUrl", `${webhook.publicUrl}/v1/Recordings/${sid}`],
    ["RecordingSource", "SIPREC"],
    ["RecordingStartTime", new Date(record.startTime).toISOString()],
    ["RecordingChannels", String(record.tracks.length)],
    ["SourceAddress", source.address],
    ["SipCallId", source.callId],
    ["Timestamp", new Date(now).toISOString()],
  ];
  if (durationMs !== null) {
    parameters.push(["RecordingDuration", String(Math.round(durationMs / 1_000))]);
    parameters.push(["RecordingDurationMs", String(durationMs)]);
  }
  const callSid = record.extensionData.CallSid;
  if (callSid !== undefined) parameters.push(["CallSid", callSid]);
  const session = record.sessions[0];
  if (session !== undefined) {
    parameters.push(["SessionId", session.sessionId]);
    if (session.groupId !== null) parameters.push(["GroupId", session.groupId]);
  }
  record.participants.slice(0, MAX_PARTICIPANTS).forEach(({ aor, name }, at) => {
    parameters.push([`Participant${at + 1}.Aor`, aor]);
    if (name !== null) parameters.push([`Participant${at + 1}.Name`, name]);
  });
  const warnings = [...new Set(record.warnings.map(({ code }) => code))];
  if (warnings.length > 0) parameters.push(["Warnings", warnings.join(",")]);
  const { url, method } = webhook;
  return [{ accountSid, callSid: null, resourceSid: sid, kind: "recording-status", url, method, parameters }];
}

/** What was interrupted has audio: its status says the rest. */
const EVENTS: Readonly<Record<RecordingRecord["status"], RecordingEvent>> = {
  "in-progress": "recording-started",
  completed: "recording-completed",
  interrupted: "recording-completed",
  failed: "recording-failed",
};
