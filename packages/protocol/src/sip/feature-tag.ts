import type { ReadonlyParams } from "./params.ts";

/**
 * Feature tags of the base set, which travel without a plus (RFC 3840 §9, RFC 4235 and later registrations leave
 * theirs with it). Their values are quoted-strings like those of all feature tags.
 */
export const FEATURE_TAGS: ReadonlySet<string> = new Set([
  "audio",
  "automata",
  "class",
  "duplex",
  "data",
  "control",
  "mobility",
  "description",
  "events",
  "priority",
  "methods",
  "schemes",
  "application",
  "video",
  "language",
  "type",
  "isfocus",
  "actor",
  "text",
  "extensions",
]);

/**
 * Does a Contact carry this boolean feature tag (RFC 3840 §9)? Name and value compare without case.
 *
 * `+sip.src` and `+sip.src="TRUE"` are true; absent, `="FALSE"`, `="!TRUE"` and anything that is no boolean are false.
 * A tag outside the base set is named with its plus, as it travels.
 */
export function featureTag(params: ReadonlyParams, name: string): boolean {
  const value = params.get(name.toLowerCase());
  if (value === undefined) return false;
  if (value === null) return true;
  return value.split(",").some((each) => /^\s*(?:true|!\s*false)\s*$/i.test(each));
}
