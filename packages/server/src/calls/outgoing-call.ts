import type { SessionDescription } from "@callfork/protocol/sdp";
import { formatNameAddr } from "@callfork/protocol/sip";
import type { HeaderLine } from "../signalling/index.ts";
import { Call } from "./call.ts";
import type { House } from "./house.ts";
import { OutgoingLeg } from "./outgoing-leg.ts";
import type { CallParty } from "./ports.ts";
import { NO_NOTICE_CHOICE } from "./recording-policy.ts";
import type { CallRecord } from "./records.ts";
import type { Route } from "./route.ts";
import { newSid } from "./sid.ts";
import type { StatusCallback } from "./status-reporter.ts";

export interface OutgoingCallOptions {
  readonly accountSid: string;
  /** The call whose `<Dial>` makes it. */
  readonly parent?: Call;
  readonly route: Route;
  readonly from: CallParty;
  /** The caller as rows and webhooks name it. */
  readonly fromAddress: string;
  readonly callback: StatusCallback | null;
  readonly timeLimitSeconds: number | null;
}

/** Max-Forwards of a call that starts here (RFC 3261 §8.1.1.6). */
const MAXIMUM_HOPS = 70;

/** A call that we make; nothing has been sent yet. */
export function makeCall(house: House, options: OutgoingCallOptions): Call<OutgoingLeg> {
  const { accountSid, parent, route, from } = options;
  const { clock, random, userAgent } = house.options;
  const now = clock.wallNow();
  const record: CallRecord = {
    sid: newSid("CA", random),
    accountSid,
    parentCallSid: parent?.sid ?? null,
    from: options.fromAddress,
    to: route.address,
    callerName: from.displayName,
    direction: parent ? "outbound-dial" : "outbound-api",
    status: "queued",
    phoneNumberSid: null,
    trunkSid: route.trunkSid,
    sipCallId: null,
    sipStatus: null,
    dateCreated: now,
    dateUpdated: now,
    startTime: null,
    endTime: null,
  };
  return new Call(house, {
    record,
    group: parent?.group ?? record.sid,
    callback: options.callback,
    sip: [],
    party: route.party,
    dialled: from,
    hopsLeft: parent?.hopsLeft ?? MAXIMUM_HOPS,
    timeLimitSeconds: options.timeLimitSeconds,
    notice: parent?.notice ?? NO_NOTICE_CHOICE,
    isSecure: route.isSecure,
    makeLeg: (media, observer, log) => new OutgoingLeg(userAgent, media, observer, log),
  });
}

/** Sends the INVITE with an offer; the ports must be open. */
export function ring(
  call: Call<OutgoingLeg>,
  options: { readonly route: Route; readonly from: CallParty; readonly timeoutSeconds: number },
  offer: SessionDescription,
): void {
  if (call.ended) return;
  const { route, from } = options;
  // As Twilio's legs to SIP URIs carry them; a carrier behind a trunk has no use for them.
  const sids: readonly HeaderLine[] =
    route.trunkSid === null
      ? [
          ["X-Twilio-AccountSid", call.accountSid],
          ["X-Twilio-CallSid", call.sid],
        ]
      : [];
  call.leg.invite(
    {
      ...route.invite,
      from: formatNameAddr({ uri: from.aor, displayName: from.displayName ?? undefined }),
      headers: [["Max-Forwards", String(call.hopsLeft)], ...sids, ...(route.invite.headers ?? [])],
      timeoutMs: options.timeoutSeconds * 1000,
    },
    offer,
  );
  if (call.leg.callId !== undefined) call.invited(call.leg.callId, route.invite.requestUri);
}
