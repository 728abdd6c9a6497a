/** A range of addresses, as 16 octets (IPv4 as `::ffff:a.b.c.d`) and how many leading bits count. */
export interface AddressRange {
  readonly octets: Uint8Array;
  readonly prefixLength: number;
}

const V4_MAPPED_BITS = 96;

/** Reads `192.0.2.1`, `192.0.2.0/24`, `2001:db8::/32`; `undefined` for anything else, host names included. */
export function parseAddressRange(text: string): AddressRange | undefined {
  const slash = text.indexOf("/");
  const octets = addressOctets(slash < 0 ? text : text.slice(0, slash));
  if (!octets) return undefined;
  if (slash < 0) return { octets, prefixLength: 128 };
  const isV4 = !text.slice(0, slash).includes(":");
  const length = /^\d{1,3}$/.test(text.slice(slash + 1)) ? Number(text.slice(slash + 1)) : Number.NaN;
  if (!(length <= (isV4 ? 32 : 128))) return undefined;
  return { octets, prefixLength: isV4 ? V4_MAPPED_BITS + length : length };
}

/** Whether the address lies in one of the ranges. An IPv4-mapped IPv6 address is the IPv4 address it maps. */
export function isInRanges(address: string, ranges: readonly AddressRange[]): boolean {
  const octets = addressOctets(address);
  return octets !== undefined && ranges.some((range) => sharesPrefix(octets, range));
}

const LOOPBACK: readonly AddressRange[] = ["127.0.0.0/8", "::1"].map((text) => parseAddressRange(text)!);

export const isLoopback = (address: string): boolean => isInRanges(address, LOOPBACK);

function sharesPrefix(octets: Uint8Array, range: AddressRange): boolean {
  const whole = range.prefixLength >> 3;
  for (let i = 0; i < whole; i++) if (octets[i] !== range.octets[i]) return false;
  const rest = range.prefixLength & 7;
  if (rest === 0) return true;
  return ((octets[whole]! ^ range.octets[whole]!) & (0xff << (8 - rest)) & 0xff) === 0;
}

function addressOctets(text: string): Uint8Array | undefined {
  const bare = text.replace(/^\[(.*)\]$/, "$1").replace(/%[A-Za-z0-9._~-]+$/, ""); // without a zone (RFC 4007 §11)
  if (!bare.includes(":")) {
    const v4 = ipv4Octets(bare);
    return v4 && Uint8Array.from([...new Array<number>(10).fill(0), 0xff, 0xff, ...v4]);
  }
  return ipv6Octets(bare);
}

function ipv4Octets(text: string): readonly number[] | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) <= 255)) {
    return undefined;
  }
  return parts.map(Number);
}

function ipv6Octets(text: string): Uint8Array | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map(groupOctets);
  if (!head || (halves.length === 2 && !tail)) return undefined;
  const given = head.length + (tail?.length ?? 0);
  if (halves.length === 1 ? given !== 16 : given > 14) return undefined;
  return Uint8Array.from([...head, ...new Array<number>(16 - given).fill(0), ...(tail ?? [])]);
}

function groupOctets(text: string): readonly number[] | undefined {
  if (text === "") return [];
  const groups = text.split(":");
  const octets: number[] = [];
  for (const [index, group] of groups.entries()) {
    if (index === groups.length - 1 && group.includes(".")) {
      const v4 = ipv4Octets(group);
      if (!v4) return undefined;
      octets.push(...v4);
    } else if (/^[0-9A-Fa-f]{1,4}$/.test(group)) {
      const value = Number.parseInt(group, 16);
      octets.push(value >> 8, value & 0xff);
    } else return undefined;
  }
  return octets;
}
