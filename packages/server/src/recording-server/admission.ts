import {
  featureTag,
  hasToken,
  parseNameAddr,
  parseSipUri,
  type SipHeaders,
  type SipRequest,
} from "@callfork/protocol/sip";
import { isMetadataMediaType, RECORDING_SESSION_DISPOSITION } from "@callfork/protocol/siprec";
import type { ReceivedPart } from "../signalling/index.ts";
import type { WarningCode } from "./warnings.ts";

/** What speaks for an INVITE being a recording session. */
export interface RecordingMarks {
  /** `siprec` in Require (RFC 7866 §6.2). */
  readonly siprecRequired: boolean;
  /**
   * `sip.src` as a feature tag of the Contact header field: where it belongs ("header"), as a parameter of the URI
   * inside the brackets ("uri"), or spelled `src` ("src").
   */
  readonly sourceTag: "header" | "uri" | "src" | "none";
  /** A metadata part, under either media type. */
  readonly metadata: boolean;
}

export function recordingMarks(invite: {
  readonly request: Pick<SipRequest, "headers">;
  readonly body: readonly ReceivedPart[];
}): RecordingMarks {
  const { headers } = invite.request;
  return {
    siprecRequired: hasToken(headers, "Require", "siprec"),
    sourceTag: sourceTag(headers),
    metadata: invite.body.some(
      ({ contentType, disposition }) =>
        isMetadataMediaType(contentType) || disposition === RECORDING_SESSION_DISPOSITION,
    ),
  };
}

/**
 * RFC 7866 §6.2: a session is a recording session when the option tag *and* the feature tag are there. Leniently one
 * mark of any kind is enough.
 */
export function isRecordingSession(marks: RecordingMarks, strict: boolean): boolean {
  if (strict) return marks.siprecRequired && marks.sourceTag === "header";
  return marks.siprecRequired || marks.sourceTag !== "none" || marks.metadata;
}

/** What the letter of RFC 7866 §6.1.1 would have wanted. */
export function marksMissing(marks: RecordingMarks): readonly (readonly [WarningCode, string])[] {
  const missing: [WarningCode, string][] = [];
  if (!marks.siprecRequired) missing.push(["REQUIRE_SIPREC_MISSING", "the INVITE has no siprec in Require"]);
  if (marks.sourceTag === "none") missing.push(["SIP_SRC_MISSING", "the Contact has no +sip.src"]);
  if (marks.sourceTag === "uri") {
    missing.push([
      "SIP_SRC_MISPLACED",
      "+sip.src is a parameter of the Contact's URI, not of the header field",
    ]);
  }
  if (marks.sourceTag === "src")
    missing.push(["SIP_SRC_MISPLACED", "the Contact has ;src instead of +sip.src"]);
  return missing;
}

function sourceTag(headers: SipHeaders): RecordingMarks["sourceTag"] {
  for (const value of headers.list("Contact")) {
    const contact = parseNameAddr(value);
    if (!contact.ok) {
      // An address without its closing bracket: all that can be asked is whether the tag is written there.
      if (/;\s*\+sip\.src(?![\w.=-])/i.test(value)) return "uri";
      continue;
    }
    const { params, uri } = contact.value;
    if (featureTag(params, "+sip.src")) return "header";
    const parsed = parseSipUri(uri);
    if (parsed.ok && featureTag(parsed.value.params, "+sip.src")) return "uri";
    if (featureTag(params, "src") || (parsed.ok && featureTag(parsed.value.params, "src"))) return "src";
  }
  return "none";
}
