import type { SiprecTrack } from "../calls/index.ts";

/** `a=label` of the offer and `label` of the metadata: inbound is what the party of the leg says (Twilio's words). */
export type TrackLabel = "inbound" | "outbound";

const LABELS = {
  inbound_track: ["inbound"],
  outbound_track: ["outbound"],
  both_tracks: ["inbound", "outbound"],
} as const satisfies Record<SiprecTrack, readonly TrackLabel[]>;

export const isTrack = (text: string): text is SiprecTrack => Object.hasOwn(LABELS, text);

/** In the order of the m-lines. */
export const labelsOf = (track: SiprecTrack): readonly TrackLabel[] => LABELS[track];
