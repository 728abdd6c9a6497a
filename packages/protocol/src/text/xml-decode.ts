import { err, ok, type Result } from "./result.ts";
import type { XmlError } from "./xml.ts";

/** The text of an XML document and how it was found. */
export interface DecodedXml {
  /** Without a byte order mark. */
  readonly text: string;
  readonly encoding: "utf-8" | "utf-16le" | "utf-16be" | "iso-8859-1";
  /** Octets that are no text in that encoding were replaced by U+FFFD. */
  readonly repaired: boolean;
}

/**
 * Turns the octets of an XML document into text.
 *
 * A byte order mark decides first, then `charset` (the parameter of the Content-Type, which beats the
 * declaration: RFC 7303 §3), then the encoding in the XML declaration; without any of them it is UTF-8.
 * UTF-8, UTF-16, ISO-8859-1 (read as windows-1252, as everybody does) and US-ASCII are understood.
 *
 * @returns `XML_TOO_LARGE` or `XML_UNSUPPORTED_ENCODING` otherwise; octets are not looked at when there are too many
 */
export function decodeXml(
  bytes: Uint8Array,
  options: { readonly charset?: string | undefined; readonly maxBytes: number },
): Result<DecodedXml, XmlError> {
  if (bytes.length > options.maxBytes) {
    return err(refusal("XML_TOO_LARGE", `${bytes.length} octets, at most ${options.maxBytes} are accepted`));
  }
  const name = byteOrderMark(bytes) ?? options.charset ?? declaredEncoding(bytes) ?? "utf-8";
  const encoding = encodingNamed(name, bytes);
  if (encoding === undefined) {
    return err(refusal("XML_UNSUPPORTED_ENCODING", `the encoding "${name.slice(0, 40)}" is not supported`));
  }
  // An odd octet at the end of UTF-16 and a lone surrogate are replaced too, so "repaired" asks twice.
  const text = new TextDecoder(encoding).decode(bytes);
  return ok({ text, encoding, repaired: !isValid(bytes, encoding) });
}

/** The part of the web's decoder that cores need; no runtime's types are loaded here. */
declare const TextDecoder: new (
  encoding: string,
  options?: { readonly fatal?: boolean },
) => { decode(bytes: Uint8Array): string };

const refusal = (code: XmlError["code"], message: string): XmlError => ({
  code,
  message,
  line: 1,
  column: 1,
});

function byteOrderMark(bytes: Uint8Array): DecodedXml["encoding"] | undefined {
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) return "utf-8";
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return "utf-16le";
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return "utf-16be";
  return undefined;
}

/** The encoding a declaration names; "<?" in two-octet units tells UTF-16 before it can be read (XML appendix F). */
function declaredEncoding(bytes: Uint8Array): string | undefined {
  if (bytes[0] === 0x3c && bytes[1] === 0) return "utf-16le";
  if (bytes[0] === 0 && bytes[1] === 0x3c) return "utf-16be";
  const head = String.fromCharCode(...bytes.subarray(0, 200));
  return /^<\?xml\s[^>]*?encoding\s*=\s*["']([A-Za-z][A-Za-z0-9._-]*)["']/.exec(head)?.[1];
}

function encodingNamed(name: string, bytes: Uint8Array): DecodedXml["encoding"] | undefined {
  switch (name.trim().replace(/^"|"$/g, "").toLowerCase()) {
    case "utf-8":
    case "utf8":
    case "us-ascii":
    case "ascii":
      return "utf-8";
    case "utf-16":
      return bytes[0] === 0x3c && bytes[1] === 0 ? "utf-16le" : "utf-16be";
    case "utf-16le":
      return "utf-16le";
    case "utf-16be":
      return "utf-16be";
    case "iso-8859-1":
    case "latin1":
    case "windows-1252":
      return "iso-8859-1";
    default:
      return undefined;
  }
}

function isValid(bytes: Uint8Array, encoding: string): boolean {
  try {
    new TextDecoder(encoding, { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}
