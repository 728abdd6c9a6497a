import type { Attribute, MediaDescription, OtherLine, SessionDescription } from "./description.ts";

/**
 * Writes an SDP body, every line ended by CRLF, in the order RFC 8866 §9 wants.
 *
 * Values are written as they are: whoever makes a description from foreign text keeps CR, LF and NUL out of it.
 */
export function formatSessionDescription(description: SessionDescription): string {
  const { origin, connection } = description;
  const session = new SectionWriter(description.otherLines);
  session.line("v", "0");
  session.line(
    "o",
    `${origin.username} ${origin.sessionId} ${origin.version} ${origin.netType} ${origin.addressType} ${origin.address}`,
  );
  session.line("s", description.name);
  session.optional("i", description.information);
  session.optional("u", description.uri);
  for (const email of description.emails) session.line("e", email);
  for (const phone of description.phones) session.line("p", phone);
  if (connection) session.line("c", `${connection.netType} ${connection.addressType} ${connection.address}`);
  for (const { type, value } of description.bandwidths) session.line("b", `${type}:${value}`);
  for (const timing of description.timings) {
    session.line("t", `${timing.start} ${timing.stop}`);
    for (const repeat of timing.repeats) session.line("r", repeat);
  }
  session.optional("z", description.timeZones);
  session.optional("k", description.key);
  for (const attribute of description.attributes) session.line("a", formatAttribute(attribute));
  return session.end() + description.media.map(formatMedia).join("");
}

function formatMedia(media: MediaDescription): string {
  const writer = new SectionWriter(media.otherLines);
  const ports = media.portCount === undefined ? `${media.port}` : `${media.port}/${media.portCount}`;
  writer.line("m", [media.kind, ports, media.protocol, ...media.formats].join(" "));
  writer.optional("i", media.information);
  const { connection } = media;
  if (connection) writer.line("c", `${connection.netType} ${connection.addressType} ${connection.address}`);
  for (const { type, value } of media.bandwidths) writer.line("b", `${type}:${value}`);
  writer.optional("k", media.key);
  for (const attribute of media.attributes) writer.line("a", formatAttribute(attribute));
  return writer.end();
}

function formatAttribute({ name, value }: Attribute): string {
  return value === undefined ? name : `${name}:${value}`;
}

/** Writes the lines of one section and puts the other lines back where they stood. */
class SectionWriter {
  #text = "";
  #pending: readonly OtherLine[];
  readonly #counts: Record<string, number> = {};

  constructor(otherLines: readonly OtherLine[]) {
    this.#pending = otherLines;
  }

  line(type: string, value: string): void {
    this.#text += `${type}=${value}\r\n`;
    if (this.#pending.length === 0) return;
    const nth = (this.#counts[type] ?? 0) + 1;
    this.#counts[type] = nth;
    const due = (other: OtherLine) => other.follows.type === type && other.follows.nth === nth;
    for (const other of this.#pending.filter(due)) this.#text += `${other.type}=${other.value}\r\n`;
    this.#pending = this.#pending.filter((other) => !due(other));
  }

  optional(type: string, value: string | undefined): void {
    if (value !== undefined) this.line(type, value);
  }

  end(): string {
    for (const other of this.#pending) this.#text += `${other.type}=${other.value}\r\n`;
    this.#pending = [];
    return this.#text;
  }
}
