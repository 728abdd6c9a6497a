import {
  type Attribute,
  type Bandwidth,
  type Connection,
  MEDIA_TIMING,
  type MediaDescription,
  type Origin,
  type OtherLine,
  type SessionDescription,
} from "./description.ts";

type Mutable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer E)[] ? E[] : T[K] };
type Counted = { counts: Record<string, number>; lastType: string };
type MutableTiming = { start: string; stop: string; repeats: string[] };
type MediaDraft = Mutable<MediaDescription> & Counted;
type SessionDraft = Omit<Mutable<SessionDescription>, "origin" | "media" | "timings"> &
  Counted & { origin?: Origin; timings: MutableTiming[] };

/** What the parser fills, line by line. */
export interface Draft {
  versionSeen: boolean;
  readonly session: SessionDraft;
  readonly media: MediaDraft[];
}

export function emptyDraft(): Draft {
  return {
    versionSeen: false,
    session: {
      name: "-",
      emails: [],
      phones: [],
      bandwidths: [],
      timings: [],
      attributes: [],
      otherLines: [],
      counts: { v: 1 },
      lastType: "v",
    },
    media: [],
  };
}

/** @returns the description, or `undefined` when the mandatory `o=` is missing */
export function finish(draft: Draft): SessionDescription | undefined {
  const { counts: _counts, lastType: _lastType, origin, timings, ...session } = draft.session;
  if (!origin) return undefined;
  return {
    ...session,
    origin,
    timings: timings.length > 0 ? timings : [MEDIA_TIMING],
    media: draft.media.map(({ counts: _c, lastType: _l, ...media }) => media),
  };
}

/** @returns false when the line is malformed */
export function addSessionLine(draft: Draft, type: string, value: string): boolean {
  const session = draft.session;
  switch (type) {
    case "o":
      if (session.origin) return keep(session, type, value);
      session.origin = parseOrigin(value);
      return session.origin !== undefined && count(session, type);
    case "s":
      if (session.counts.s) return keep(session, type, value);
      session.name = value;
      return count(session, type);
    case "u":
      if (session.uri !== undefined) return keep(session, type, value);
      session.uri = value;
      return count(session, type);
    case "e":
      session.emails.push(value);
      return count(session, type);
    case "p":
      session.phones.push(value);
      return count(session, type);
    case "t": {
      const [start, stop, ...rest] = words(value);
      if (start === undefined || stop === undefined || rest.length > 0) return false;
      session.timings.push({ start, stop, repeats: [] });
      return count(session, type);
    }
    case "r": {
      const timing = session.timings.at(-1);
      if (!timing) return false;
      timing.repeats.push(value);
      return count(session, type);
    }
    case "z":
      if (session.timeZones !== undefined) return keep(session, type, value);
      session.timeZones = value;
      return count(session, type);
    case "v":
      return false;
    default:
      return addCommonLine(session, type, value);
  }
}

/** @returns false when the line is malformed */
export function addMediaLine(draft: Draft, type: string, value: string): boolean {
  if (type === "v") return false; // one description a body (RFC 3264 §5)
  if (type !== "m") return addCommonLine(draft.media.at(-1)!, type, value);
  const [kind, ports, protocol, ...formats] = words(value);
  const [, port, portCount] = /^(\d{1,5})(?:\/(\d{1,5}))?$/.exec(ports ?? "") ?? [];
  if (!kind || !protocol || port === undefined || Number(port) > 65_535) return false;
  // A refusal without formats is seen in the wild; a live line without formats says nothing.
  if (formats.length === 0 && Number(port) !== 0) return false;
  draft.media.push({
    kind,
    port: Number(port),
    ...(portCount !== undefined && { portCount: Number(portCount) }),
    protocol,
    formats,
    bandwidths: [],
    attributes: [],
    otherLines: [],
    counts: { m: 1 },
    lastType: "m",
  });
  return true;
}

function addCommonLine(section: SessionDraft | MediaDraft, type: string, value: string): boolean {
  switch (type) {
    case "i":
      if (section.information !== undefined) return keep(section, type, value);
      section.information = value;
      return count(section, type);
    case "c": {
      const connection = parseConnection(value);
      if (!connection) return false;
      if (section.connection) return keep(section, type, value);
      section.connection = connection;
      return count(section, type);
    }
    case "b": {
      const bandwidth = parseBandwidth(value);
      if (!bandwidth) return false;
      section.bandwidths.push(bandwidth);
      return count(section, type);
    }
    case "k":
      if (section.key !== undefined) return keep(section, type, value);
      section.key = value;
      return count(section, type);
    case "a":
      section.attributes.push(parseAttribute(value));
      return count(section, type);
    default:
      return keep(section, type, value);
  }
}

function count(section: Counted, type: string): true {
  section.counts[type] = (section.counts[type] ?? 0) + 1;
  section.lastType = type;
  return true;
}

function keep(section: Counted & { otherLines: OtherLine[] }, type: string, value: string): true {
  const follows = { type: section.lastType, nth: section.counts[section.lastType] ?? 0 };
  section.otherLines.push({ type, value, follows });
  return true;
}

function words(value: string): string[] {
  return value.split(" ").filter((word) => word !== "");
}

function parseOrigin(value: string): Origin | undefined {
  const [username, sessionId, version, netType, addressType, address, ...rest] = words(value);
  if (!username || !sessionId || !version || !netType || !addressType || !address || rest.length > 0) {
    return undefined;
  }
  return { username, sessionId, version, netType, addressType, address };
}

function parseConnection(value: string): Connection | undefined {
  const [netType, addressType, address, ...rest] = words(value);
  if (!netType || !addressType || !address || rest.length > 0) return undefined;
  return { netType, addressType, address };
}

function parseBandwidth(value: string): Bandwidth | undefined {
  const colon = value.indexOf(":");
  return colon > 0 ? { type: value.slice(0, colon), value: value.slice(colon + 1) } : undefined;
}

function parseAttribute(text: string): Attribute {
  const colon = text.indexOf(":");
  return colon < 0 ? { name: text } : { name: text.slice(0, colon), value: text.slice(colon + 1) };
}
