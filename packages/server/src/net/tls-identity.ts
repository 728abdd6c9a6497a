import { isIP } from "node:net";

/** Whom a certificate stands for. */
export interface CertificateNames {
  /** SIP domains, lower-case. */
  readonly domains: readonly string[];
  /** Numeric addresses. */
  readonly addresses: readonly string[];
}

/**
 * The SIP domains of a certificate (RFC 5922 §7.1): hosts of `sip:` URIs without user part among its subjectAltNames;
 * only when there is none of these, its DNS names. Wildcards stand for nothing (§7.2), nor does the common name, which
 * the RFC allows where there is no subjectAltName and nobody issues any more.
 *
 * @param subjectAltName - as `X509Certificate.subjectAltName` writes it
 */
export function certificateNames(subjectAltName: string | undefined): CertificateNames {
  const entries = splitAltNames(subjectAltName ?? "");
  const uris = entries.flatMap(([kind, value]) => (kind === "URI" ? (sipDomain(value) ?? []) : []));
  const hosts = entries.flatMap(([kind, value]) => (kind === "DNS" ? (domainName(value) ?? []) : []));
  const addresses = entries.flatMap(([kind, value]) => (kind === "IP Address" ? [canonical(value)] : []));
  return { domains: [...new Set(uris.length > 0 ? uris : hosts)], addresses };
}

/** Is `domain`, a name or a numeric address, one of them? Whole names only, in any case (RFC 5922 §7.2). */
export function namesDomain(names: CertificateNames, domain: string): boolean {
  if (isIP(domain) !== 0) {
    const address = canonical(domain);
    return names.addresses.includes(address) || names.domains.some((one) => canonical(one) === address);
  }
  return names.domains.includes(domain.toLowerCase().replace(/\.$/, ""));
}

/**
 * `URI:sip:example.com, DNS:"odd, name"`: values with commas or quotes are JSON strings. A text of any other form names
 * nobody, rather than somebody by mistake.
 */
function splitAltNames(text: string): [kind: string, value: string][] {
  const entries: [string, string][] = [];
  const entry = /([A-Za-z ]+):(?:("(?:[^"\\]|\\.)*")|([^,"]*))(?:, |$)/y;
  while (entry.lastIndex < text.length) {
    const found = entry.exec(text);
    if (found === null) return [];
    const [, kind = "", quoted, plain = ""] = found;
    entries.push([kind, quoted === undefined ? plain : unquote(quoted)]);
  }
  return entries;
}

function unquote(text: string): string {
  try {
    return String(JSON.parse(text));
  } catch {
    return "";
  }
}

/** "If the scheme of the URI is not 'sip', then implementations MUST NOT accept the SAN as an identity" (§7.1). */
function sipDomain(uri: string): string | undefined {
  const [, authority = ""] = /^sip:([^;?]+)/i.exec(uri) ?? [];
  if (authority === "" || authority.includes("@")) return undefined;
  const host = authority.startsWith("[")
    ? authority.replace(/\](:\d+)?$/, "").slice(1)
    : authority.replace(/:\d+$/, "");
  return isIP(host) !== 0 ? canonical(host) : domainName(host);
}

function domainName(text: string): string | undefined {
  const name = text.toLowerCase().replace(/\.$/, "");
  return name === "" || name.includes("*") ? undefined : name;
}

/** One spelling for each IPv6 address. */
function canonical(address: string): string {
  return isIP(address) === 6
    ? new URL(`http://[${address.replace(/%.*$/, "")}]`).hostname.slice(1, -1)
    : address;
}
