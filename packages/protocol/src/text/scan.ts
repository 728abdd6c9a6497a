/** Where and why a text did not parse; `offset` counts UTF-16 units from the start of that text. */
export interface TextError {
  readonly message: string;
  readonly offset: number;
}

/** `token` of RFC 3261 §25.1, which is also HTTP's and MIME's for all practical texts. */
const TOKEN = new Uint8Array(128);
for (const c of "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.!%*_+`'~")
  TOKEN[c.charCodeAt(0)] = 1;

export function isTokenCode(code: number): boolean {
  return code < 128 && TOKEN[code] === 1;
}

/** Is the whole text one token, of at least one character? */
export function isToken(text: string): boolean {
  return text !== "" && skipToken(text, 0) === text.length;
}

/** Where the token that starts at `at` ends; `at` itself when none starts there. */
export function skipToken(text: string, at: number): number {
  let i = at;
  while (i < text.length && isTokenCode(text.charCodeAt(i))) i++;
  return i;
}

/** Where the blanks and tabs that start at `at` end (unfolded text has no other linear white space). */
export function skipBlanks(text: string, at: number): number {
  let i = at;
  while (i < text.length && isBlank(text.charCodeAt(i))) i++;
  return i;
}

export function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

/** Without blanks and tabs at both ends. (`String.trim` takes more: a byte order mark, a no-break space.) */
export function trimBlanks(text: string): string {
  const start = skipBlanks(text, 0);
  let end = text.length;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  return start === 0 && end === text.length ? text : text.slice(start, end);
}

/**
 * Reads the quoted-string whose opening quote stands at `at`.
 *
 * @returns the text without quotes and escapes, and where reading goes on; `undefined` when the closing quote is missing
 */
export function readQuoted(
  text: string,
  at: number,
): { readonly value: string; readonly end: number } | undefined {
  let value = "";
  let from = at + 1;
  for (let i = from; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x22) return { value: value + text.slice(from, i), end: i + 1 };
    if (code === 0x5c) {
      value += text.slice(from, i);
      from = i + 1;
      i++;
    }
  }
  return undefined;
}

/** A quoted-string that reads back as `text`. Line ends cannot be quoted (RFC 3261 §25.1): each becomes a blank. */
export function quote(text: string): string {
  return `"${text.replace(/\r\n|[\r\n]/g, " ").replace(/[\\"\0]/g, "\\$&")}"`;
}

/** Digits only, at most `max`; `undefined` otherwise. Leading zeros are fine, a sign is not. */
export function parseDecimal(text: string, max: number): number | undefined {
  if (text === "") return undefined;
  let value = 0;
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
    if (value > max) return undefined;
  }
  return value;
}
