/** What stands where a secret stood. */
export const REDACTED = "[redacted]";

/**
 * A copy of `value` that is safe to write down: values under names that hold secrets are replaced, and secrets
 * inside text (Authorization headers, SDES keys, passwords in URLs) are cut out. Binary data is named by its length:
 * it may be speech. Bounded: at most 6 levels, 100 entries a level, 8,192 characters a string.
 */
export function redact(value: unknown): unknown {
  return clean(value, 0, new Set());
}

/** Cuts secrets out of a text: a SIP or HTTP header, an SDP body, a URL. */
export function redactText(text: string): string {
  const cut =
    text.length > STRING_LIMIT ? `${text.slice(0, STRING_LIMIT)}… (${text.length} characters)` : text;
  let safe = cut;
  for (const [pattern, replacement] of SECRETS_IN_TEXT) safe = safe.replace(pattern, replacement);
  return safe;
}

const STRING_LIMIT = 8192;
const DEPTH_LIMIT = 6;
const ENTRY_LIMIT = 100;

/** Names compare without case, hyphens and underscores: `Auth-Token`, `auth_token` and `authToken` are one. */
const SECRET_NAME =
  /^(authorization|proxyauthorization|cookie|setcookie|.*password|.*passphrase|.*secret|.*secretkey|credentials|.*token|.*apikey|privatekey|masterkey|crypto|inline|keyparams|signature|xtwiliosignature)$/;

const SECRETS_IN_TEXT: readonly (readonly [RegExp, string])[] = [
  // RFC 4568 §9.2: key-params = "inline:" key||salt
  [/\binline:[A-Za-z0-9+/=]+/g, `inline:${REDACTED}`],
  // RFC 3261 §20.7 and RFC 7617: everything after the scheme
  [/\b((?:proxy-)?authorization"?\s*[:=]\s*"?)(basic|digest|bearer)\s+[^\r\n]*/gi, `$1$2 ${REDACTED}`],
  [/\b(basic|bearer)\s+[A-Za-z0-9+/=._~-]{8,}/gi, `$1 ${REDACTED}`],
  [/\b(response|cnonce)="?[0-9a-f]{32,}"?/gi, `$1="${REDACTED}"`],
  // RFC 3986 §3.2.1: userinfo with a password, in http(s) and sip(s) alike
  [/((?:https?|wss?|postgres|nats):\/\/[^\s/:@]*:)[^\s/@]+@/gi, `$1${REDACTED}@`],
  [/(sips?:[^\s/:@;?]*:)[^\s/@;?]+@/gi, `$1${REDACTED}@`],
  [/\b((?:auth_?token|password|secret|credentials)\s*[=:]\s*)[^\s&;,"]+/gi, `$1${REDACTED}`],
];

function clean(value: unknown, depth: number, above: Set<object>): unknown {
  if (typeof value === "string") return redactText(value);
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "function" || typeof value === "symbol") return undefined;
  if (typeof value !== "object" || value === null) return value;
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `(${value.byteLength} octets)`;
  if (value instanceof Date) return value;
  if (depth >= DEPTH_LIMIT || above.has(value)) return "…";
  above.add(value);
  try {
    if (value instanceof Error) return cleanError(value, depth, above);
    if (Array.isArray(value)) return value.slice(0, ENTRY_LIMIT).map((one) => clean(one, depth + 1, above));
    const entries = value instanceof Map ? [...value.entries()] : Object.entries(value);
    return cleanEntries(entries, depth, above);
  } finally {
    above.delete(value);
  }
}

function cleanEntries(
  entries: readonly (readonly [unknown, unknown])[],
  depth: number,
  above: Set<object>,
): Record<string, unknown> {
  const safe: Record<string, unknown> = {};
  for (const [key, one] of entries.slice(0, ENTRY_LIMIT)) {
    const name = String(key);
    const held = one !== undefined && one !== null && one !== "" && typeof one !== "boolean";
    safe[name] =
      held && SECRET_NAME.test(name.toLowerCase().replace(/[-_]/g, ""))
        ? REDACTED
        : clean(one, depth + 1, above);
  }
  return safe;
}

function cleanError(error: Error, depth: number, above: Set<object>): Record<string, unknown> {
  const { name, message, stack, cause, ...rest } = error;
  return {
    type: error.name,
    message: redactText(error.message),
    ...cleanEntries(Object.entries(rest), depth, above),
    ...(error.stack === undefined ? {} : { stack: redactText(error.stack) }),
    ...(error.cause === undefined ? {} : { cause: clean(error.cause, depth + 1, above) }),
  };
}
