/**
 * The fields of a request by name, each with its values in order: a form, a query string or a flat JSON object.
 * A value is text in all three, so that one set of rules checks them.
 */
export type Form = ReadonlyMap<string, readonly string[]>;

/** Why a body could not become a form. */
export class FormProblem {
  readonly message: string;
  constructor(message: string) {
    this.message = message;
  }
}

export const EMPTY_FORM: Form = new Map();

/** 99 parameters of two fields each, and room for the rest. */
const FIELD_LIMIT = 1000;

/** `application/x-www-form-urlencoded`; blanks may come as `%20` or `+`, names may repeat. */
export function parseForm(text: string): Form | FormProblem {
  const form = new Map<string, string[]>();
  let count = 0;
  for (const [name, value] of new URLSearchParams(text)) {
    count += 1;
    if (count > FIELD_LIMIT) return new FormProblem(`More than ${FIELD_LIMIT} fields`);
    const values = form.get(name);
    if (values === undefined) form.set(name, [value]);
    else values.push(value);
  }
  return form;
}

/** A flat JSON object: `null` means the empty text, which clears a field; arrays are repeated fields. */
export function formOfJson(text: string): Form | FormProblem {
  if (text.trim() === "") return EMPTY_FORM;
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    return new FormProblem("The body is not JSON");
  }
  if (typeof content !== "object" || content === null || Array.isArray(content))
    return new FormProblem("The body must be a JSON object");
  const form = new Map<string, string[]>();
  for (const [name, value] of Object.entries(content)) {
    const values = (Array.isArray(value) ? value : [value]).map(textOf);
    if (form.size >= FIELD_LIMIT || values.length > FIELD_LIMIT)
      return new FormProblem(`More than ${FIELD_LIMIT} fields`);
    if (values.some((one) => one === undefined))
      return new FormProblem(
        `${name.slice(0, 64)} must be a text, a number, true, false, null or a list of these`,
      );
    // An empty list clears, as an empty field does in a form.
    form.set(name, values.length === 0 ? [""] : (values as string[]));
  }
  return form;
}

function textOf(value: unknown): string | undefined {
  if (value === null) return "";
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean"
    ? String(value)
    : undefined;
}
