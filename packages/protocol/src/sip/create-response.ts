import { SipHeaders } from "./headers.ts";
import { NO_BODY, type SipRequest, type SipResponse } from "./message.ts";
import { parseNameAddr } from "./name-addr.ts";
import { describeStatus } from "./status.ts";

export interface CreateResponseOptions {
  /** Default: the registered phrase. */
  readonly reason?: string | undefined;
  /** Put into To when the request's To has no tag; never into a 100. */
  readonly toTag?: string | undefined;
  readonly headers?: Iterable<readonly [name: string, value: string]> | undefined;
  readonly body?: Uint8Array | undefined;
}

/**
 * Builds a response: Via, From, To, Call-ID and CSeq copied in order (RFC 3261 §8.2.6.2), Timestamp into a 100, and
 * Record-Route into what makes a dialog (§12.1.1).
 */
export function createResponse(
  request: SipRequest,
  status: number,
  { reason, toTag, headers = [], body = NO_BODY }: CreateResponseOptions = {},
): SipResponse {
  const copied = new SipHeaders();
  for (const via of request.headers.lines("Via")) copied.append("Via", via);
  if (status > 100 && status < 300 && request.method !== "BYE" && request.method !== "CANCEL") {
    for (const route of request.headers.lines("Record-Route")) copied.append("Record-Route", route);
  }
  const to = request.headers.get("To") ?? "";
  copied.append("From", request.headers.get("From") ?? "");
  copied.append("To", status === 100 || toTag === undefined ? to : withTag(to, toTag));
  copied.append("Call-ID", request.headers.get("Call-ID") ?? "");
  copied.append("CSeq", request.headers.get("CSeq") ?? "");
  const timestamp = request.headers.get("Timestamp");
  if (status === 100 && timestamp !== undefined) copied.append("Timestamp", timestamp);
  for (const [name, value] of headers) copied.append(name, value);
  return { kind: "response", status, reason: reason ?? describeStatus(status), headers: copied, body };
}

/** The address with a tag, unless it has one. */
function withTag(address: string, tag: string): string {
  const parsed = parseNameAddr(address);
  if (parsed.ok && parsed.value.params.has("tag")) return address;
  return `${address};tag=${tag}`;
}

/** The tag of a From or To value; undefined when it has none or cannot be read. */
export function tagOf(address: string | undefined): string | undefined {
  if (address === undefined) return undefined;
  const parsed = parseNameAddr(address);
  return parsed.ok ? (parsed.value.params.get("tag") ?? undefined) : undefined;
}
