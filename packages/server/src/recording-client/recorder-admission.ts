import { parseNameAddr } from "@callfork/protocol/sip";
import { err, ok, type Result } from "@callfork/protocol/text";
import type { CallTap, SiprecStart } from "../calls/index.ts";
import type { IncomingInvite } from "../signalling/index.ts";
import type { Fork } from "./fork.ts";
import { callAskedFor, type RecorderPeers, type Turned } from "./recorder-peers.ts";
import { type ConnectorPlan, shownSipUri } from "./recorders.ts";
import { forkCodecs } from "./recording-offer.ts";

/** Sessions that recorders may have started in one call at the same time. */
const MAXIMUM_PER_CALL = 8;

export interface AdmissionHost {
  readonly peers: RecorderPeers;
  readonly tap: (callSid: string) => CallTap | undefined;
  /** The live ones of a call. */
  readonly forks: (callSid: string) => readonly Fork[];
  readonly isStopping: () => boolean;
}

export interface AdmittedRecorder {
  readonly tap: CallTap;
  /** Of the connector, with the one recorder that called. */
  readonly plan: ConnectorPlan;
}

/**
 * Whether a recorder may have the call that its Request-URI names: an unknown call is 404, and so is one of another
 * account for all that its recorders may know; 403 without a connector that lets this recorder start sessions.
 */
export async function admitRecorder(
  invite: IncomingInvite,
  { peers, tap: tapOf, forks, isStopping }: AdmissionHost,
): Promise<Result<AdmittedRecorder, Turned>> {
  if (isStopping()) return err({ status: 503 });
  const callSid = callAskedFor(invite);
  const tap = callSid === undefined ? undefined : tapOf(callSid);
  if (tap === undefined) return err({ status: 404 });
  const caller = await peers.identify(invite, tap.accountSid);
  if (!caller.ok) return caller;
  if (tapOf(tap.callSid) !== tap) return err({ status: 404 });
  const { plan, recorder } = caller.value;
  // RFC 7866 §7.2: "an SRS … MUST NOT include an SDP offer": it has nothing to offer.
  if (invite.body.some(({ mediaType }) => mediaType === "application/sdp")) return err({ status: 488 });
  if (recorder.secure && invite.flow.tls === undefined) return err({ status: 403 });
  if (tap.mediaLeg() === undefined || forkCodecs(tap).length === 0) return err({ status: 480 });
  const started = forks(tap.callSid).filter(({ record }) => record.detail.startedBy === "recorder");
  if (started.length >= MAXIMUM_PER_CALL) return err({ status: 486 });
  const shownUri = shownSipUri(contactUriOf(invite) ?? recorder.uri);
  const calling = { ...recorder, shownUri, address: invite.flow.remoteAddress };
  return ok({ tap, plan: { ...plan, recorders: [calling] } });
}

/** What a recorder asks for by calling. */
export const startedByRecorder = ({ connectorName }: ConnectorPlan): SiprecStart => ({
  name: null,
  connectorName,
  track: null,
  statusCallback: null,
  statusCallbackMethod: "POST",
  parameters: [],
  origin: "rest",
});

function contactUriOf({ request }: IncomingInvite): string | undefined {
  const [value] = request.headers.list("Contact");
  const contact = value === undefined ? undefined : parseNameAddr(value);
  return contact?.ok ? contact.value.uri : undefined;
}
