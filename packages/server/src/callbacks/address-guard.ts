import { BlockList, isIP } from "node:net";

/** IPv4 addresses that are nobody's public host: RFC 6890's registry, multicast and the reserved rest. */
const REFUSED_IPV4 = [
  "0.0.0.0/8", // this network
  "10.0.0.0/8", // RFC 1918
  "100.64.0.0/10", // carrier-grade NAT, RFC 6598
  "127.0.0.0/8",
  "169.254.0.0/16", // link-local; clouds answer their metadata at 169.254.169.254
  "172.16.0.0/12", // RFC 1918
  "192.0.0.0/24", // IETF protocol assignments
  "192.0.2.0/24", // documentation
  "192.88.99.0/24", // 6to4 relays
  "192.168.0.0/16", // RFC 1918
  "198.18.0.0/15", // benchmarks
  "198.51.100.0/24", // documentation
  "203.0.113.0/24", // documentation
  "224.0.0.0/4", // multicast
  "240.0.0.0/4", // reserved, broadcast
] as const;

/** Of IPv6 only global unicast is public (RFC 4291 §2.4), and of that not these. */
const GLOBAL_UNICAST = "2000::/3";
const REFUSED_IPV6 = [
  "2001::/23", // IETF protocol assignments, Teredo: an IPv4 address inside
  "2001:db8::/32", // documentation
  "2002::/16", // 6to4: an IPv4 address inside
  "3fff::/20", // documentation
] as const;

/** Decides which addresses a request of a customer's making may go to. */
export interface AddressGuard {
  /** @param address - numeric, without brackets */
  allows(address: string): boolean;
}

/**
 * @param allowed - addresses or CIDR ranges that may be reached although they are not public
 * @throws TypeError for an entry that is neither
 */
export function createAddressGuard(allowed: readonly string[]): AddressGuard {
  const exceptions = blockList(allowed);
  const refused = blockList([...REFUSED_IPV4, ...REFUSED_IPV6]);
  const globalUnicast = blockList([GLOBAL_UNICAST]);
  return {
    allows: (text) => {
      const address = unmapped(text);
      const version = isIP(address);
      if (version === 0) return false;
      const family = version === 4 ? "ipv4" : "ipv6";
      if (exceptions.check(address, family)) return true;
      return !refused.check(address, family) && (family === "ipv4" || globalUnicast.check(address, family));
    },
  };
}

function blockList(entries: readonly string[]): BlockList {
  const list = new BlockList();
  for (const entry of entries) {
    const [text = "", prefixText, ...rest] = entry.trim().split("/");
    const address = unmapped(text);
    const version = isIP(address);
    const bits = version === 4 ? 32 : 128;
    const prefix = prefixText === undefined ? bits : /^\d{1,3}$/.test(prefixText) ? Number(prefixText) : -1;
    if (version === 0 || rest.length > 0 || prefix < 0 || prefix > bits || text.includes("%"))
      throw new TypeError(`"${entry}" is neither an address nor a CIDR range`);
    list.addSubnet(address, prefix, version === 4 ? "ipv4" : "ipv6");
  }
  return list;
}

/** ::ffff:192.0.2.1 is 192.0.2.1 (RFC 4291 §2.5.5.2), and a socket connects to just that. */
function unmapped(address: string): string {
  if (!address.includes(":") || isIP(address) !== 6) return address;
  const { hostname } = new URL(`http://[${address.replace(/%.*$/, "")}]/`);
  const match = /^\[::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})\]$/.exec(hostname);
  if (match === null) return address.replace(/%.*$/, "");
  const bits = (Number.parseInt(match[1]!, 16) << 16) | Number.parseInt(match[2]!, 16);
  return [24, 16, 8, 0].map((shift) => (bits >>> shift) & 255).join(".");
}
