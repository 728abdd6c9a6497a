import { err, ok, type Result, utf8Decode } from "@callfork/protocol/text";
import { parseTwiml, type TwimlDocument } from "@callfork/protocol/twiml";
import type { CallControl } from "../calls/index.ts";
import { PlatformError } from "../observe/index.ts";
import type { AlertDetails, Parameters } from "./context.ts";
import type { DocumentLimits } from "./options.ts";
import type { DocumentFetcher, FetchedDocument } from "./ports.ts";

/** A document that can be carried out, or an audio file that was given in its place. */
export type Loaded =
  | { readonly kind: "twiml"; readonly document: TwimlDocument; readonly base: string | undefined }
  | { readonly kind: "audio"; readonly bytes: Uint8Array };

export interface LoadError {
  /** Twilio's. */
  readonly code: number;
  readonly message: string;
  readonly details: AlertDetails;
}

export interface UrlRequest {
  readonly url: string;
  readonly method: "GET" | "POST";
  readonly parameters: Parameters;
}

/** Media types whose body is read as TwiML; Twilio takes HTML's too, for servers that cannot help themselves. */
const TWIML_TYPES: ReadonlySet<string> = new Set(["text/xml", "application/xml", "text/html"]);
const SHOWN_BODY_OCTETS = 4096;
const NOTHING: TwimlDocument = { verbs: [], issues: [] };

/** Reads a document that was given as text. */
export function readInline(twiml: string): Result<Loaded, LoadError> {
  const document = parseTwiml(twiml);
  if (document.ok) return ok({ kind: "twiml", document: document.value, base: undefined });
  const { code, message, line, column } = document.error;
  return err({ code, message: `line ${line}, column ${column}: ${message}`, details: {} });
}

/** Asks the customer's server for the next document. Rejects only with what is no failure of that server. */
export async function loadDocument(
  fetcher: DocumentFetcher,
  call: CallControl,
  request: UrlRequest,
  options: { readonly limits: DocumentLimits; readonly signal: AbortSignal },
): Promise<Result<Loaded, LoadError>> {
  const parameters = [...call.requestParameters(), ...request.parameters];
  const details: AlertDetails = {
    requestMethod: request.method,
    requestUrl: withoutCredentials(request.url),
    requestVariables: new URLSearchParams(
      parameters.map(([name, value]): [string, string] => [name, value]),
    ).toString(),
  };
  try {
    const fetched = await fetcher.fetch({
      accountSid: call.accountSid,
      callSid: call.sid,
      url: request.url,
      method: request.method,
      parameters,
      // What comes is known only then: a document or an audio file.
      maximumBytes: Math.max(options.limits.documentBytes, options.limits.audioBytes),
      signal: options.signal,
    });
    const loaded = read(fetched, options.limits.documentBytes);
    return loaded.ok ? loaded : err({ ...loaded.error, details: { ...details, ...answerOf(fetched) } });
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error;
    return err({ code: error.publicCode, message: error.message, details });
  }
}

function read(fetched: FetchedDocument, maximumBytes: number): Result<Loaded, Omit<LoadError, "details">> {
  const { status, contentType, body, truncated, url } = fetched;
  if (status < 200 || status > 299) {
    return err({ code: 11200, message: `the server answered ${status}` });
  }
  if (status === 204) return ok({ kind: "twiml", document: NOTHING, base: url });
  if (contentType.startsWith("audio/")) {
    if (truncated) return err({ code: 11750, message: "the audio file is too large" });
    return ok({ kind: "audio", bytes: body });
  }
  if (truncated || body.length > maximumBytes) {
    return err({ code: 11750, message: `the document exceeds ${maximumBytes} octets` });
  }
  if (body.length === 0) return err({ code: 11770, message: "the server's answer is empty" });
  if (!TWIML_TYPES.has(contentType)) {
    const shown = contentType === "" ? "no content type" : `content type ${contentType}`;
    return err({ code: 12300, message: `the server's answer has ${shown}, not text/xml` });
  }
  const document = parseTwiml(body);
  if (document.ok) return ok({ kind: "twiml", document: document.value, base: url });
  const { code, message, line, column } = document.error;
  return err({ code, message: `line ${line}, column ${column}: ${message}` });
}

function answerOf({ status, body }: FetchedDocument): AlertDetails {
  return { responseStatus: status, responseBody: utf8Decode(body.subarray(0, SHOWN_BODY_OCTETS)) };
}

/** A URL as the debugger may show it. */
export function withoutCredentials(url: string): string {
  return url.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#@]*@/i, "$1");
}
