import { isIpv6 } from "@callfork/protocol/sip";

/**
 * A name that a peer's certificate may stand for, in the one spelling that they are compared in: a SIP domain, written
 * as such or as the `sip:` URI of a subjectAltName. Wildcards and URIs with a user stand for nobody (RFC 5922 §7.1, §7.2).
 *
 * @returns lower-case, without scheme and final dot; undefined for what cannot be the name of a peer
 */
export function readCertificateName(text: string): string | undefined {
  const host = text
    .toLowerCase()
    .replace(/^sip:/, "")
    .replace(/^\[(.*)\]$/, "$1");
  // One spelling for each IPv6 address. An IPv4 address is spelled like a domain.
  const url = `http://[${host}]`;
  if (isIpv6(host)) return URL.canParse(url) ? new URL(url).hostname.slice(1, -1) : undefined;
  const name = host.replace(/\.$/, "");
  return name.length <= 253 && DOMAIN.test(name) ? name : undefined;
}

const DOMAIN = /^(?!-)[a-z0-9_-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9_-]{1,63}(?<!-))*$/;
