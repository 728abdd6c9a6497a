import { hasToken } from "@callfork/protocol/sip";
import type { CallRoom } from "../calls/index.ts";
import type { Config } from "../config/index.ts";
import type { RecordingClient } from "../recording-client/index.ts";
import type { RecordingServer } from "../recording-server/index.ts";
import type { DialogAnswer, IncomingInvite } from "../signalling/index.ts";
import type { Entrance } from "./entrance.ts";

/** Where INVITEs outside a dialog may go. */
export interface Destinations {
  readonly config: Pick<Config, "roles" | "recorder">;
  readonly calls: Pick<CallRoom, "accept">;
  /** Recorders that want to record a call. */
  readonly client: Pick<RecordingClient, "accept" | "isRecorderInvite">;
  readonly recorder: Pick<RecordingServer, "accept" | "isRecordingInvite">;
  readonly entrance: Pick<Entrance, "admitsRecording">;
}

/**
 * INVITEs of recorders go to the recording client; those to the recorder's user, or that look like SIPREC, to our own
 * recorder; all others are calls.
 */
export function routeInvite(
  { config, calls, client, recorder, entrance }: Destinations,
  invite: IncomingInvite,
): void {
  if (config.roles.includes("calls") && client.isRecorderInvite(invite)) {
    client.accept(invite);
    return;
  }
  const wanted =
    userOf(invite.request.uri) === config.recorder.user || recorder.isRecordingInvite(invite)
      ? "recorder"
      : "calls";
  if (!config.roles.includes(wanted)) {
    // RFC 7866 §6.1.1: who is no recorder does not understand "Require: siprec".
    const asked = hasToken(invite.request.headers, "Require", "siprec");
    if (wanted === "recorder" && asked) invite.reject(420, { headers: [["Unsupported", "siprec"]] });
    else invite.reject(404);
  } else if (wanted === "recorder") {
    // A recording session takes nobody's place: no dialog of the recorder is one to be replaced (RFC 3891 §3).
    if (invite.request.headers.has("Replaces")) invite.reject(481);
    else if (entrance.admitsRecording(invite)) recorder.accept(invite);
  } else calls.accept(invite);
}

/**
 * OPTIONS outside a dialog gets what an INVITE to the same URI would get (RFC 3261 §11.2): a recorder that is full says
 * so, and a client that asks beforehand goes elsewhere. Undefined: our capabilities.
 */
export function answerOptions(
  {
    config,
    recorder,
    entrance,
  }: Pick<Destinations, "config"> & {
    readonly recorder: Pick<RecordingServer, "refusal">;
    readonly entrance: Pick<Entrance, "answerOptions">;
  },
  uri: string,
): DialogAnswer | undefined {
  if (userOf(uri) !== config.recorder.user) return entrance.answerOptions();
  if (!config.roles.includes("recorder")) return { status: 404 };
  const { refusal } = recorder;
  if (refusal === undefined) return undefined;
  const { status, retryAfterSeconds = 60 } = refusal;
  return { status, headers: [["Retry-After", String(retryAfterSeconds)]] };
}

const userOf = (uri: string): string | undefined => /^sips?:([^@;]+)@/i.exec(uri)?.[1];
