import { METADATA_MEDIA_TYPE, readRecordingMetadata } from "@callfork/protocol/siprec";
import { decodeXml, fromBase64, toBase64, utf8Decode, utf8Encode } from "@callfork/protocol/text";
import type { MetadataFile } from "./ports.ts";

/** Charsets whose name adds nothing to UTF-8 octets. */
const PLAIN = new Set(["utf-8", "us-ascii"]);

/**
 * A document as a string that gives back its octets. UTF-8 stands as it is, since most of them are to be read by
 * people and databases; all else (UTF-16, a byte order mark, octets that are no text, a charset that only the header
 * field told) is a `data:` URL (RFC 2397).
 */
export function keepDocument(octets: Uint8Array, charset: string | undefined): string {
  const text = utf8Decode(octets);
  const isPlain = charset === undefined || PLAIN.has(charset.toLowerCase());
  if (isPlain && isKeptAsText(text) && equal(utf8Encode(text), octets)) return text;
  const parameter = charset !== undefined && /^[\w.:-]{1,40}$/.test(charset) ? `;charset=${charset}` : "";
  return `data:${METADATA_MEDIA_TYPE}${parameter};base64,${toBase64(octets)}`;
}

/** What was kept, back: the octets that came, and the charset that their header field named. */
export function keptDocument(document: string): {
  readonly octets: Uint8Array;
  readonly charset: string | undefined;
} {
  const [, charset, base64] = /^data:[^;,]*(?:;charset=([\w.:-]+))?;base64,(.*)$/s.exec(document) ?? [];
  const octets = base64 === undefined ? undefined : fromBase64(base64);
  return octets === undefined
    ? { octets: utf8Encode(document), charset: undefined }
    : { octets: Uint8Array.from(octets), charset };
}

/** The string is the document: its UTF-8 is what came. */
export function isKeptAsText(document: string): boolean {
  return !document.startsWith("data:");
}

/** What it was understood as when it came. */
export function readKept(document: string): ReturnType<typeof readRecordingMetadata> {
  const { octets, charset } = keptDocument(document);
  return readRecordingMetadata(octets, { charset, limits: { maxBytes: octets.length } });
}

/** As text, whatever the encoding. */
export function textOfKept(document: string): string {
  const { octets, charset } = keptDocument(document);
  const decoded = decodeXml(octets, { charset, maxBytes: octets.length });
  return decoded.ok ? decoded.value.text : utf8Decode(octets);
}

/** As a file: byte for byte what came. */
export function fileOfKept(document: string): MetadataFile {
  const { octets, charset } = keptDocument(document);
  const decoded = decodeXml(octets, { charset, maxBytes: octets.length });
  // Without a word from us its byte order mark or its declaration counts (RFC 7303 §3).
  const named = charset ?? (decoded.ok && decoded.value.encoding === "utf-8" ? "utf-8" : undefined);
  const contentType =
    named === undefined ? METADATA_MEDIA_TYPE : `${METADATA_MEDIA_TYPE}; charset=${named.toLowerCase()}`;
  return { contentType, octets };
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((octet, at) => octet === b[at]);
}
