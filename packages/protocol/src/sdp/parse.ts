import { err, ok, type Result } from "../text/index.ts";
import type { SessionDescription } from "./description.ts";
import { addMediaLine, addSessionLine, type Draft, emptyDraft, finish } from "./draft.ts";

/** Every bound is inclusive. */
export interface SdpLimits {
  readonly maxBytes: number;
  readonly maxLines: number;
  readonly maxMediaDescriptions: number;
  /** Attributes of one section: the session's own part, or one m-line's. */
  readonly maxAttributes: number;
}

export const DEFAULT_SDP_LIMITS: SdpLimits = {
  maxBytes: 65_536,
  maxLines: 2_000,
  maxMediaDescriptions: 64,
  maxAttributes: 500,
};

export type SdpParseErrorCode =
  | "SDP_TOO_LARGE"
  | "SDP_TOO_MANY_LINES"
  | "SDP_TOO_MANY_MEDIA"
  | "SDP_TOO_MANY_ATTRIBUTES"
  | "SDP_BAD_LINE"
  | "SDP_MISSING_LINE"
  | "SDP_BAD_VERSION";

export interface SdpParseError {
  readonly code: SdpParseErrorCode;
  /** Line of the input, from 1; 0 when the fault is in no single line. */
  readonly line: number;
  readonly message: string;
}

// Everywhere there is a web platform, but not in the language's own library.
declare const TextDecoder: new (label: string) => { decode(bytes: Uint8Array): string };

/**
 * Reads an SDP body.
 *
 * Well-formed input survives `formatSessionDescription` byte for byte. Tolerated, and put right by the formatter: bare
 * LF, a missing last line end, empty lines at the end, lines out of order, missing `s=` and `t=`, spaces too many in
 * `o=`, `c=`, `t=` and `m=`. Unknown attributes, bandwidth types and type letters are kept and have no effect.
 *
 * @param input - octets (UTF-8; invalid sequences become U+FFFD) or text
 * @returns never throws
 * @see RFC 8866 §5, §9
 */
export function parseSessionDescription(
  input: Uint8Array | string,
  limits: SdpLimits = DEFAULT_SDP_LIMITS,
): Result<SessionDescription, SdpParseError> {
  if (input.length > limits.maxBytes) {
    return fail("SDP_TOO_LARGE", 0, `more than ${limits.maxBytes} octets`);
  }
  const text = typeof input === "string" ? input : new TextDecoder("utf-8").decode(input);
  const lines = text.split("\n");
  while (lines.length > 0 && /^\r?$/.test(lines.at(-1)!)) lines.pop();
  if (lines.length > limits.maxLines) {
    return fail("SDP_TOO_MANY_LINES", 0, `more than ${limits.maxLines} lines`);
  }

  const draft = emptyDraft();
  for (const [index, raw] of lines.entries()) {
    const line = raw.endsWith("\r") ? raw.slice(0, -1) : raw;
    const error = takeLine(draft, line, index + 1, limits);
    if (error) return err(error);
  }
  if (!draft.versionSeen) return fail("SDP_MISSING_LINE", 0, "no v= line");
  const description = finish(draft);
  return description ? ok(description) : fail("SDP_MISSING_LINE", 0, "no o= line");
}

function takeLine(draft: Draft, line: string, number: number, limits: SdpLimits): SdpParseError | undefined {
  // RFC 8866 §9: byte-string excludes NUL, CR and LF; no white space around "=".
  if (!/^[A-Za-z]=[^\0\r]*$/.test(line)) {
    return { code: "SDP_BAD_LINE", line: number, message: "not of the form <letter>=<value>" };
  }
  const type = line[0]!;
  const value = line.slice(2);
  if (!draft.versionSeen) {
    if (type !== "v") return { code: "SDP_MISSING_LINE", line: number, message: "the first line is not v=" };
    if (value !== "0") return { code: "SDP_BAD_VERSION", line: number, message: "the version is not 0" };
    draft.versionSeen = true;
    return undefined;
  }
  if (type === "m" && draft.media.length >= limits.maxMediaDescriptions) {
    return {
      code: "SDP_TOO_MANY_MEDIA",
      line: number,
      message: `more than ${limits.maxMediaDescriptions} m= lines`,
    };
  }
  const section = draft.media.at(-1) ?? draft.session;
  if (type === "a" && section.attributes.length >= limits.maxAttributes) {
    return {
      code: "SDP_TOO_MANY_ATTRIBUTES",
      line: number,
      message: `more than ${limits.maxAttributes} attributes in one section`,
    };
  }
  const taken =
    type === "m" || draft.media.length > 0
      ? addMediaLine(draft, type, value)
      : addSessionLine(draft, type, value);
  return taken ? undefined : { code: "SDP_BAD_LINE", line: number, message: `malformed ${type}= line` };
}

function fail(
  code: SdpParseErrorCode,
  line: number,
  message: string,
): { readonly ok: false; readonly error: SdpParseError } {
  return err({ code, line, message });
}
