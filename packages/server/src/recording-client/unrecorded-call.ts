import type { SiprecRecord } from "../calls/index.ts";
import type { ClientContext } from "./context.ts";
import { fallingTones } from "./falling-tones.ts";
import type { ConnectorSettings } from "./ports.ts";
import { UNRECORDED_CODE } from "./recorder-failure.ts";

const WORDS = {
  continue: "it goes on all the same",
  announce: "its parties are told",
  "end-call": "it is ended",
} as const satisfies Record<ConnectorSettings["onUnrecorded"], string>;

/** A call that has to be recorded is not: what the connector wants for that case. An alert says so in any case. */
export function unrecordedCall(
  context: ClientContext,
  { onUnrecorded, announcementUrl }: ConnectorSettings,
  {
    sid,
    accountSid,
    callSid,
    connectorName,
  }: Pick<SiprecRecord, "sid" | "accountSid" | "callSid" | "connectorName">,
): void {
  const call = context.calls.find(callSid);
  if (call === undefined || call.ended) return;
  const log = context.log.child({ callSid, callId: call.record().sipCallId, siprecSid: sid });
  const text = `connector ${connectorName} is mandatory and does not record the call; ${WORDS[onUnrecorded]}`;
  log.warn({ connectorName, onUnrecorded }, `siprec: ${text}`);
  const errorCode = UNRECORDED_CODE;
  context.alerts.raise({ accountSid, errorCode, level: "error", text, callSid, resourceSid: sid });
  const failed = (error: unknown) => log.error({ err: error }, `siprec: ${onUnrecorded} failed`);
  if (onUnrecorded === "end-call") call.hangup().catch(failed);
  else if (onUnrecorded === "announce") {
    const audio = announcementUrl ?? fallingTones();
    context.announce?.({ accountSid, callSid, audio }).catch((error: unknown) => {
      failed(error);
      // Its parties have to hear something.
      if (announcementUrl !== null) {
        void context.announce?.({ accountSid, callSid, audio: fallingTones() }).catch(failed);
      }
    });
  }
}
