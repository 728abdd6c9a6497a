import type { XmlElement } from "../text/index.ts";
import type { HttpMethod } from "./document.ts";
import type { TwimlReading } from "./reading.ts";

/** One attribute: what it may hold, and what it is when absent or unreadable. */
export interface AttributeRule<T> {
  /** `undefined` for a value that is not allowed. */
  readonly parse: (text: string) => T | undefined;
  /** Of an absent attribute, and of one whose value is not allowed. */
  readonly fallback: T;
  /** In words, for the issue. */
  readonly expected: string;
  /** Twilio's code for a value that is not allowed; 12200 where it has none. */
  readonly code?: number;
  /** The value makes the whole element impossible to carry out. */
  readonly fatal?: boolean;
}

/** An attribute that Twilio has and this platform does nothing with; its value is not looked at. */
export const IGNORED = "ignored";

/** The attributes of one element, by their exact names. */
export type AttributeTable = Readonly<Record<string, AttributeRule<unknown> | typeof IGNORED>>;

/** What reading an element by a table gives. */
export type AttributesOf<T extends AttributeTable> = {
  readonly [K in keyof T as T[K] extends typeof IGNORED ? never : K]: T[K] extends AttributeRule<infer V>
    ? V
    : never;
};

/**
 * Reads the attributes of `element` by `table`. Names are case-sensitive; one that the table does not have is
 * reported and ignored, as Twilio does.
 */
export function readAttributes<T extends AttributeTable>(
  element: XmlElement,
  table: T,
  reading: TwimlReading,
): AttributesOf<T> {
  const values: Record<string, unknown> = {};
  for (const [name, rule] of Object.entries(table)) if (rule !== IGNORED) values[name] = rule.fallback;
  for (const attribute of element.attributes) {
    if (attribute.namespace !== "") continue; // xsi:schemaLocation and the like
    const rule = Object.hasOwn(table, attribute.name) ? table[attribute.name] : undefined;
    if (rule === undefined) {
      reading.warn(element, 12200, `<${element.name}> has no attribute "${shown(attribute.name)}"`);
      continue;
    }
    if (rule === IGNORED) continue;
    const written = attribute.value.trim();
    if (written === "" && rule.fallback === undefined) continue; // a template with nothing to fill in
    const value = rule.parse(written);
    if (value !== undefined) {
      values[attribute.name] = value;
      continue;
    }
    const message = `"${shown(attribute.value)}" is not ${rule.expected} (${attribute.name} of <${element.name}>)`;
    if (rule.fatal) reading.fault(element, rule.code ?? 12200, message);
    else reading.warn(element, rule.code ?? 12200, message);
  }
  return values as AttributesOf<T>;
}

/** Any text up to `maxLength` UTF-16 units; empty counts as absent. */
export const text = (maxLength = 4096, code = 12200): AttributeRule<string | undefined> => ({
  parse: (value) => (value.length <= maxLength ? value : undefined),
  fallback: undefined,
  expected: `text of at most ${maxLength} characters`,
  code,
});

/** A URL, absolute or relative to the document; who fetches it decides what it may point to. */
export const url = (code?: number): AttributeRule<string | undefined> => ({
  parse: (value) => (value !== "" && value.length <= 4096 && !/\s/.test(value) ? value : undefined),
  fallback: undefined,
  expected: "a URL",
  ...(code === undefined ? {} : { code }),
});

/** `http:` or `https:` with a host. */
export const absoluteUrl = (): AttributeRule<string | undefined> => ({
  parse: (value) => (/^https?:\/\/[^\s/]\S*$/i.test(value) && value.length <= 4096 ? value : undefined),
  fallback: undefined,
  expected: "an absolute http or https URL",
});

/** A whole number from `min` to `max`, both allowed. */
export const integer = (
  fallback: number,
  min: number,
  max: number,
  code?: number,
): AttributeRule<number> => ({
  parse: (value) => {
    const number = /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN;
    return number >= min && number <= max ? number : undefined;
  },
  fallback,
  expected: `a whole number from ${min} to ${max}`,
  ...(code === undefined ? {} : { code }),
});

export const boolean = (fallback: boolean, code?: number): AttributeRule<boolean> => ({
  parse: (value) => (value === "true" ? true : value === "false" ? false : undefined),
  fallback,
  expected: "true or false",
  ...(code === undefined ? {} : { code }),
});

export const oneOf = <const V extends string>(
  values: readonly V[],
  fallback: NoInfer<V>,
  code?: number,
): AttributeRule<V> => ({
  parse: (value) => values.find((candidate) => candidate === value),
  fallback,
  expected: `one of ${values.join(", ")}`,
  ...(code === undefined ? {} : { code }),
});

/** Several of `values`, separated by white space. */
export const someOf = <const V extends string>(
  values: readonly V[],
  fallback: readonly NoInfer<V>[],
  code?: number,
): AttributeRule<readonly V[]> => ({
  parse: (value) => {
    const words = value.split(/\s+/).filter((word) => word !== "");
    const known = values.filter((candidate) => words.includes(candidate));
    return words.every((word) => values.some((candidate) => candidate === word)) ? known : undefined;
  },
  fallback,
  expected: `a list out of ${values.join(", ")}`,
  ...(code === undefined ? {} : { code }),
});

/** GET or POST; POST where nothing is said. */
export const httpMethod = (code?: number): AttributeRule<HttpMethod> => ({
  ...oneOf(["GET", "POST"], "POST", code),
  parse: (value) => (/^get$/i.test(value) ? "GET" : /^post$/i.test(value) ? "POST" : undefined),
});

const shown = (value: string): string => (value.length > 60 ? `${value.slice(0, 60)}…` : value);
