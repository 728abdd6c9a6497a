import { hasToken } from "@callfork/protocol/sip";
import type { CallRoom } from "../calls/index.ts";
import type { Config } from "../config/index.ts";
import type { RecordingServer } from "../recording-server/index.ts";
import type { IncomingInvite } from "../signalling/index.ts";
import type { Entrance } from "./entrance.ts";

/** Where INVITEs outside a dialog may go. */
export interface Destinations {
  readonly config: Pick<Config, "roles" | "recorder">;
  readonly calls: Pick<CallRoom, "accept">;
  readonly recorder: Pick<RecordingServer, "accept" | "isRecordingInvite">;
  readonly entrance: Pick<Entrance, "admitsRecording">;
}

/** INVITEs to the recorder's user, or that look like SIPREC, go to the recorder; all others are calls. */
export function routeInvite(
  { config, calls, recorder, entrance }: Destinations,
  invite: IncomingInvite,
): void {
  const user = /^sips?:([^@;]+)@/i.exec(invite.request.uri)?.[1];
  const wanted = user === config.recorder.user || recorder.isRecordingInvite(invite) ? "recorder" : "calls";
  if (!config.roles.includes(wanted)) {
    // RFC 7866 §6.1.1: who is no recorder does not understand "Require: siprec".
    const asked = hasToken(invite.request.headers, "Require", "siprec");
    if (wanted === "recorder" && asked) invite.reject(420, { headers: [["Unsupported", "siprec"]] });
    else invite.reject(404);
  } else if (wanted === "recorder") {
    if (entrance.admitsRecording(invite)) recorder.accept(invite);
  } else calls.accept(invite);
}
