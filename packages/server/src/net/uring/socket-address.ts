import { isIPv6 } from "node:net";
import { AF_INET, AF_INET6 } from "./abi.ts";

/** Room for a sockaddr_in (16 octets) or a sockaddr_in6 (28). */
export const SOCKADDR_BYTES = 32;

/**
 * Writes an IP literal and a port as the kernel wants them.
 *
 * @returns how many octets that took
 */
export function writeSocketAddress(view: DataView, at: number, address: string, port: number): number {
  for (let i = 0; i < SOCKADDR_BYTES; i += 4) view.setUint32(at + i, 0);
  view.setUint16(at + 2, port);
  if (!isIPv6(address)) {
    view.setUint16(at, AF_INET, true);
    address.split(".").forEach((octet, i) => {
      view.setUint8(at + 4 + i, Number(octet));
    });
    return 16;
  }
  view.setUint16(at, AF_INET6, true);
  groupsOf(address).forEach((group, i) => {
    view.setUint16(at + 8 + 2 * i, group);
  });
  return 28;
}

/** The literal of an address that the kernel wrote, as Node's own sockets show it. */
export function readSocketAddress(view: DataView, at: number): string {
  if (view.getUint16(at, true) === AF_INET) {
    return `${view.getUint8(at + 4)}.${view.getUint8(at + 5)}.${view.getUint8(at + 6)}.${view.getUint8(at + 7)}`;
  }
  return formatGroups(Array.from({ length: 8 }, (_, i) => view.getUint16(at + 8 + 2 * i)));
}

export function readSocketPort(view: DataView, at: number): number {
  return view.getUint16(at + 2);
}

/** Are the family, port and address at the two places the same? */
export function sameSocketAddress(a: DataView, aAt: number, b: DataView, bAt: number): boolean {
  // Family and port, then the IPv4 address or the flow, which is never set in what is sent to us.
  if (a.getUint32(aAt) !== b.getUint32(bAt)) return false;
  if (a.getUint16(aAt, true) === AF_INET) return a.getUint32(aAt + 4) === b.getUint32(bAt + 4);
  for (let i = 8; i < 24; i += 4) if (a.getUint32(aAt + i) !== b.getUint32(bAt + i)) return false;
  return true;
}

/** Of a literal that is known to be one (RFC 4291 §2.2). */
function groupsOf(literal: string): number[] {
  let text = literal.replace(/%.*$/, "");
  const mapped = /(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text);
  if (mapped !== null) {
    const [a, b, c, d] = mapped.slice(1).map(Number) as [number, number, number, number];
    text = `${text.slice(0, mapped.index)}${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
  }
  const [left = "", right] = text.split("::");
  const parse = (side: string): number[] =>
    side === "" ? [] : side.split(":").map((one) => parseInt(one, 16));
  const head = parse(left);
  if (right === undefined) return head;
  const tail = parse(right);
  return [...head, ...new Array<number>(8 - head.length - tail.length).fill(0), ...tail];
}

/** RFC 5952 §4: the longest run of zeros, at least two, becomes "::". */
function formatGroups(groups: readonly number[]): string {
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    const [high, low] = [groups[6]!, groups[7]!];
    return `::ffff:${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
  }
  let [bestAt, bestLength] = [-1, 1];
  for (let i = 0; i < 8; i++) {
    let length = 0;
    while (i + length < 8 && groups[i + length] === 0) length++;
    if (length > bestLength) [bestAt, bestLength] = [i, length];
  }
  const hex = (some: readonly number[]): string => some.map((group) => group.toString(16)).join(":");
  if (bestAt < 0) return hex(groups);
  return `${hex(groups.slice(0, bestAt))}::${hex(groups.slice(bestAt + bestLength))}`;
}
