import type { MediaDescription, SessionDescription } from "./description.ts";
import { attribute } from "./read.ts";

/** `a=record` (RFC 7866 §7.1.2): a statement of fact, never a command. */
export type RecordIndication = "on" | "off" | "paused";
/** `a=recordpref` (RFC 7866 §7.3.2). Note `pause` here and `paused` above. */
export type RecordPreference = "on" | "off" | "pause" | "nopreference";

const INDICATIONS: readonly string[] = ["on", "off", "paused"] satisfies RecordIndication[];
const PREFERENCES: readonly string[] = ["on", "off", "pause", "nopreference"] satisfies RecordPreference[];

/** What the peer says about recording of this line, the media's word before the session's; unknown values are ignored. */
export function recordIndicationOf(
  description: SessionDescription,
  media: MediaDescription,
): RecordIndication | undefined {
  return oneOf(INDICATIONS, "record", description, media) as RecordIndication | undefined;
}

/** What the peer wishes for this line; to say nothing is to have no preference. */
export function recordPreferenceOf(
  description: SessionDescription,
  media: MediaDescription,
): RecordPreference {
  return (oneOf(PREFERENCES, "recordpref", description, media) ?? "nopreference") as RecordPreference;
}

function oneOf(
  values: readonly string[],
  name: string,
  description: SessionDescription,
  media: MediaDescription,
): string | undefined {
  return [attribute(media, name), attribute(description, name)].find(
    (value) => value !== undefined && values.includes(value),
  );
}
