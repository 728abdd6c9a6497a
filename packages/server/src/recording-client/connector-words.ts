import { isToken } from "@callfork/protocol/text";
import { type CallRecord, fillTemplate, type SiprecRecord } from "../calls/index.ts";
import type { HeaderLine } from "../signalling/index.ts";
import type { ExtensionElement } from "./metadata.ts";
import { UNSUPPORTED_EDGE_CODE, URI_PARAMETER_CODE } from "./recorder-failure.ts";
import { type ConnectorPlan, isOwnHeader } from "./recorders.ts";

/** Own extension data stands in a namespace of its own, so that no custom parameter can pass for it. */
export const CALL_DATA_NAMESPACE = "urn:callfork:call:1";

/** What a connector says and this node does not do: said, never passed over. */
export function problemsOf({
  problems,
  edgeProblems,
  recorders,
}: ConnectorPlan): readonly { code: number; text: string }[] {
  return [
    ...problems.map((problem) => ({
      code: 31942,
      text: `the connector has an unusable SIP URI: ${problem}`,
    })),
    ...edgeProblems.map((problem) => ({
      code: UNSUPPORTED_EDGE_CODE,
      text: `${problem}: the recorder is not called`,
    })),
    ...recorders.flatMap(({ shownUri, warnings }) =>
      warnings.map((warning) => ({ code: URI_PARAMETER_CODE, text: `${shownUri}: ${warning}` })),
    ),
  ];
}

/** What goes into the session of the metadata, by the connector's switches. */
export function extensionsOf(
  { settings }: Pick<ConnectorPlan, "settings">,
  record: SiprecRecord,
  call: CallRecord | undefined,
  platformNamespace: string,
): readonly ExtensionElement[] {
  const elements: ExtensionElement[] = [];
  if (settings.parameterTransport !== "headers") {
    const parameters = parametersOf({ settings }, record, call);
    elements.push({ namespace: settings.extensionNamespace ?? platformNamespace, parameters });
  }
  if (settings.callData && call !== undefined) {
    const data: [string, string | null][] = [
      ["CallSid", call.sid],
      ["AccountSid", call.accountSid],
      ["Direction", call.direction],
      ["From", call.from],
      ["To", call.to],
      ["PhoneNumberSid", call.phoneNumberSid],
      ["TrunkSid", call.trunkSid],
    ];
    elements.push({
      namespace: CALL_DATA_NAMESPACE,
      parameters: data.flatMap(([name, value]) => (value === null ? [] : [{ name, value }])),
    });
  }
  return elements;
}

/** Those that were given, then those of the connector that were not and can be made. */
function parametersOf(
  { settings }: Pick<ConnectorPlan, "settings">,
  record: SiprecRecord,
  call: CallRecord | undefined,
): SiprecRecord["parameters"] {
  const given = new Set(record.parameters.map(({ name }) => name));
  const more = settings.parameters.flatMap((line) => {
    const [name, template] = splitAt(line, "=");
    const filled = fillTemplate(template, record, call);
    return given.has(name) || "missing" in filled ? [] : [{ name, value: filled.text }];
  });
  return [...record.parameters, ...more];
}

/**
 * Header fields of the INVITE that a connector asks for: its own, from templates, and custom parameters under their own
 * names where it wants them there. A name that is no token or that SIP itself needs, and a value that would not stay
 * within one field, are told of and left out; so is a template with something in it that is not known of this call.
 */
export function inviteHeaders(
  { settings, headers }: Pick<ConnectorPlan, "settings" | "headers">,
  record: SiprecRecord,
  call: CallRecord | undefined,
): { readonly headers: readonly HeaderLine[]; readonly problems: readonly string[] } {
  const taken = new Set(headers.map(([name]) => name.toLowerCase()));
  const lines: HeaderLine[] = [];
  const problems: string[] = [];
  const put = (what: string, name: string, value: string): void => {
    if (!isToken(name) || isOwnHeader(name) || taken.has(name.toLowerCase())) {
      problems.push(`${what} cannot be a header field of that name`);
    } else if (/[\u0000-\u001f\u007f]/.test(value) || value.length > MAXIMUM_HEADER_VALUE) {
      problems.push(`the value of ${what} cannot be the value of a header field`);
    } else lines.push([name, value]);
  };
  for (const line of settings.headers) {
    const [name, template] = splitAt(line, ":");
    const filled = fillTemplate(template.trim(), record, call);
    if ("missing" in filled) problems.push(`header ${name} is left out: no ${filled.missing.join(", ")}`);
    else put(`header ${name}`, name, filled.text);
  }
  if (settings.parameterTransport !== "metadata") {
    for (const { name, value } of parametersOf({ settings }, record, call)) {
      put(`parameter "${name}"`, name, value);
    }
  }
  return { headers: lines, problems };
}

/** Before and after the first separator. */
export function splitAt(line: string, separator: string): readonly [name: string, rest: string] {
  const at = line.indexOf(separator);
  return at < 0 ? [line, ""] : [line.slice(0, at), line.slice(at + separator.length)];
}

const MAXIMUM_HEADER_VALUE = 1024;
