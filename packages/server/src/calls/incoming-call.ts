import type { IncomingInvite } from "../signalling/index.ts";
import { type Admitted, hopsOf } from "./admission.ts";
import { Call } from "./call.ts";
import type { House } from "./house.ts";
import { IncomingLeg } from "./incoming-leg.ts";
import { partyOf, voiceAddressOf } from "./party.ts";
import type { CallParty } from "./ports.ts";
import { noticeChoiceOf } from "./recording-policy.ts";
import type { CallRecord } from "./records.ts";
import { sipParameters } from "./request-parameters.ts";
import { newSid } from "./sid.ts";

export const ANONYMOUS: CallParty = { aor: "sip:anonymous@anonymous.invalid", displayName: null }; // RFC 3261 §8.1.1.3

/**
 * Makes a call of an admitted INVITE and has it ring and be directed.
 *
 * @throws BadDescriptionError when the caller's session description cannot be read; no call was made then
 */
export function receiveCall(house: House, invite: IncomingInvite, { number, source, trunk }: Admitted): Call {
  const { clock, random } = house.options;
  const { request, flow } = invite;
  const now = clock.wallNow();
  const party = partyOf(request.headers.get("From")) ?? ANONYMOUS;
  const dialled = partyOf(request.headers.get("To")) ?? { aor: request.uri, displayName: null };
  const record: CallRecord = {
    sid: newSid("CA", random),
    accountSid: number.accountSid,
    parentCallSid: null,
    from: voiceAddressOf(party.aor),
    to: number.phoneNumber,
    callerName: party.displayName,
    direction: "inbound",
    status: "ringing",
    phoneNumberSid: number.sid,
    trunkSid: trunk?.sid ?? null,
    sipCallId: invite.callId,
    sipStatus: null,
    dateCreated: now,
    dateUpdated: now,
    startTime: null,
    endTime: null,
  };
  const call = new Call(house, {
    record,
    group: record.sid,
    callback:
      number.statusCallback === null
        ? null
        : { url: number.statusCallback, method: number.statusCallbackMethod, events: [] },
    sip: sipParameters(request, flow.remoteAddress),
    party,
    dialled,
    sipSessionId: sessionIdOf(invite),
    hopsLeft: Math.min(hopsOf(invite) ?? 70, 70) - 1,
    timeLimitSeconds: null,
    notice: noticeChoiceOf(number),
    makeLeg: (media, observer, log) => new IncomingLeg(invite, media, observer, log),
  });
  call.log.info({ from: record.from, to: record.to, address: flow.remoteAddress }, "call: came in");
  call.reporter.change({});
  call.leg.ring();
  call.direct(source);
  return call;
}

/** The caller's half of Session-ID (RFC 7989 §5): 32 hexadecimal digits before any parameter. */
export function sessionIdOf(invite: IncomingInvite): string | undefined {
  const value = invite.request.headers.get("Session-ID");
  return value === undefined ? undefined : /^[0-9a-f]{32}(?=\s*(;|$))/.exec(value.trim())?.[0];
}
