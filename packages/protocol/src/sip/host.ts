import { err, ok, parseDecimal, type Result, type TextError } from "../text/index.ts";

/** `host [":" port]` of RFC 3261 §25.1. `host` carries no brackets, so that it can be connected to as it is. */
export interface HostPort {
  readonly host: string;
  readonly port?: number;
}

const HOST_NAME = /^[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_.])?$/;
const IPV6 = /^[0-9A-Fa-f:]+(?::\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3})?(?:%[A-Za-z0-9._~-]+)?$/;

/**
 * Reads `host[:port]`; no blanks. An IPv6 address must stand in brackets, so a port is never guessed out of its last
 * group. Three colons in a row, which the erroneous grammar of RFC 3261 asks for, count as two (RFC 5118 §4.10).
 * Underscores in names are tolerated: container networks have them.
 */
export function parseHostPort(text: string): Result<HostPort, TextError> {
  let host: string;
  let rest: number;
  if (text.startsWith("[")) {
    const close = text.indexOf("]");
    if (close < 0) return err({ message: "IPv6 reference without closing bracket", offset: 0 });
    host = text.slice(1, close).replace(":::", "::");
    if (!isIpv6(host)) return err({ message: "not an IPv6 address", offset: 1 });
    rest = close + 1;
  } else {
    const colon = text.indexOf(":");
    rest = colon < 0 ? text.length : colon;
    host = text.slice(0, rest);
    if (!HOST_NAME.test(host)) return err({ message: "not a host", offset: 0 });
  }
  if (rest === text.length) return ok({ host });
  if (text.charCodeAt(rest) !== 0x3a) return err({ message: "expected ':' and a port", offset: rest });
  const port = parseDecimal(text.slice(rest + 1), 65535);
  if (port === undefined) return err({ message: "not a port", offset: rest + 1 });
  return ok({ host, port });
}

/** Writes `host[:port]`, with brackets round an IPv6 address. */
export function formatHostPort({ host, port }: HostPort): string {
  const name = host.includes(":") ? `[${host}]` : host;
  return port === undefined ? name : `${name}:${port}`;
}

/** Shape only: hexadecimal groups, an IPv4 tail, at most one `::`. */
export function isIpv6(text: string): boolean {
  if (!IPV6.test(text) || !text.includes(":")) return false;
  const address = text.split("%", 1)[0]!;
  const gap = address.indexOf("::");
  if (gap >= 0 && address.indexOf("::", gap + 1) >= 0) return false;
  const groups = address.split(":").filter((group) => group !== "");
  const count = groups.length + (address.includes(".") ? 1 : 0);
  if (!groups.every((group) => group.includes(".") || group.length <= 4)) return false;
  if (gap >= 0) return count <= 7;
  return count === 8 && !address.startsWith(":") && !address.endsWith(":");
}
