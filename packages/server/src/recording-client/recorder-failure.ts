import { parseRetryAfter } from "@callfork/protocol/sip";
import type { TransportErrorReason } from "../net/index.ts";
import type { DialogEnd, InviteFailure } from "../signalling/index.ts";
import type { SiprecProblem } from "./siprec-callbacks.ts";

/** Why one recorder did not take the session, or lost it. */
export interface RecorderFailure extends SiprecProblem {
  /** Another recorder of the list may do better. */
  readonly tryNext: boolean;
  readonly responseStatus?: number;
  /** 503 asked for so much time. */
  readonly retryAfterMs?: number;
  /** What it said besides the status: Warning, Reason. */
  readonly responseText?: string;
}

/** An error of this node. */
export const INTERNAL_CODE = 31900;
export const TIMEOUT_CODE = 31901;
export const REFUSED_CODE = 31902;
/** A session that broke off. */
export const BROKEN_CODE = 31903;
export const UNREACHABLE_CODE = 31904;
/** TLS is wanted, and this node has no listener for it. */
export const TLS_CODE = 31910;
/** The recorder closed. */
export const CLOSED_CODE = 31921;
export const PROTOCOL_CODE = 31924;
export const DISCARDED_CODE = 31931;
export const OTHER_CODE = 32011;
export const BAD_ANSWER_CODE = 32102;
export const AUTHENTICATION_CODE = 32106;
/** A mandatory connector records nothing; a number of our own. */
export const UNRECORDED_CODE = 98010;
/** The recorder gets another codec than the call has; a number of our own. */
export const TRANSCODED_CODE = 98011;
export const UNSUPPORTED_EDGE_CODE = 11241;
export const URI_PARAMETER_CODE = 32114;
/** The copy would be less secure than the call. */
export const UNSECURED_CODE = 32207;

/** Statuses by which a peer says that it does not speak what we sent. */
const PROTOCOL_STATUSES: ReadonlySet<number> = new Set([
  400, 405, 411, 413, 414, 415, 416, 420, 421, 481, 482, 483, 484, 485, 489, 493, 501, 505, 513,
]);

/** The published code of a final answer to the INVITE. */
function codeOf(status: number): number {
  if (status === 401 || status === 403 || status === 407) return AUTHENTICATION_CODE;
  if (status === 408 || status === 504) return TIMEOUT_CODE;
  if (status === 488 || status === 606) return BAD_ANSWER_CODE;
  return PROTOCOL_STATUSES.has(status) ? PROTOCOL_CODE : OTHER_CODE;
}

const CAUSES = {
  timeout: [TIMEOUT_CODE, "no answer in time"],
  unresolvable: [UNREACHABLE_CODE, "its host has no address"],
  transport: [UNREACHABLE_CODE, "not reachable"],
  canceled: [OTHER_CODE, "canceled"],
  rejected: [OTHER_CODE, "refused"],
} as const satisfies Record<InviteFailure["cause"], readonly [number, string]>;

/** @param uri - how the recorder is shown */
export function failureOfInvite(uri: string, failure: InviteFailure): RecorderFailure {
  const { cause, response } = failure;
  if (cause === "rejected") {
    const text = response === undefined ? "" : explanationOf(response.headers);
    const retryAfterMs = failure.status === 503 ? retryAfterMsOf(response) : undefined;
    return {
      code: codeOf(failure.status),
      text: `${uri}: ${failure.status} ${clip(failure.reason)}`,
      // RFC 3261 §21.6: 6xx is "definitive information about a particular user, not just the particular instance".
      tryNext: failure.status < 600,
      responseStatus: failure.status,
      ...(text !== "" && { responseText: text }),
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    };
  }
  const [code, text] = reasonOf(uri, failure) ?? CAUSES[cause];
  return {
    code,
    text: `${uri}: ${text}`,
    tryNext: true,
    responseText: clip(failure.message),
  };
}

/** What the transport said. Somebody who has to mend a certificate needs to know what is wrong with it. */
const TRANSPORT_REASONS: Readonly<Partial<Record<TransportErrorReason, readonly [number, string]>>> = {
  refused: [REFUSED_CODE, "connection refused"],
  handshake: [11220, "the TLS handshake failed"],
  "certificate-name": [11235, "its certificate is for another name"],
  "certificate-expired": [11236, "its certificate has expired, or is not valid yet"],
  "certificate-untrusted": [11237, "nobody whom this node trusts vouches for its certificate"],
};

function reasonOf(uri: string, failure: InviteFailure): readonly [number, string] | undefined {
  const { cause, message, transportReason: reason } = failure;
  if (reason === "unavailable") {
    const wantsTls = /^sips:|;transport=tls/i.test(uri);
    return wantsTls ? [TLS_CODE, "TLS is asked for, and this node has no tls: listener"] : undefined;
  }
  if (cause === "transport" && /refused/i.test(message)) return TRANSPORT_REASONS.refused;
  return reason && TRANSPORT_REASONS[reason];
}

/** How a session that was up ended by itself. */
export function failureOfEnd(uri: string, end: DialogEnd): RecorderFailure {
  const reason = end.request?.headers.get("Reason");
  const said = reason === undefined ? "" : ` (${clip(reason)})`;
  if (end.by === "remote" && end.cause === "bye") {
    return { code: CLOSED_CODE, text: `${uri}: the recorder ended the session${said}`, tryNext: false };
  }
  const text = {
    bye: "the session was ended",
    "no-ack": "the recorder did not acknowledge our answer",
    "request-failed": "the recorder no longer answers in the session, or has lost it",
    expired: "the session was not refreshed in time",
    stopped: "the node stopped",
  }[end.cause];
  return { code: BROKEN_CODE, text: `${uri}: ${text}`, tryNext: false };
}

export const badAnswer = (uri: string, why: string): RecorderFailure => ({
  code: BAD_ANSWER_CODE,
  text: `${uri}: ${why}`,
  tryNext: true,
  responseStatus: 200,
});

function retryAfterMsOf(response: InviteFailure["response"]): number | undefined {
  const value = response?.headers.get("Retry-After");
  const parsed = value === undefined ? undefined : parseRetryAfter(value);
  return parsed?.ok ? parsed.value.seconds * 1000 : undefined;
}

function explanationOf(headers: { lines(name: string): string[] }): string {
  const lines = ["Warning", "Reason", "Unsupported", "Accept"].flatMap((name) =>
    headers.lines(name).map((value) => `${name}: ${clip(value)}`),
  );
  return lines.slice(0, 8).join("\n");
}

/** Text of a peer, as far as it is worth keeping. */
const clip = (text: string): string => text.replace(/[\u0000-\u001f\u007f]/g, " ").slice(0, 300);
