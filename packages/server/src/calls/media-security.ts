import { DEFAULT_CRYPTO_SUITES, type MediaSecurity, type SrtpPolicy } from "@callfork/protocol/offer-answer";
import type { SipUri, SipUriParts } from "@callfork/protocol/sip";

import { err, ok, type Random, type Result } from "@callfork/protocol/text";
import { SecureMediaError } from "./errors.ts";

/**
 * What is secured, in one place. A peer that asks for SRTP gets it; where a URI of ours says `secure=true` we ask, and
 * take nothing less. Keys lie in the descriptions, so `secure=true` means TLS too (RFC 4568 §8).
 */
export function securityFor(
  random: Random,
  policy: SrtpPolicy | undefined,
  isSecure: boolean | undefined,
): MediaSecurity {
  const wanted = isSecure === true ? "required" : (policy ?? DEFAULT_SRTP_POLICY);
  return { policy: wanted, suites: DEFAULT_CRYPTO_SUITES, random };
}

export const DEFAULT_SRTP_POLICY: SrtpPolicy = "offered";

/** Parameters that speak to the platform; they are no business of the callee. */
const PLATFORM_PARAMETERS: ReadonlySet<string> = new Set(["secure", "edge", "region"]);

export interface SecuredUri {
  /** Without password, headers and the platform's own parameters; with `transport=tls` where `secure=true` implies it. */
  readonly parts: SipUriParts;
  readonly isSecure: boolean;
}

/** Takes `secure=true` out of a URI and sees to its transport, as for connectors. */
export function securedUri({
  scheme,
  user,
  host,
  port,
  params,
}: SipUri): Result<SecuredUri, SecureMediaError> {
  const isSecure = params.get("secure")?.toLowerCase() === "true";
  const kept = new Map([...params].filter(([name]) => !PLATFORM_PARAMETERS.has(name)));
  const transport = kept.get("transport")?.toLowerCase();
  if (isSecure && scheme !== "sips") {
    if (transport !== undefined && transport !== "tls" && transport !== "wss") {
      return err(new SecureMediaError(`secure=true needs TLS, transport=${transport} forbids it`));
    }
    if (transport === undefined) kept.set("transport", "tls");
  }
  const parts: SipUriParts = {
    scheme,
    ...(user !== undefined && { user }),
    host,
    ...(port !== undefined && { port }),
    params: kept,
  };
  return ok({ parts, isSecure });
}
