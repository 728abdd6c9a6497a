import { createOffer, type LocalPort, type MediaSecurity } from "@callfork/protocol/offer-answer";
import { isToken, type SessionDescription } from "@callfork/protocol/sdp";
import type { ReceivedMetadata } from "./intake.ts";

/** G.711 under its static numbers (RFC 3551 §6): what a client without an offer of its own is asked for. */
const CODECS = [
  { payloadType: 0, name: "PCMU", clockRateHz: 8_000, channels: 1 },
  { payloadType: 8, name: "PCMA", clockRateHz: 8_000, channels: 1 },
];

/** Labels of the lines that we offer: those that the metadata names, or one line. */
export function ownLabels(metadata: ReceivedMetadata | undefined, maximum: number): readonly string[] {
  const streams = metadata?.document?.metadata.streams ?? [];
  const labels = new Set(
    streams.flatMap(({ label }) => (label !== undefined && isToken(label) ? [label] : [])),
  );
  return labels.size === 0 ? ["1"] : [...labels].slice(0, maximum);
}

export interface OwnOfferOptions {
  readonly sessionId: string;
  readonly address: string;
  readonly labels: readonly string[];
  readonly ports: readonly LocalPort[];
  readonly security: MediaSecurity;
}

/** Our offer in the 200 to an INVITE without one (RFC 3261 §13.3.1.4): `recvonly`, a label a line. */
export function createOwnOffer(options: OwnOfferOptions): SessionDescription {
  const { sessionId, address, labels, ports, security } = options;
  return createOffer({
    origin: { sessionId },
    address,
    media: labels.map((label, index) => ({
      label,
      local: ports[index] ?? null,
      codecs: CODECS,
      direction: "recvonly",
    })),
    // A client that wants SRTP offers it: only where nothing else is recorded we ask for it.
    ...(security.policy === "required" && { security }),
  });
}
