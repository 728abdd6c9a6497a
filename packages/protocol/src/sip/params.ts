import {
  err,
  isToken,
  isTokenCode,
  ok,
  quote,
  type Result,
  readQuoted,
  skipBlanks,
  skipToken,
  type TextError,
} from "../text/index.ts";

/**
 * Parameters behind a value (`;name=value`): lower-case name → value with quotes and escapes taken off, or `null`
 * where there is no `=`. Order is kept. RFC 3261 §7.3.1 forbids a name to come twice; of such, the first counts.
 */
export type Params = Map<string, string | null>;

/** What the formatters take: anything that reads like `Params`. */
export type ReadonlyParams = ReadonlyMap<string, string | null>;

/**
 * Reads `;name[=value];…` from `at` to the end of `text`. Blanks may stand round `;` and `=`.
 *
 * More liberal than `gen-value`: an unquoted value may hold any visible character but `;`, `,` and `"`, and may be
 * empty. An empty parameter (`;;`) is an error.
 */
export function parseParams(text: string, at = 0): Result<Params, TextError> {
  const params: Params = new Map();
  let i = skipBlanks(text, at);
  while (i < text.length) {
    if (text.charCodeAt(i) !== 0x3b) return err({ message: "expected ';' before a parameter", offset: i });
    const nameStart = skipBlanks(text, i + 1);
    const nameEnd = skipToken(text, nameStart);
    if (nameEnd === nameStart) return err({ message: "expected a parameter name", offset: nameStart });
    const name = text.slice(nameStart, nameEnd).toLowerCase();
    let value: string | null = null;
    i = skipBlanks(text, nameEnd);
    if (text.charCodeAt(i) === 0x3d) {
      i = skipBlanks(text, i + 1);
      if (text.charCodeAt(i) === 0x22) {
        const quoted = readQuoted(text, i);
        if (quoted === undefined) return err({ message: "unterminated quoted-string", offset: i });
        value = quoted.value;
        i = quoted.end;
      } else {
        const start = i;
        while (i < text.length && isValueCode(text.charCodeAt(i))) i++;
        value = text.slice(start, i);
      }
      i = skipBlanks(text, i);
    }
    if (!params.has(name)) params.set(name, value);
  }
  return ok(params);
}

/** Any visible character that cannot end the value or open a quoted-string. */
function isValueCode(code: number): boolean {
  return code !== 0x3b && code !== 0x2c && code !== 0x22 && code > 0x20 && code !== 0x7f;
}

/**
 * Writes `;name=value;…`, empty for no parameters. Values are quoted when they are neither token nor host, and
 * always for names in `quoted` or with a leading plus: a feature tag's value is a quoted-string (RFC 3840 §9).
 *
 * @param form - `"token"` where the grammar has no host (MIME parameters): then `a:b` is quoted as well
 */
export function formatParams(
  params: ReadonlyParams,
  quoted?: ReadonlySet<string>,
  form: "gen-value" | "token" = "gen-value",
): string {
  let text = "";
  for (const [name, value] of params) {
    text += `;${name}`;
    if (value === null) continue;
    const mustQuote =
      name.startsWith("+") ||
      quoted?.has(name) === true ||
      !(form === "token" ? isToken(value) : isPlainValue(value));
    text += mustQuote ? `=${quote(value)}` : `=${value}`;
  }
  return text;
}

/** Token or host, IPv6 references included: what `gen-value` takes without quotes. */
function isPlainValue(value: string): boolean {
  if (value === "") return false;
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if (!isTokenCode(code) && code !== 0x5b && code !== 0x5d && code !== 0x3a) return false;
  }
  return true;
}
