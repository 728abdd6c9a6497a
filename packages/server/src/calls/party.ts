import { parseNameAddr, parseUri, type SipRequest, type Uri } from "@callfork/protocol/sip";
import type { CallParty } from "./ports.ts";

const NUMBER = /^\+?[0-9]{1,32}$/;

/** The party a From, To or P-Asserted-Identity value names; `undefined` when it cannot be read. */
export function partyOf(headerValue: string | undefined): CallParty | undefined {
  const address = headerValue === undefined ? undefined : parseNameAddr(headerValue);
  if (!address?.ok) return undefined;
  return { aor: aorOf(address.value.uri), displayName: address.value.displayName ?? null };
}

/** Scheme, user, host and port of a URI; parameters and headers say how to reach it, not who it is. */
export function aorOf(uri: string): string {
  return uri.replace(/[;?>].*$/s, "").replace(/^(sips?:[^:@]*):[^@]*@/i, "$1@");
}

/** How webhooks name a URI: the bare number when its user is one, else the URI. */
export function voiceAddressOf(uri: string): string {
  return numberOf(uri) ?? aorOf(uri);
}

/** The number in a `tel:` URI or in the user part of a SIP URI, without visual separators. */
export function numberOf(uri: string): string | undefined {
  const user = userOf(uri)?.replace(/[-.()\s]/g, "");
  return user !== undefined && NUMBER.test(user) ? user : undefined;
}

/** The user a URI names, parameters of a telephone number (`+1555;phone-context=…`) left off. */
export function userOf(uri: string): string | undefined {
  const parsed = parseUri(uri);
  if (!parsed.ok) return undefined;
  return userPart(parsed.value)?.split(";", 1)[0];
}

function userPart(uri: Uri): string | undefined {
  if (uri.scheme === "tel") return uri.number;
  return uri.scheme === "other" ? undefined : uri.user;
}

/** Under which names a number may be stored: as dialled, then with and without the plus; Request-URI before To. */
export function dialledNames(request: SipRequest): readonly string[] {
  const to = parseNameAddr(request.headers.get("To") ?? "");
  const users = [userOf(request.uri), to.ok ? userOf(to.value.uri) : undefined];
  const names = users.flatMap((user) => {
    if (!user) return [];
    const number = user.replace(/[-.()]/g, "");
    if (!NUMBER.test(number)) return [user];
    return [user, number, number.startsWith("+") ? number.slice(1) : `+${number}`];
  });
  return [...new Set(names)];
}

/** A caller ID or a dialled address as text: is it a URI? */
export const isUri = (address: string): boolean => /^(sips?|tel):/i.test(address);

/** A telephone number as users write it, without separators; `undefined` when it is none. */
export function readNumber(text: string): string | undefined {
  const number = text.trim().replace(/[-.()\s]/g, "");
  return NUMBER.test(number) ? number : undefined;
}
