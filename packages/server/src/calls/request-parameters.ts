import type { SipRequest } from "@callfork/protocol/sip";
import { parseNameAddr, parseUri } from "@callfork/protocol/sip";
import type { CallRecord } from "./records.ts";

export type Parameters = readonly (readonly [name: string, value: string])[];

/** Header fields of an INVITE that webhooks may see, at most so many and so long. */
const MAXIMUM_SIP_HEADERS = 64;
const MAXIMUM_SIP_HEADER_LENGTH = 1024;

/** Twilio's parameters of a voice request, for the call as it is now. */
export function voiceParameters(
  call: CallRecord,
  sip: Parameters,
  callStatus: string = call.status,
): Parameters {
  return [
    ["CallSid", call.sid],
    ["AccountSid", call.accountSid],
    ["From", call.from],
    ["To", call.to],
    ["CallStatus", callStatus],
    ["ApiVersion", "2010-04-01"],
    ["Direction", call.direction],
    ["Caller", call.from],
    ["Called", call.to],
    ...(call.callerName === null ? [] : [["CallerName", call.callerName] as const]),
    ...(call.parentCallSid === null ? [] : [["ParentCallSid", call.parentCallSid] as const]),
    ...sip,
  ];
}

/** What Twilio adds for a call that came in by SIP: Call-ID, source, domain, and `X-` header fields. */
export function sipParameters(request: SipRequest, sourceAddress: string): Parameters {
  const to = parseUri(request.uri);
  const domain = to.ok && "host" in to.value ? to.value.host : undefined;
  const callId = request.headers.get("Call-ID");
  const forwarded = parseNameAddr(request.headers.list("Diversion")[0] ?? "");
  const parameters: [string, string][] = [];
  if (callId !== undefined) parameters.push(["SipCallId", callId]);
  if (domain !== undefined) parameters.push(["SipDomain", domain]);
  parameters.push(["SipSourceIp", sourceAddress]);
  if (forwarded.ok) parameters.push(["ForwardedFrom", forwarded.value.uri]);
  for (const [name, value] of request.headers.entries()) {
    if (parameters.length >= MAXIMUM_SIP_HEADERS) break;
    if (!/^(x-|user-to-user$)/i.test(name)) continue;
    parameters.push([`SipHeader_${name}`, value.slice(0, MAXIMUM_SIP_HEADER_LENGTH)]);
  }
  return parameters;
}
