import { type Attribute, isDirection } from "../sdp/index.ts";

/**
 * Attributes that speak of one leg's transport and must not reach the other: addresses, ICE, DTLS, keys, multiplexing,
 * and capability offers that could bring them back. Everything else, known or not, passes.
 */
const OF_ONE_LEG: ReadonlySet<string> = new Set([
  // RFC 3605, RFC 5761, RFC 8858; ours is written anew
  "rtcp",
  "rtcp-mux",
  "rtcp-mux-only",
  // ICE: RFC 8839, RFC 8840, RFC 5245
  "candidate",
  "remote-candidates",
  "end-of-candidates",
  "ice-lite",
  "ice-mismatch",
  "ice-ufrag",
  "ice-pwd",
  "ice-options",
  "ice-pacing",
  // DTLS: RFC 8122, RFC 4145, RFC 8842; RFC 8827
  "fingerprint",
  "setup",
  "connection",
  "dtls-id",
  "tls-id",
  "identity",
  // keys: RFC 4568, RFC 4567
  "crypto",
  "key-mgmt",
  // BUNDLE: RFC 9143
  "bundle-only",
  // capability negotiation: RFC 5939, RFC 6871, RFC 7006; alternative connectivity: RFC 6947
  "csup",
  "creq",
  "acap",
  "tcap",
  "ccap",
  "bcap",
  "pcfg",
  "acfg",
  "lcfg",
  "sescap",
  "altc",
  // multicast sources: RFC 4570
  "source-filter",
]);

/** Whether an attribute stays on the leg it came from. Directions do too: they are stated anew on each line. */
export function staysOnLeg(attribute: Attribute): boolean {
  if (attribute.name === "group") return /^BUNDLE\b/.test(attribute.value ?? "");
  return OF_ONE_LEG.has(attribute.name.toLowerCase()) || isDirection(attribute.name);
}
