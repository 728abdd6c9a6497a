import {
  childElements,
  decodeXml,
  err,
  ok,
  parseXml,
  type Result,
  utf8Encode,
  type XmlElement,
  type XmlError,
} from "../text/index.ts";
import { readHangup, readRedirect, readReject } from "./control.ts";
import { readDial } from "./dial.ts";
import {
  type SiprecTrack,
  TWIML_LIMITS,
  type TwimlDocument,
  type TwimlError,
  type TwimlErrorCode,
  type TwimlOptions,
  type Verb,
} from "./document.ts";
import { readStart, readStop } from "./fork.ts";
import { readPause, readPlay, readSay } from "./prompts.ts";
import { TwimlReading } from "./reading.ts";

/**
 * Reads a TwiML document into its verbs. Names are case-sensitive; what is unknown or out of range becomes an
 * issue with its position, and the verb keeps its default, so that a call goes on wherever it can.
 *
 * @param input - octets of an HTTP body, or text (a REST parameter)
 * @returns an error only when nothing of the document can be carried out
 */
export function parseTwiml(
  input: Uint8Array | string,
  options: TwimlOptions = {},
): Result<TwimlDocument, TwimlError> {
  const limits = { ...TWIML_LIMITS, ...options.limits };
  // Text is UTF-8 here whatever its declaration says: it was decoded once already.
  const isText = typeof input === "string";
  const charset = isText ? "utf-8" : options.charset;
  const decoded = decodeXml(isText ? utf8Encode(input) : input, { charset, maxBytes: limits.maxBytes });
  if (!decoded.ok) return err(toTwimlError(decoded.error));
  const text = decoded.value.text;
  if (text.trim() === "") return err({ code: 11770, message: "the document is empty", line: 1, column: 1 });
  const parsed = parseXml(text, limits);
  if (!parsed.ok) return err(toTwimlError(parsed.error));
  const { root, version } = parsed.value;
  if (version !== "1.0") {
    return err({ code: 12101, message: `XML ${version} is not supported`, line: 1, column: 1 });
  }
  if (root.name !== "Response") {
    const message = `the root element is <${root.name.slice(0, 60)}>, not <Response>`;
    return err({ code: 12102, message, line: root.line, column: root.column });
  }

  const reading = new TwimlReading();
  if (decoded.value.repaired) {
    reading.warn(root, 12200, `octets that are no ${decoded.value.encoding} were replaced`);
  }
  reading.noText(root);
  for (const attribute of root.attributes) {
    if (attribute.namespace === "")
      reading.warn(root, 12200, `<Response> has no attribute "${attribute.name}"`);
  }
  const track = options.defaultSiprecTrack ?? "both_tracks";
  const verbs = childElements(root).map((child) => readVerb(child, reading, track));
  return ok({ verbs, issues: reading.issues });
}

type VerbReader = (element: XmlElement, reading: TwimlReading, defaultTrack: SiprecTrack) => Verb;

const VERBS: ReadonlyMap<string, VerbReader> = new Map<string, VerbReader>([
  ["Dial", readDial],
  ["Hangup", readHangup],
  ["Pause", readPause],
  ["Play", readPlay],
  ["Redirect", readRedirect],
  ["Reject", readReject],
  ["Say", readSay],
  ["Start", readStart],
  ["Stop", readStop],
]);

/** Twilio's voice verbs that are not carried out here: the issue says that, rather than "unknown". */
const UNSUPPORTED: ReadonlySet<string> = new Set([
  "Connect",
  "Echo",
  "Enqueue",
  "Gather",
  "Leave",
  "Pay",
  "Prompt",
  "Queue",
  "Record",
  "Refer",
  "Sms",
]);

function readVerb(element: XmlElement, reading: TwimlReading, defaultTrack: SiprecTrack): Verb {
  const read = VERBS.get(element.name);
  if (read !== undefined) return read(element, reading, defaultTrack);
  const message = UNSUPPORTED.has(element.name)
    ? `<${element.name}> is not supported`
    : `<${element.name.slice(0, 60)}> is not a verb`;
  reading.warn(element, 12200, message);
  return { verb: "unknown", name: element.name, ...reading.node(element) };
}

function toTwimlError(error: XmlError): TwimlError {
  const code: TwimlErrorCode =
    error.code === "XML_TOO_LARGE" ? 11750 : /^version number/.test(error.message) ? 12101 : 12100;
  return { code, message: error.message, line: error.line, column: error.column };
}
