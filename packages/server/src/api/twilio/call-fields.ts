import { parseSipUri } from "@callfork/protocol/sip";
import { err, ok, type Result } from "@callfork/protocol/text";
import type { DocumentSource } from "../../calls/index.ts";
import { ParameterError } from "../http/errors.ts";
import {
  checkedText,
  choice,
  type Fields,
  httpMethod,
  integer,
  list,
  required,
  text,
  url,
  type Values,
} from "../http/fields.ts";

const STATUS_EVENTS = ["initiated", "ringing", "answered", "completed"] as const;

/** A number as people write it, blanks, dots, hyphens and brackets taken out; or a SIP URI. */
function dialled(value: string): Result<string, string> {
  if (/^sips?:/i.test(value)) return sipAddress(value);
  const number = value.replace(/[ ().-]/g, "");
  return /^\+?[0-9*#]{1,32}$/.test(number) ? ok(number) : err(`"${value}" must be a number or a SIP URI`);
}

function sipAddress(value: string): Result<string, string> {
  const uri = parseSipUri(value);
  if (!uri.ok) return err(`is not a SIP URI: ${uri.error.message}`);
  const query = value.indexOf("?");
  if (query >= 0 && value.length - query > 1024) return err("has headers of more than 1,023 characters");
  return ok(value);
}

/** Who calls: a number, a name without blanks, or a SIP URI. */
function caller(value: string): Result<string, string> {
  if (/^sips?:/i.test(value)) return sipAddress(value);
  const number = dialled(value);
  if (number.ok) return number;
  return /^[A-Za-z0-9._~+*#!-]{1,64}$/.test(value)
    ? ok(value)
    : err(`"${value}" must be a number or a SIP URI`);
}

const DOCUMENT_FIELDS = {
  Url: url(21205, "Where the TwiML comes from"),
  Twiml: text({ code: 32018, max: 4000, multiline: true, description: "The TwiML itself; Url wins over it" }),
  Method: httpMethod(21209),
  FallbackUrl: url(21205),
  FallbackMethod: httpMethod(21209),
} as const satisfies Fields;

export const CREATE_CALL_FIELDS = {
  To: required(
    checkedText({ code: 21211, max: 2048, description: "A number (through a trunk) or a SIP URI" }, dialled),
    21201,
  ),
  From: required(
    checkedText({ code: 21212, description: "Caller ID: a number, a name or a SIP URI" }, caller),
    21213,
  ),
  ...DOCUMENT_FIELDS,
  ApplicationSid: text({ code: 21218, description: "Not in this version" }),
  StatusCallback: url(21609),
  StatusCallbackMethod: httpMethod(21209),
  StatusCallbackEvent: list(choice(STATUS_EVENTS, { code: 21626 }), {
    max: 16,
    separator: /[\s,]+/,
    description: "Which changes are told; completed by default",
  }),
  Timeout: integer({ code: 21208, min: 1, max: 600, description: "Seconds of ringing; 60 by default" }),
  TimeLimit: integer({ code: 20422, min: 1, max: 86_400, description: "Seconds the call may last" }),
  SipAuthUsername: text({ code: 21221, max: 255 }),
  SipAuthPassword: text({ code: 21223, max: 255 }),
} as const satisfies Fields;

export const UPDATE_CALL_FIELDS = {
  Status: choice(["canceled", "completed"], {
    code: 20422,
    description: "canceled ends a call that is not answered, completed any call",
  }),
  ...DOCUMENT_FIELDS,
} as const satisfies Fields;

/** The document that a request names; undefined when it names none. */
export function documentSource(fields: Values<typeof DOCUMENT_FIELDS>): DocumentSource | undefined {
  const { Url, Twiml, Method, FallbackUrl, FallbackMethod } = fields;
  if (Url !== undefined)
    return {
      kind: "url",
      url: Url,
      method: Method ?? "POST",
      fallbackUrl: FallbackUrl ?? null,
      fallbackMethod: FallbackMethod ?? "POST",
    };
  return Twiml === undefined ? undefined : { kind: "inline", twiml: Twiml };
}

/** As `documentSource`, for calls that cannot be without one. */
export function requiredDocument(fields: Values<typeof CREATE_CALL_FIELDS>): DocumentSource {
  const source = documentSource(fields);
  if (source !== undefined) return source;
  if (fields.ApplicationSid !== undefined)
    throw new ParameterError(21218, "ApplicationSid is not in this version; give Url or Twiml");
  throw new ParameterError(21205, "Url or Twiml is required");
}
