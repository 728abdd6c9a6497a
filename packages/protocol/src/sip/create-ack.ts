import { parseCSeq } from "./cseq.ts";
import { SipHeaders } from "./headers.ts";
import { NO_BODY, type SipRequest, type SipResponse } from "./message.ts";

/**
 * The ACK to a refusal, which belongs to the INVITE's own transaction: one Via, equal to the INVITE's top one, the
 * response's To, and the INVITE's Route (RFC 3261 §17.1.1.3). The ACK to a 2xx is the dialog's.
 */
export function createTransactionAck(invite: SipRequest, response: SipResponse): SipRequest {
  return derive(invite, "ACK", response.headers.get("To") ?? invite.headers.get("To") ?? "");
}

/** CANCEL for a request: the same Via, To, From, Call-ID, CSeq number and Route (RFC 3261 §9.1). */
export function createCancel(
  request: SipRequest,
  headers: Iterable<readonly [name: string, value: string]> = [],
): SipRequest {
  return derive(request, "CANCEL", request.headers.get("To") ?? "", headers);
}

function derive(
  request: SipRequest,
  method: "ACK" | "CANCEL",
  to: string,
  more: Iterable<readonly [name: string, value: string]> = [],
): SipRequest {
  const cseq = parseCSeq(request.headers.get("CSeq") ?? "");
  const headers = new SipHeaders();
  headers.append("Via", request.headers.list("Via")[0] ?? "");
  headers.append("Max-Forwards", "70");
  for (const route of request.headers.lines("Route")) headers.append("Route", route);
  headers.append("From", request.headers.get("From") ?? "");
  headers.append("To", to);
  headers.append("Call-ID", request.headers.get("Call-ID") ?? "");
  headers.append("CSeq", `${cseq.ok ? cseq.value.sequence : 0} ${method}`);
  for (const [name, value] of more) headers.append(name, value);
  return { kind: "request", method, uri: request.uri, headers, body: NO_BODY };
}
