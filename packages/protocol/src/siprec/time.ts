/** A time as a document gave it. */
export interface MetadataTime {
  readonly epochMs: number;
  /** The text named a zone; without one it was read as UTC, and the sender may have meant another. */
  readonly zoned: boolean;
}

/**
 * Reads a time liberally: RFC 3339, and also lower case, a blank for the `T`, no zone, `+0200`, any number of
 * fraction digits (kept to the millisecond) and a leap second.
 *
 * @returns nothing when the text is no time or names a day that does not exist
 */
export function parseMetadataTime(text: string): MetadataTime | undefined {
  const match = TIME.exec(text.trim());
  if (match === null) return undefined;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as SixNumbers;
  const leapSecond = second === 60;
  if (month < 1 || month > 12 || hour > 23 || minute > 59 || second > 60) return undefined;
  const milliseconds = Number(`${match[7] ?? ""}000`.slice(0, 3));
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return undefined;
  date.setUTCHours(hour, minute, leapSecond ? 59 : second, leapSecond ? 999 : milliseconds);
  const offsetMinutes = zoneOffset(match[8]);
  if (offsetMinutes === undefined) return undefined;
  return { epochMs: date.getTime() - offsetMinutes * 60_000, zoned: match[8] !== undefined };
}

/** RFC 3339 with milliseconds and an upper-case `Z` (RFC 7865 §6.9). `epochMs` must lie in the years 0 to 9999. */
export const formatMetadataTime = (epochMs: number): string => new Date(epochMs).toISOString();

type SixNumbers = [number, number, number, number, number, number];

const TIME =
  /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,12}))?\s*([Zz]|[+-]\d\d(?::?\d\d)?)?$/;

function zoneOffset(zone: string | undefined): number | undefined {
  if (zone === undefined || zone === "Z" || zone === "z") return 0;
  const hours = Number(zone.slice(1, 3));
  const minutes = Number(zone.slice(3).replace(":", "") || 0);
  if (hours > 23 || minutes > 59) return undefined;
  return (zone.startsWith("-") ? -1 : 1) * (hours * 60 + minutes);
}
