import { parseSipMessage, type SipMessage } from "@callfork/protocol/sip";

export interface TracedMessage {
  readonly direction: "sent" | "received";
  readonly transport: "udp" | "tcp";
  /** As on the wire. */
  readonly bytes: Uint8Array;
  readonly message: SipMessage;
}

/** `UDP message received [289] bytes :`, `TCP message sent (318 bytes):`; lost ones have other words and are left out. */
const HEADING = /^(UDP|TCP) message (?:(received) \[(\d+)\] bytes :|(sent) \((\d+) bytes\):)\n\n/gm;

/** The messages of SIPp's `-trace_msg` file, in order; the last one may not be written whole yet and is then left out. */
export function readSippTrace(file: Uint8Array): TracedMessage[] {
  const text = Buffer.from(file).toString("latin1");
  const found: TracedMessage[] = [];
  for (const match of text.matchAll(HEADING)) {
    const [heading, transport, received, receivedOctets, , sentOctets] = match;
    const from = match.index + heading.length;
    const to = from + Number(receivedOctets ?? sentOctets);
    if (to > text.length) break;
    const bytes = new Uint8Array(Buffer.from(text.slice(from, to), "latin1"));
    const parsed = parseSipMessage(bytes);
    if (!parsed.ok) continue;
    found.push({
      direction: received === undefined ? "sent" : "received",
      transport: transport === "TCP" ? "tcp" : "udp",
      bytes,
      message: parsed.value,
    });
  }
  return found;
}
