// The two globals of the Encoding standard that every JavaScript runtime has; `lib` without "dom" leaves them out.
declare const TextDecoder: new (
  label: string,
  options: { fatal?: boolean; ignoreBOM?: boolean },
) => { decode(bytes: Uint8Array): string };
declare const TextEncoder: new () => {
  encode(text: string): Uint8Array;
  encodeInto(text: string, into: Uint8Array): { readonly read: number; readonly written: number };
};

const lenient = new TextDecoder("utf-8", { ignoreBOM: true });
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** Octets as text; each malformed sequence becomes U+FFFD, a byte order mark is kept. */
export function utf8Decode(bytes: Uint8Array): string {
  return lenient.decode(bytes);
}

/** Octets as text, or `undefined` where they are not UTF-8. */
export function utf8DecodeStrict(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Text as fresh octets that the caller owns. A lone surrogate becomes U+FFFD. */
export function utf8Encode(text: string): Uint8Array {
  return encoder.encode(text);
}

/** Writes text of nothing but ASCII at the start of `into`. @returns false when it is anything else, or too long */
export function asciiEncodeInto(text: string, into: Uint8Array): boolean {
  const { read, written } = encoder.encodeInto(text, into);
  return read === text.length && written === read;
}
