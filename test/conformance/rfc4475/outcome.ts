import { parseSipMessage, SipStreamFramer } from "@callfork/protocol/sip";

/**
 * What becomes of a message that came in one datagram: `accept`; a status with `answered` when an answer can be built,
 * without when there is nothing to build it from; or `silence`.
 */
export function overUdp(bytes: Uint8Array): string {
  const parsed = parseSipMessage(bytes);
  if (parsed.ok) return "accept";
  const { status, request } = parsed.error;
  if (status === undefined) return "silence";
  return request === undefined ? `${status}` : `${status} answered`;
}

/** What the same octets do on a stream: what the framer yields, and for a message whether the parser accepts it. */
export function overTcp(bytes: Uint8Array): string {
  const outcomes: string[] = [];
  const framer = new SipStreamFramer();
  for (let at = 0; at < bytes.length; at += 100) {
    for (const output of framer.push(bytes.subarray(at, at + 100))) {
      if (output.kind === "message")
        outcomes.push(parseSipMessage(output.bytes, { framing: "stream" }).ok ? "accept" : "refuse");
      else outcomes.push(output.kind === "error" ? "close" : output.kind);
    }
  }
  return outcomes.length === 0 ? "wait" : outcomes.join(" ");
}
