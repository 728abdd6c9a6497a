/** `Thu, 30 Jul 2015 20:00:00 +0000`: RFC 2822 §3.3 as Twilio's 2010 resources print it, whole seconds. */
export function rfc2822(epochMs: number): string {
  return new Date(epochMs).toUTCString().replace("GMT", "+0000");
}

/** `2015-07-30T20:00:00Z`: ISO 8601 as our own resources print it; milliseconds only where there are any. */
export function iso8601(epochMs: number): string {
  return new Date(epochMs).toISOString().replace(".000Z", "Z");
}

/** The same, keeping null. */
export const rfc2822OrNull = (epochMs: number | null): string | null =>
  epochMs === null ? null : rfc2822(epochMs);
export const iso8601OrNull = (epochMs: number | null): string | null =>
  epochMs === null ? null : iso8601(epochMs);

/** A filter's instant or day. */
export interface DateFilter {
  readonly from: number;
  /** Last millisecond: of the day, where only a day was given. */
  readonly to: number;
}

const DATE = /^\d{4}-\d\d-\d\d$/;
const DATE_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:?\d\d)?$/;

/** `2024-01-02` or `2024-01-02T03:04:05Z`; GMT where no zone is named. */
export function parseDateFilter(text: string): DateFilter | undefined {
  const day = DATE.test(text);
  if (!day && !DATE_TIME.test(text)) return undefined;
  const zoned = day || /(Z|[+-]\d\d:?\d\d)$/.test(text) ? text : `${text}Z`;
  const from = Date.parse(zoned);
  if (Number.isNaN(from)) return undefined;
  // Date.parse rolls 2024-02-31 over into March.
  if (day && new Date(from).toISOString().slice(0, 10) !== text) return undefined;
  return { from, to: day ? from + 86_399_999 : from + 999 };
}
