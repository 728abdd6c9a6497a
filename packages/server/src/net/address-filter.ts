import { BlockList, isIP } from "node:net";

/**
 * Says whether an address is one of `ranges`: addresses (`192.0.2.1`) and CIDR ranges (`192.0.2.0/24`, `2001:db8::/32`).
 * An IPv4-mapped IPv6 address is the IPv4 address it maps.
 *
 * @throws RangeError for a text that is neither; the configuration refuses those before
 */
export function createAddressFilter(ranges: readonly string[]): (address: string) => boolean {
  const list = new BlockList();
  for (const range of ranges) {
    const [, address = "", prefix] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(range) ?? [];
    const family = isIP(address);
    if (family === 0) throw new RangeError(`neither address nor CIDR range: ${range}`);
    const widest = family === 4 ? 32 : 128;
    if (prefix !== undefined && Number(prefix) > widest) throw new RangeError(`no such prefix: ${range}`);
    list.addSubnet(address, prefix === undefined ? widest : Number(prefix), family === 4 ? "ipv4" : "ipv6");
  }
  return (address) => {
    const bare = address.replace(/^::ffff:(?=\d+\.)/i, "").replace(/%.*$/, "");
    const family = isIP(bare);
    return family !== 0 && list.check(bare, family === 4 ? "ipv4" : "ipv6");
  };
}
