import { hasToken, parseMaxForwards } from "@callfork/protocol/sip";
import { err, ok, type Result } from "@callfork/protocol/text";
import type { HeaderLine, IncomingInvite } from "../signalling/index.ts";
import type { House } from "./house.ts";
import type { Refusal } from "./options.ts";
import { dialledNames } from "./party.ts";
import type { DocumentSource } from "./ports.ts";
import type { NumberRecord, TrunkRecord } from "./records.ts";
import type { Source } from "./trunks.ts";

/** An INVITE that becomes a call. */
export interface Admitted {
  readonly number: NumberRecord;
  readonly source: DocumentSource;
  readonly trunk: TrunkRecord | null;
}

/** What an INVITE that becomes none is answered. */
export interface Denied {
  readonly status: number;
  readonly cause: Refusal["cause"];
  readonly headers?: readonly HeaderLine[];
}

const RETRY_AFTER_SECONDS = 5;

/** Checks that cost nothing: they come first, so that a flood stays cheap. */
export function denyAtOnce(house: House, invite: IncomingInvite): Denied | undefined {
  // One that takes another's place adds no call.
  if (house.refusal && !invite.request.headers.has("Replaces")) {
    const cause = house.draining ? "draining" : "limit";
    return { status: 503, cause, headers: [["Retry-After", String(RETRY_AFTER_SECONDS)]] };
  }
  const { headers } = invite.request;
  if (hopsOf(invite) === undefined) return { status: 400, cause: "malformed" };
  if (isLoop(house, invite)) return { status: 482, cause: "loop" };
  // Recorders are called by a URI of their own; a call to a number is no recording session.
  if (hasToken(headers, "Require", "siprec")) {
    return { status: 420, cause: "malformed", headers: [["Unsupported", "siprec"]] };
  }
  // RFC 3261 §8.2.3: "the UAS MUST reject the request with a 415". Other parts beside a description are let be.
  if (invite.body.length > 0 && !invite.body.some(({ mediaType }) => mediaType === "application/sdp")) {
    return { status: 415, cause: "malformed", headers: [["Accept", "application/sdp"]] };
  }
  return undefined;
}

/** Is the source known, whom does it call, and what is done then? Rejects when the store does. */
export async function admit(house: House, invite: IncomingInvite): Promise<Result<Admitted, Denied>> {
  const from = await identify(house, invite);
  if (!from.ok) return from;
  const trunk = from.value.kind === "trunk" ? from.value.trunk : null;
  const number = await findNumber(house, invite);
  // A trunk brings calls to numbers of its own account; of the others it shall not even know that they exist.
  if (!number || (trunk && trunk.accountSid !== number.accountSid))
    return err({ status: 404, cause: "number" });
  const source = sourceOf(number);
  if (!source) {
    house.options.alerts.raise({
      accountSid: number.accountSid,
      errorCode: 11100,
      level: "error",
      text: `${number.phoneNumber} was called, but has neither a voice URL nor a document`,
      resourceSid: number.sid,
    });
    return err({ status: 480, cause: "number" });
  }
  return ok({ number, source, trunk });
}

/** By certificate or address first, then by digest. */
export async function identify(house: House, invite: IncomingInvite): Promise<Result<Source, Denied>> {
  const known = await house.trunks.sourceOf(invite.flow);
  if (known) return ok(known);
  const { users } = house.trunks;
  const { authenticator } = house.options;
  if (!authenticator || users.length === 0) return err({ status: 403, cause: "source" });
  const proof = authenticator.authenticate(invite.request, users);
  if (proof.ok) return ok({ kind: "trunk", trunk: proof.user.trunk });
  return err({ status: 401, cause: proof.wrong ? "credentials" : "challenge", headers: proof.headers });
}

/** Max-Forwards as it came, 70 when there is none; `undefined` when it cannot be read. */
export function hopsOf(invite: IncomingInvite): number | undefined {
  const text = invite.request.headers.get("Max-Forwards");
  if (text === undefined) return 70;
  const hops = parseMaxForwards(text);
  return hops.ok ? hops.value : undefined;
}

/**
 * Our own INVITE, come back through a proxy that changed neither its Call-ID nor its target. One that we sent to
 * ourselves on purpose has only one Via; it goes round until its Max-Forwards is used up.
 */
function isLoop(house: House, invite: IncomingInvite): boolean {
  const { headers, uri } = invite.request;
  return headers.list("Via").length > 1 && house.hasSent(invite.callId, uri);
}

async function findNumber(house: House, invite: IncomingInvite): Promise<NumberRecord | undefined> {
  for (const name of dialledNames(invite.request)) {
    const number = await house.options.store.findNumber(name);
    if (number) return number;
  }
  return undefined;
}

/** Inline documents lose to a URL. */
function sourceOf(number: NumberRecord): DocumentSource | undefined {
  if (number.voiceUrl !== null && number.voiceUrl !== "") {
    return {
      kind: "url",
      url: number.voiceUrl,
      method: number.voiceMethod,
      fallbackUrl: number.voiceFallbackUrl,
      fallbackMethod: number.voiceFallbackMethod,
    };
  }
  return number.voiceTwiml ? { kind: "inline", twiml: number.voiceTwiml } : undefined;
}
