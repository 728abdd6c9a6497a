import { err, ok, type Result } from "@callfork/protocol/text";
import Type, { type TSchema, type TSchemaOptions } from "typebox";
import { Value } from "typebox/value";
import { ParameterError } from "./errors.ts";
import type { Form } from "./form.ts";

/** One parameter of a request: its schema for /openapi.json, and how its text becomes a value. */
export interface Field<T, Required extends boolean = boolean> {
  readonly schema: TSchema;
  /** The published code of a wrong value. */
  readonly code: number;
  readonly required: Required;
  /** The published code of a missing value, where it is another one. */
  readonly missingCode?: number;
  /** `values` holds at least one. An error completes the sentence "Url …". */
  readonly read: (values: readonly string[]) => Result<T | undefined, string>;
}

export type Fields = Readonly<Record<string, Field<unknown>>>;

/** What a set of fields yields: required ones are there, the others may be undefined. */
export type Values<F extends Fields> = {
  readonly [Name in keyof F]: F[Name] extends Field<infer T, infer Required>
    ? Required extends true
      ? T
      : T | undefined
    : never;
};

/** Reads all fields; names that are not among them are ignored, as Twilio does. Throws the first `ParameterError`. */
export function readFields<F extends Fields>(fields: F, form: Form): Values<F> {
  const found: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(fields)) {
    const values = form.get(name);
    const value = values === undefined ? ok(undefined) : field.read(values);
    if (!value.ok) throw new ParameterError(field.code, `${name} ${value.error}`);
    if (value.value === undefined && field.required)
      throw new ParameterError(field.missingCode ?? field.code, `${name} is required`);
    found[name] = value.value;
  }
  return found as Values<F>;
}

export interface TextRules {
  readonly code: number;
  /** Most characters; default 255. */
  readonly max?: number;
  readonly description?: string;
  readonly pattern?: RegExp;
  /** What the pattern asks, in words. */
  readonly hint?: string;
  /** Line breaks and tabs are allowed: documents. */
  readonly multiline?: boolean;
}

/** Text without control characters. Empty is the same as absent. */
export function text(rules: TextRules): Field<string, false> {
  return checkedText(rules, ok);
}

/** Text that `check` turns into a value; its error completes the sentence "SipUri …". */
export function checkedText<T>(
  rules: TextRules,
  check: (text: string) => Result<T, string>,
): Field<T, false> {
  const { code, max = 255, pattern, hint, description, multiline = false } = rules;
  const options: TSchemaOptions = {
    maxLength: max,
    ...(pattern === undefined ? {} : { pattern: pattern.source }),
    ...(description === undefined ? {} : { description }),
  };
  const read = (value: string): Result<T | undefined, string> => {
    if (value === "") return ok(undefined);
    if ((multiline ? CONTROL_BUT_LINES : CONTROL).test(value)) return err("must not hold control characters");
    if (value.length > max) return err(`must be ${max} characters at most`);
    if (pattern !== undefined && !pattern.test(value)) return err(hint ?? "is not valid");
    return check(value);
  };
  return { schema: Type.String(options), code, required: false, read: single(read) };
}

export function integer(rules: {
  readonly code: number;
  readonly min: number;
  readonly max: number;
  readonly description?: string;
}): Field<number, false> {
  const { code, min: minimum, max: maximum, description } = rules;
  const schema = Type.Integer({ minimum, maximum, ...(description === undefined ? {} : { description }) });
  return {
    schema,
    code,
    required: false,
    read: single((value) => {
      if (value === "") return ok(undefined);
      const number = /^-?\d{1,15}$/.test(value) ? Number(value) : Number.NaN;
      return Value.Check(schema, number)
        ? ok(number)
        : err(`must be a whole number from ${minimum} to ${maximum}`);
    }),
  };
}

/** One of a few words; case does not matter. */
export function choice<const Words extends readonly string[]>(
  words: Words,
  rules: { readonly code: number; readonly description?: string },
): Field<Words[number], false> {
  const { code, description } = rules;
  return {
    schema: Type.Enum([...words], description === undefined ? {} : { description }),
    code,
    required: false,
    read: single((value) => {
      if (value === "") return ok(undefined);
      const word = words.find((one) => one.toLowerCase() === value.toLowerCase());
      return word === undefined ? err(`must be one of ${words.join(", ")}`) : ok(word);
    }),
  };
}

/** Repeated in a form, an array in JSON; `separator` also splits one value. Empty means an empty list. */
export function list<T>(
  item: Field<T>,
  rules: { readonly max: number; readonly separator?: RegExp; readonly description?: string },
): Field<readonly T[], false> {
  const { max, separator, description } = rules;
  return {
    schema: Type.Array(item.schema, { maxItems: max, ...(description === undefined ? {} : { description }) }),
    code: item.code,
    required: false,
    read(values) {
      const found: T[] = [];
      for (const one of separator === undefined
        ? values
        : values.flatMap((value) => value.split(separator))) {
        const value = item.read([one]);
        if (!value.ok) return value;
        if (value.value !== undefined) found.push(value.value);
        if (found.length > max) return err(`may be given ${max} times at most`);
      }
      return ok(found);
    },
  };
}

export function required<T>(field: Field<T>, missingCode = field.code): Field<T, true> {
  return { ...field, required: true, missingCode };
}

/** An empty value clears what was there: the field yields null. */
export function clearable<T>(field: Field<T>): Field<T | null, false> {
  return {
    ...field,
    schema: Type.Union([field.schema, Type.Null()]),
    required: false,
    read: (values) => (values.length === 1 && values[0] === "" ? ok(null) : field.read(values)),
  };
}

const METHOD_WORDS = ["GET", "POST"] as const;
export const httpMethod = (code: number) => choice(METHOD_WORDS, { code });

/** An absolute http or https URL; a fragment may carry connection overrides (`#rc=2&rp=all`). */
export function url(code: number, description?: string): Field<string, false> {
  const hint = "must be an absolute http or https URL";
  return checkedText({ code, max: 4000, ...(description === undefined ? {} : { description }) }, (value) => {
    if (!/^https?:\/\/[^\s/?#]/i.test(value) || /\s/.test(value) || !URL.canParse(value)) return err(hint);
    return ok(value);
  });
}

function single<T>(
  read: (value: string) => Result<T, string>,
): (values: readonly string[]) => Result<T, string> {
  return (values) => (values.length === 1 ? read(values[0]!) : err("is given more than once"));
}

const CONTROL = /[\x00-\x1f\x7f]/;
const CONTROL_BUT_LINES = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/;
