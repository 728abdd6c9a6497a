import { err, ok, type Result } from "../text/index.ts";
import { type ContentDisposition, parseContentDisposition } from "./content-disposition.ts";
import { SipHeaders } from "./headers.ts";
import { type MediaType, mediaTypeName, parseMediaType } from "./media-type.ts";
import {
  type BodyPart,
  DEFAULT_MULTIPART_LIMITS,
  type MultipartError,
  type MultipartOptions,
  parseMultipart,
} from "./multipart.ts";

/** A part that holds no further parts. */
export interface LeafPart extends BodyPart {
  /**
   * The multiparts it lies in, outermost first; empty when the message's body is no multipart. Siblings share the same
   * object as last entry.
   */
  readonly containers: readonly BodyPart[];
}

export interface FlatBody {
  /** In the order they came. */
  readonly parts: readonly LeafPart[];
  readonly warnings: readonly string[];
}

/**
 * The leaf parts of any message body, nested multiparts opened (RFC 5621 §4.2): mixed, alternative, related and all
 * others alike; `containers` tells which. A body that is no multipart is one leaf with the message's Content-… headers;
 * an empty body has none.
 */
export function flattenBody(
  message: { readonly headers: SipHeaders; readonly body: Uint8Array },
  options: MultipartOptions = {},
): Result<FlatBody, MultipartError> {
  if (message.body.length === 0) return ok({ parts: [], warnings: [] });
  const whole: BodyPart = { headers: entityHeaders(message.headers), body: message.body };
  const parts: LeafPart[] = [];
  const warnings: string[] = [];
  const error = descend(whole, [], options, parts, warnings);
  return error === undefined ? ok({ parts, warnings }) : err(error);
}

function descend(
  part: BodyPart,
  containers: readonly BodyPart[],
  options: MultipartOptions,
  parts: LeafPart[],
  warnings: string[],
): MultipartError | undefined {
  const limits = options.limits ?? DEFAULT_MULTIPART_LIMITS;
  if (partMediaType(part)?.type !== "multipart") {
    if (parts.length >= limits.parts)
      return { code: "MULTIPART_TOO_LARGE", message: "too many parts", offset: 0 };
    parts.push({ ...part, containers });
    return undefined;
  }
  if (containers.length >= limits.depth)
    return { code: "MULTIPART_TOO_LARGE", message: "multiparts nested too deep", offset: 0 };
  const opened = parseMultipart(part.body, part.headers.get("Content-Type")!, options);
  if (!opened.ok) return opened.error;
  warnings.push(...opened.value.warnings);
  for (const child of opened.value.parts) {
    const error = descend(child, [...containers, part], options, parts, warnings);
    if (error !== undefined) return error;
  }
  return undefined;
}

/** The parts of one media type, named in lower case: `findParts(parts, "application/sdp")`. */
export function findParts<P extends BodyPart>(parts: readonly P[], name: string): P[] {
  return parts.filter((part) => {
    const mediaType = partMediaType(part);
    return mediaType !== undefined && mediaTypeName(mediaType) === name;
  });
}

/** The part's media type; text/plain without Content-Type (RFC 2046 §5.1), `undefined` for one that does not read. */
export function partMediaType(part: BodyPart): MediaType | undefined {
  const value = part.headers.get("Content-Type");
  if (value === undefined) return { type: "text", subtype: "plain", params: new Map() };
  const mediaType = parseMediaType(value);
  return mediaType.ok ? mediaType.value : undefined;
}

/**
 * The part's disposition. Without the header, application/sdp is `session` and all else `render` (RFC 3261 §13.2.1):
 * ask `part.headers.has("Content-Disposition")` whether that was said or assumed. One that does not read counts as absent.
 */
export function partDisposition(part: BodyPart): ContentDisposition {
  const stated = parseContentDisposition(part.headers.get("Content-Disposition") ?? "");
  if (stated.ok) return stated.value;
  const mediaType = partMediaType(part);
  const isSdp = mediaType !== undefined && mediaTypeName(mediaType) === "application/sdp";
  return { type: isSdp ? "session" : "render", params: new Map() };
}

/** The header fields of a message that speak of its body. */
function entityHeaders(headers: SipHeaders): SipHeaders {
  const own = new SipHeaders();
  for (const [name, value] of headers.entries())
    if (/^(?:content-(?!length$)|mime-version$)/i.test(name)) own.append(name, value);
  return own;
}
