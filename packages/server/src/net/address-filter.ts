import { BlockList, isIP } from "node:net";

/**
 * Says whether an address is one of `ranges`: addresses (`192.0.2.1`) and CIDR ranges (`192.0.2.0/24`, `2001:db8::/32`).
 * An IPv4-mapped IPv6 address is the IPv4 address it maps; zones (`fe80::1%eth0`) and brackets do not count.
 *
 * @throws RangeError for a text that is neither; the configuration refuses those before
 */
export function createAddressFilter(ranges: readonly string[]): (address: string) => boolean {
  const list = new BlockList();
  for (const range of ranges) {
    const [, text = "", prefix] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(range) ?? [];
    const family = isIP(text);
    if (family === 0) throw new RangeError(`neither address nor CIDR range: ${range}`);
    const widest = family === 4 ? 32 : 128;
    const length = prefix === undefined ? widest : Number(prefix);
    if (length > widest) throw new RangeError(`no such prefix: ${range}`);
    const mapped = family === 6 && length >= MAPPED_BITS ? mappedIn(text) : undefined;
    if (mapped === undefined) list.addSubnet(text, length, family === 4 ? "ipv4" : "ipv6");
    else list.addSubnet(mapped, length - MAPPED_BITS, "ipv4");
  }
  return (address) => {
    const bare = numericAddress(address);
    if (bare === undefined) return false;
    return list.check(bare, isIP(bare) === 4 ? "ipv4" : "ipv6");
  };
}

const MAPPED_BITS = 96;

const mappedIn = (address: string): string | undefined => /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];

/** An address as sockets take it: without brackets and zone, an IPv4-mapped one as IPv4; `undefined` for names. */
export function numericAddress(text: string): string | undefined {
  const bare = text.replace(/^\[(.*)\]$/, "$1").replace(/%.*$/, "");
  const address = mappedIn(bare) ?? bare;
  return isIP(address) === 0 ? undefined : address;
}

const loopback = createAddressFilter(["127.0.0.0/8", "::1"]);

export const isLoopback = (address: string): boolean => loopback(address);
