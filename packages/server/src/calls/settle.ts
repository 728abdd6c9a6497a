import { codecsForOtherLeg, payloadTypesBetween, relayAnswer } from "@callfork/protocol/offer-answer";
import { type Codec, codecsOf, type SessionDescription } from "@callfork/protocol/sdp";
import { err, ok, type Result } from "@callfork/protocol/text";
import { BadDescriptionError, NoCommonCodecError } from "./errors.ts";
import { IncomingLeg } from "./incoming-leg.ts";
import type { Leg } from "./leg.ts";
import { audioOf } from "./leg-media.ts";
import type { OutgoingLeg } from "./outgoing-leg.ts";

/**
 * Makes the callee's answer true for both legs.
 *
 * While the caller's own offer waits for its answer, the callee's is relayed back: the result is what the caller is
 * to be told. Otherwise the offer to the callee was ours, and the caller has agreed before.
 */
export function settle(
  caller: Leg,
  callee: OutgoingLeg,
  answer: SessionDescription,
): Result<SessionDescription | undefined, BadDescriptionError | NoCommonCodecError> {
  const relayedOffer = callee.offer;
  if (!relayedOffer) return err(new BadDescriptionError("an answer came without an offer"));
  if (caller.media.line || !(caller instanceof IncomingLeg) || !caller.offer) {
    const line = callee.media.accept(relayedOffer, answer);
    return line ? ok(undefined) : err(new NoCommonCodecError("the callee's answer accepts no audio"));
  }
  const { offer } = caller;
  const relayed = relayAnswer({
    ...caller.media.side(),
    ports: caller.media.portsFor(offer),
    offer,
    relayedOffer,
    answer,
  });
  if (!relayed.ok) return err(new BadDescriptionError(relayed.error.message));
  const { description, offererMedia, answererMedia } = relayed.value;
  if (!audioOf(offererMedia) || !audioOf(answererMedia)) {
    return err(new NoCommonCodecError("caller and callee share no codec"));
  }
  callee.media.agree(relayedOffer, answer, answererMedia);
  caller.media.agree(description, offer, offererMedia);
  return ok(description);
}

/**
 * The call was picked up by somebody who called us for it (RFC 3891): the one who waits for its answer gets one of what
 * was agreed with the other.
 *
 * @throws NoCommonCodecError
 */
export function settlePickedUp(caller: Leg, callee: IncomingLeg): void {
  const { line } = callee.media;
  if (caller.media.line || !(caller instanceof IncomingLeg) || !caller.offer || !line) return;
  const answer = caller.media.answer(caller.offer, codecsForOtherLeg(line), { choose: "all" });
  if (!caller.media.agree(answer.description, caller.offer, answer.media)) {
    throw new NoCommonCodecError("caller and callee share no codec");
  }
}

/** Whether the callee's packets mean something to the caller. */
export function canRelay(caller: Leg, callee: Leg): boolean {
  const [to, from] = [caller.media.line, callee.media.line];
  const first = from?.codecs[0];
  if (!to || !from || !first) return false;
  return payloadTypesBetween(from, to).some((row) => row.from === first.receivePayloadType);
}

/**
 * Asks a leg to change to a codec of the other, when packets between them would mean nothing.
 *
 * @throws NoCommonCodecError when it cannot
 */
export async function makeRelayable(leg: Leg, other: Leg): Promise<void> {
  if (!leg.media.line || canRelay(leg, other)) return;
  const moved = await leg.reoffer(leg.media.offer(codecsForOtherLeg(other.media.line!)));
  if (!moved.ok || !canRelay(leg, other)) {
    throw new NoCommonCodecError("a leg cannot change to a codec of the other");
  }
}

/** Codecs that the peer once offered beyond those agreed: for a callee that speaks none of the latter. */
export function otherCodecsOf(leg: Leg): readonly Codec[] {
  const { line } = leg.media;
  const offered = leg instanceof IncomingLeg && leg.offer ? leg.offer : leg.media.remote;
  const index = offered ? leg.media.audioIndexOf(offered) : -1;
  if (!offered || !line || index < 0) return [];
  const agreed = new Set(line.codecs.map(({ name, clockRateHz }) => `${name.toUpperCase()}/${clockRateHz}`));
  const others = codecsOf(offered.media[index]!).filter(
    ({ name, clockRateHz }) => !agreed.has(`${name.toUpperCase()}/${clockRateHz}`),
  );
  return others.some(({ name }) => !/^(telephone-event|CN)$/i.test(name)) ? others : [];
}
