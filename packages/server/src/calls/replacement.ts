import { anyAccepted, codecsForOtherLeg } from "@callfork/protocol/offer-answer";
import { hasToken, parseReplaces, type Replaces } from "@callfork/protocol/sip";
import { err, ok, type Result } from "@callfork/protocol/text";
import type { IncomingInvite } from "../signalling/index.ts";
import type { Call } from "./call.ts";
import { OWN_CAPABILITIES } from "./descriptions.ts";
import type { House } from "./house.ts";
import { ANONYMOUS, sessionIdOf } from "./incoming-call.ts";
import { IncomingLeg } from "./incoming-leg.ts";
import type { Leg } from "./leg.ts";
import { ownNumbers } from "./leg-media.ts";
import { OutgoingLeg } from "./outgoing-leg.ts";
import { partyOf } from "./party.ts";
import type { Source } from "./trunks.ts";

/** What an INVITE asks to replace; `undefined` when it asks for nothing of the kind; the status that refuses it. */
export function askedReplacement({ request }: IncomingInvite): Result<Replaces | undefined, number> {
  const values = request.headers.lines("Replaces");
  if (values.length === 0) return hasToken(request.headers, "Require", "replaces") ? err(400) : ok(undefined);
  // RFC 3891 §3: more than one "MUST be rejected with a 400 Bad Request".
  const replaces = values.length === 1 ? parseReplaces(values[0]!) : undefined;
  return replaces?.ok ? replaces : err(400);
}

/**
 * Puts the caller of an admitted INVITE in the place of a leg of ours (RFC 3891 §3): an attended transfer towards us,
 * or a call that is picked up elsewhere. The call goes on with its SID, its document, its forks and whom it talks to;
 * only its dialog is another one. Until that is certain, nothing has changed for anybody.
 *
 * @returns the status that refuses it
 */
export function replace(
  house: House,
  invite: IncomingInvite,
  replaces: Replaces,
  source: Source,
): Result<Call, number> {
  const call = house.calls.find(({ leg }) => isDialogOf(leg, replaces));
  if (!call) return err(house.hasEnded(replaces) ? 603 : 481);
  // A dialog of another account shall not even be known to exist.
  if (source.kind === "trunk" && source.trunk.accountSid !== call.accountSid) return err(481);
  if (house.options.transfers === "none") return err(403);
  if (call.leg.answered && replaces.earlyOnly) return err(486);
  if (!call.leg.answered && !call.owner?.pickUp) return err(481);
  if (call.leg.negotiator?.isBusy) return err(491);
  return takePlace(call, invite);
}

/** Named as we, its receiver, see it: ours is the to-tag. An early dialog counts only where we are the caller. */
function isDialogOf(leg: Leg, { callId, toTag, fromTag }: Replaces): boolean {
  if (leg.callId !== callId) return false;
  const { dialog } = leg;
  if (leg.answered) return dialog?.localTag === toTag && dialog.remoteTag === fromTag;
  return leg instanceof OutgoingLeg && leg.isEarly(toTag, fromTag);
}

/** @throws BadDescriptionError */
function takePlace(call: Call, invite: IncomingInvite): Result<Call, number> {
  const { media, answered: wasAnswered } = call.leg;
  if (!media.port) return err(480);
  const { line } = media;
  const codecs = wasAnswered && line ? ownNumbers(line) : (call.owner?.pickUp?.codecs() ?? OWN_CAPABILITIES);
  const leg = call.nextLeg((ports, observer, log) => new IncomingLeg(invite, ports, observer, log));
  // Whoever picks a call up speaks first: there is nothing yet that we could offer.
  if (!leg.offer && !wasAnswered) return err(488);
  if (leg.offer && !anyAccepted(media.answer(leg.offer, codecs).media)) return err(488);
  const party = partyOf(invite.request.headers.get("From")) ?? ANONYMOUS;
  const old = call.takeLeg(leg, party, sessionIdOf(invite));
  media.startOver();
  leg.answerFor(codecs);
  old.hangup();
  call.log.info({ by: party.aor, address: invite.flow.remoteAddress }, "call: its leg was replaced");
  return ok(call);
}

/** What a call that rings may be answered with: what its caller agreed to, or offers. */
export function codecsFor(caller: Leg) {
  if (caller.media.line) return codecsForOtherLeg(caller.media.line);
  return (caller instanceof IncomingLeg && caller.offeredCodecs) || OWN_CAPABILITIES;
}
