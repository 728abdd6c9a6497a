import type { Connection, Direction, MediaDescription, Section, SessionDescription } from "./description.ts";

/** Value of the first attribute of that name: `""` for a flag, `undefined` when there is none. */
export function attribute(section: Section, name: string): string | undefined {
  const found = section.attributes.find((candidate) => candidate.name === name);
  return found && (found.value ?? "");
}

/** Values of all attributes of that name, in order. */
export function attributes(section: Section, name: string): readonly string[] {
  return section.attributes.flatMap((candidate) => (candidate.name === name ? [candidate.value ?? ""] : []));
}

const DIRECTIONS: ReadonlySet<string> = new Set<Direction>(["sendrecv", "sendonly", "recvonly", "inactive"]);

export function isDirection(name: string): name is Direction {
  return DIRECTIONS.has(name);
}

/**
 * Direction of an m-line, as its writer sees it: the media's own, else the session's, else `sendrecv`
 * (RFC 8866 §6.7). With several, the last one counts. Hold by `c=0.0.0.0` is not part of it: see `isHeld`.
 */
export function directionOf(description: SessionDescription, media: MediaDescription): Direction {
  return explicitDirectionOf(media) ?? explicitDirectionOf(description) ?? "sendrecv";
}

function explicitDirectionOf(section: Section): Direction | undefined {
  return section.attributes.findLast((candidate) => isDirection(candidate.name))?.name as
    | Direction
    | undefined;
}

/** `c=` of the m-line, else of the session (RFC 8866 §5.7); `undefined` when the sender left both out. */
export function connectionOf(
  description: SessionDescription,
  media: MediaDescription,
): Connection | undefined {
  return media.connection ?? description.connection;
}

/** The address without the multicast suffixes `/ttl` and `/count`. */
export function hostOf(connection: Connection): string {
  const slash = connection.address.indexOf("/");
  return slash < 0 ? connection.address : connection.address.slice(0, slash);
}

/** "Send nothing here": 0.0.0.0 (RFC 3264 §8.4), its IPv6 like, or a name below `.invalid` (RFC 6157 §5.1). */
export function isNullAddress(host: string): boolean {
  return host === "0.0.0.0" || host === "::" || /\.invalid\.?$/i.test(host);
}

/**
 * Whether the writer of `description` puts the reader on hold on this line, by direction (`sendonly`, `inactive`:
 * RFC 3264 §8.4) or by the older `c=0.0.0.0` (RFC 2543).
 */
export function isHeld(description: SessionDescription, media: MediaDescription): boolean {
  const direction = directionOf(description, media);
  if (direction === "sendonly" || direction === "inactive") return true;
  const connection = connectionOf(description, media);
  return connection !== undefined && isNullAddress(hostOf(connection));
}

export interface RtcpAddress {
  readonly address: string;
  /** 1–65535. */
  readonly port: number;
}

/**
 * Where the writer wants its RTCP: `a=rtcp` (RFC 3605 §2.1, media level only), else the port after the RTP port.
 *
 * @param options - `mux`: both sides agreed on `a=rtcp-mux` (RFC 5761 §5.1.1), so RTCP goes to the RTP port. Not to be
 *   set for an offer that only proposes it.
 * @returns `undefined` for a line without port or address. RTP port 65535 has no successor and counts as muxed.
 */
export function rtcpAddressOf(
  description: SessionDescription,
  media: MediaDescription,
  options: { readonly mux?: boolean } = {},
): RtcpAddress | undefined {
  const connection = connectionOf(description, media);
  if (!connection || media.port === 0) return undefined;
  const address = hostOf(connection);
  if (options.mux && attribute(media, "rtcp-mux") !== undefined) return { address, port: media.port };
  const [, port, own] = /^(\d{1,5})(?: +IN +IP[46] +(\S+))? *$/.exec(attribute(media, "rtcp") ?? "") ?? [];
  if (port !== undefined && Number(port) >= 1 && Number(port) <= 65_535) {
    return { address: own ?? address, port: Number(port) };
  }
  return { address, port: Math.min(media.port + 1, 65_535) };
}

/** `a=label` of the m-line, every octet to the end of the line (RFC 4574 §4); compare as text: `01` is not `1`. */
export function labelOf(media: MediaDescription): string | undefined {
  return attribute(media, "label");
}

/** Whether text may be sent as a label: a non-empty token (RFC 4574 §4, RFC 8866 §9). */
export function isToken(text: string): boolean {
  return /^[!#$%&'*+\-.0-9A-Z^_`a-z{|}~]+$/.test(text);
}

/** `a=ptime` in milliseconds; `undefined` when absent or not a positive number (fractions are allowed). */
export function ptimeOf(media: MediaDescription): number | undefined {
  const text = attribute(media, "ptime") ?? "";
  if (!/^\d{1,5}(\.\d{1,6})? *$/.test(text)) return undefined;
  const ptimeMs = Number(text);
  return ptimeMs > 0 ? ptimeMs : undefined;
}
