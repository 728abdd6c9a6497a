/**
 * An address of record in one form to search by: `sip:user@host` or `tel:+123`, scheme and host in lower case.
 *
 * Senders also write `user@host`, bare numbers, host names, and addresses in angle brackets. Text that is none
 * of these comes back trimmed.
 */
export function normalizeAor(aor: string): string {
  const text = /<([^<>]*)>/.exec(aor)?.[1] ?? aor.trim();
  const scheme = /^(sips?|tel|im|xmpp|urn|h323|mailto):(.*)$/is.exec(text);
  if (scheme !== null) {
    const rest = scheme[2]!;
    const at = rest.lastIndexOf("@");
    return `${scheme[1]!.toLowerCase()}:${rest.slice(0, at + 1)}${rest.slice(at + 1).toLowerCase()}`;
  }
  const number = text.replace(/[\s().-]/g, "");
  if (/^\+?\d{3,}$/.test(number) && !IPV4.test(text)) return `tel:${number}`;
  const at = text.lastIndexOf("@");
  if (at > 0 && !/\s/.test(text)) return `sip:${text.slice(0, at + 1)}${text.slice(at + 1).toLowerCase()}`;
  return /^[A-Za-z0-9[\]:-]+(\.[A-Za-z0-9-]+)+$/.test(text) ? `sip:${text.toLowerCase()}` : text;
}

/** What a `sipSessionID` element holds: a Session-ID (RFC 7989), or what else a sender put there. */
export type SipSessionIdShape =
  | { readonly kind: "sessionId"; readonly local: string; readonly remote: string | undefined }
  | { readonly kind: "callId"; readonly callId: string };

/** Tells a Session-ID from a Call-ID by shape: 32 hexadecimal digits, and perhaps `;remote=` and 32 more. */
export function classifySipSessionId(text: string): SipSessionIdShape {
  const match = /^\s*([0-9a-f]{32})\s*(?:;\s*remote\s*=\s*([0-9a-f]{32}))?\s*$/i.exec(text);
  if (match === null) return { kind: "callId", callId: text.trim() };
  return { kind: "sessionId", local: match[1]!.toLowerCase(), remote: match[2]?.toLowerCase() };
}

const IPV4 = /^\d{1,3}(\.\d{1,3}){3}$/;
