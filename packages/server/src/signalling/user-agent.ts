import type { SipUserAgent, UserAgentOptions } from "./options.ts";

/** Builds the user agent and attaches it to the transports; it answers 503 until `attach` gave it handlers. */
export function createUserAgent(options: UserAgentOptions): SipUserAgent {
  throw new Error(`${options.userAgentName} has no machines yet`);
}
