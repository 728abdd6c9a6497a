import type { CallRecord, SiprecRecord } from "./records.ts";

/** What templates may name. */
const VALUES = {
  AccountSid: (_call, { accountSid }) => accountSid,
  CallSid: (_call, { callSid }) => callSid,
  SiprecSid: (_call, { sid }) => sid,
  ConnectorName: (_call, { connectorName }) => connectorName,
  Direction: (call) => call?.direction,
  From: (call) => call?.from,
  To: (call) => call?.to,
  CallerName: (call) => call?.callerName,
  PhoneNumberSid: (call) => call?.phoneNumberSid,
  TrunkSid: (call) => call?.trunkSid,
} as const satisfies Record<
  string,
  (call: CallRecord | undefined, record: SiprecRecord) => string | null | undefined
>;

const PARAMETER = "Parameter.";
const PLACEHOLDER = /\{([^{}]*)\}/g;

const isName = (name: string): name is keyof typeof VALUES => Object.hasOwn(VALUES, name);

/** Names in braces that a template cannot have; empty: it is sound. */
export function unknownPlaceholders(template: string): readonly string[] {
  const names = [...template.matchAll(PLACEHOLDER)].flatMap(([, inside]) => (inside ?? "").split("|"));
  return names.filter((name) => !isName(name) && !(name.startsWith(PARAMETER) && name !== PARAMETER));
}

/**
 * Puts what is known of a call into a template: `{CallSid}`, `{Parameter.conversation}`, `{CallerName|From}` (the
 * first that there is).
 *
 * @returns the names that nothing is known of, when there are such
 */
export function fillTemplate(
  template: string,
  record: SiprecRecord,
  call: CallRecord | undefined,
): { readonly text: string } | { readonly missing: readonly string[] } {
  const missing: string[] = [];
  const known = (name: string): string => {
    if (isName(name)) return VALUES[name](call, record) ?? "";
    return record.parameters.find((parameter) => `${PARAMETER}${parameter.name}` === name)?.value ?? "";
  };
  const text = template.replace(PLACEHOLDER, (_whole, inside: string) => {
    const value = inside
      .split("|")
      .map(known)
      .find((each) => each !== "");
    if (value === undefined) missing.push(inside);
    return value ?? "";
  });
  return missing.length > 0 ? { missing } : { text };
}
