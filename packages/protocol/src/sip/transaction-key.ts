import { tagOf } from "./create-response.ts";
import { parseCSeq } from "./cseq.ts";
import type { SipRequest, SipResponse } from "./message.ts";
import { parseVia, type Via } from "./via.ts";

/** RFC 3261 §8.1.1.7: a branch that starts so is unique for ever. */
export const MAGIC_COOKIE = "z9hG4bK";

/** The topmost Via, or undefined when there is none that reads. */
export function topVia(message: SipRequest | SipResponse): Via | undefined {
  const value = message.headers.list("Via")[0];
  if (value === undefined) return undefined;
  const via = parseVia(value);
  return via.ok ? via.value : undefined;
}

/**
 * Names the server transaction that a request belongs to: branch, sent-by and method, an ACK counting as its INVITE
 * (RFC 3261 §17.2.3). Without the magic cookie the RFC 2543 rules are followed: Request-URI, From tag, Call-ID, CSeq
 * number and top Via. To is left out there, since an ACK bears a tag that its INVITE had not.
 *
 * @param method - another method to look for under the same name: INVITE for the CANCEL at hand (§9.2)
 */
export function serverTransactionKey(request: SipRequest, method = request.method): string | undefined {
  const via = topVia(request);
  if (via === undefined) return undefined;
  const name = method === "ACK" ? "INVITE" : method;
  const sentBy = `${via.host.toLowerCase()}:${via.port ?? 5060}`;
  const branch = via.params.get("branch");
  if (branch?.startsWith(MAGIC_COOKIE)) return `${branch} ${sentBy} ${name}`;
  const cseq = parseCSeq(request.headers.get("CSeq") ?? "");
  const from = tagOf(request.headers.get("From")) ?? "";
  const callId = request.headers.get("Call-ID") ?? "";
  return [
    "2543",
    request.uri,
    from,
    callId,
    cseq.ok ? cseq.value.sequence : "",
    branch ?? "",
    sentBy,
    name,
  ].join(" ");
}

/** Names the client transaction of a request that we send or of a response that we got: branch and CSeq method (§17.1.3). */
export function clientTransactionKey(message: SipRequest | SipResponse): string | undefined {
  const branch = topVia(message)?.params.get("branch");
  const cseq = parseCSeq(message.headers.get("CSeq") ?? "");
  return branch && cseq.ok ? `${branch} ${cseq.value.method}` : undefined;
}

/**
 * Names what a request asks, whatever way it came: From tag, Call-ID and CSeq. A second one that is no retransmission
 * is merged (RFC 3261 §8.2.2.2). Undefined for requests in a dialog.
 */
export function mergedRequestKey(request: SipRequest): string | undefined {
  if (tagOf(request.headers.get("To")) !== undefined) return undefined;
  const from = tagOf(request.headers.get("From")) ?? "";
  return `${from} ${request.headers.get("Call-ID") ?? ""} ${request.headers.get("CSeq") ?? ""}`;
}
