import { utf8Decode } from "@callfork/protocol/text";
import type { Clock, SipDestination, SipFlow, SipTransports } from "../net/index.ts";
import type { TraceEvent } from "./types.ts";

/** Called for every message that goes or comes. */
export type MessageTrace = (
  direction: "in" | "out",
  path: SipFlow | SipDestination,
  callId: string,
  bytes: Uint8Array,
) => void;

/** Turns messages into trace events, when somebody listens. */
export function createTrace(
  clock: Clock,
  transports: SipTransports,
  listener: () => ((event: TraceEvent) => void) | undefined,
): MessageTrace {
  return (direction, path, callId, bytes) => {
    const listen = listener();
    if (listen === undefined) return;
    listen({
      time: clock.wallNow(),
      direction,
      flow: "id" in path ? path : flowTo(path, transports),
      callId,
      startLine: firstLine(bytes),
      bytes,
    });
  };
}

function flowTo(to: SipDestination, transports: SipTransports): TraceEvent["flow"] {
  const { host, port } = localEnd(to, transports);
  return {
    transport: to.transport,
    localAddress: host,
    localPort: port,
    remoteAddress: to.address,
    remotePort: to.port,
  };
}

function localEnd(to: SipDestination, transports: SipTransports): ReturnType<SipTransports["sentBy"]> {
  try {
    return transports.sentBy(to.transport, to.address, to.edge);
  } catch {
    return { host: "", port: 0 }; // no listener for it: the send will say so
  }
}

const LONGEST_FIRST_LINE = 1_024;

function firstLine(bytes: Uint8Array): string {
  const end = bytes.indexOf(0x0a);
  const line = bytes.subarray(0, Math.min(end < 0 ? bytes.length : end, LONGEST_FIRST_LINE));
  return utf8Decode(line).trimEnd();
}
