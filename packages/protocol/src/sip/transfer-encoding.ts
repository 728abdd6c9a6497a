import { fromBase64, hexDigit, utf8Decode } from "../text/index.ts";

/**
 * Undoes a Content-Transfer-Encoding (RFC 2045 §6). We never send one (RFC 5621 §3.2).
 *
 * @param encoding - in lower case
 * @returns fresh octets; `undefined` when the encoding is unknown or the octets do not follow it
 */
export function decodeTransfer(bytes: Uint8Array, encoding: string): Uint8Array | undefined {
  if (encoding === "base64") return fromBase64(utf8Decode(bytes));
  if (encoding === "quoted-printable") return fromQuotedPrintable(bytes);
  return undefined;
}

/** RFC 2045 §6.7. Blanks at line ends were added in transport and go; `=` at a line end joins lines. */
function fromQuotedPrintable(bytes: Uint8Array): Uint8Array | undefined {
  const out = new Uint8Array(bytes.length);
  let length = 0;
  for (let i = 0; i < bytes.length; i++) {
    const octet = bytes[i]!;
    if (octet === 0x20 || octet === 0x09) {
      const end = skipBlankOctets(bytes, i);
      if (end < bytes.length && !isLineEnd(bytes, end)) {
        out.set(bytes.subarray(i, end), length);
        length += end - i;
      }
      i = end - 1;
      continue;
    }
    if (octet !== 0x3d) {
      out[length++] = octet;
      continue;
    }
    const high = hexDigit(bytes[i + 1] ?? 0);
    const low = hexDigit(bytes[i + 2] ?? 0);
    if (high >= 0 && low >= 0) {
      out[length++] = high * 16 + low;
      i += 2;
      continue;
    }
    const end = skipBlankOctets(bytes, i + 1);
    if (end < bytes.length && !isLineEnd(bytes, end)) return undefined;
    i = bytes[end] === 0x0d ? end + 1 : end;
  }
  return out.subarray(0, length);
}

function skipBlankOctets(bytes: Uint8Array, at: number): number {
  let i = at;
  while (bytes[i] === 0x20 || bytes[i] === 0x09) i++;
  return i;
}

function isLineEnd(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === 0x0a || (bytes[at] === 0x0d && bytes[at + 1] === 0x0a);
}
