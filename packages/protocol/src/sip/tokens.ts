import type { SipHeaders } from "./headers.ts";

/** Every token of Require, Supported, Allow, Unsupported, …: all lines, in order, as they came. */
export function tokenList(headers: SipHeaders, name: string): string[] {
  return headers.list(name);
}

/**
 * Does the list hold `token`? Option tags compare without case (RFC 3261 §7.3.1). For Allow compare with case
 * yourself: methods have it.
 */
export function hasToken(headers: SipHeaders, name: string, token: string): boolean {
  const wanted = token.toLowerCase();
  return headers.list(name).some((each) => each.toLowerCase() === wanted);
}
