import { err, ok, type Result, type TextError } from "../text/index.ts";

const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"] as const;
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"] as const;

const SIP_DATE = /^(\w{3}), (\d{1,2}) (\w{3}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) GMT$/i;

/**
 * Reads a Date header (RFC 3261 §20.17): RFC 1123 form, GMT and nothing else.
 *
 * @returns milliseconds since 1970-01-01T00:00:00Z; the name of the day is not checked against the date
 */
export function parseSipDate(text: string): Result<number, TextError> {
  const match = SIP_DATE.exec(text.trim());
  if (match === null) return err({ message: "expected an RFC 1123 date in GMT", offset: 0 });
  const month = MONTHS.findIndex((name) => name.toLowerCase() === match[3]!.toLowerCase());
  const [day, year, hour, minute, second] = [2, 4, 5, 6, 7].map((group) => Number(match[group])) as [
    number,
    number,
    number,
    number,
    number,
  ];
  const date = new Date(Date.UTC(2000, 0, 1, hour, minute, Math.min(second, 59)));
  date.setUTCFullYear(year, month, day);
  if (month < 0 || date.getUTCDate() !== day || hour > 23 || minute > 59 || second > 60)
    return err({ message: "no such date", offset: 0 });
  return ok(date.getTime());
}

/** Writes a Date header; fractions of a second are cut off. */
export function formatSipDate(epochMs: number): string {
  const date = new Date(epochMs);
  const two = (value: number) => String(value).padStart(2, "0");
  const clock = [date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()].map(two).join(":");
  const year = String(date.getUTCFullYear()).padStart(4, "0");
  return `${DAYS[date.getUTCDay()]}, ${two(date.getUTCDate())} ${MONTHS[date.getUTCMonth()]} ${year} ${clock} GMT`;
}
