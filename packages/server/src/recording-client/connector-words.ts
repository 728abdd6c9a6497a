import { isToken } from "@callfork/protocol/text";
import type { CallRecord, SiprecRecord } from "../calls/index.ts";
import type { HeaderLine } from "../signalling/index.ts";
import type { ExtensionElement } from "./metadata.ts";
import { UNSUPPORTED_EDGE_CODE, URI_PARAMETER_CODE } from "./recorder-failure.ts";
import { type ConnectorPlan, isOwnHeader } from "./recorders.ts";

/** Own extension data stands in a namespace of its own, so that no custom parameter can pass for it. */
export const CALL_DATA_NAMESPACE = "urn:callfork:call:1";

/** What a connector says and this node does not do: said, never passed over. */
export function problemsOf({
  problems,
  recorders,
}: ConnectorPlan): readonly { code: number; text: string }[] {
  return [
    ...problems.map((problem) => ({
      code: 31942,
      text: `the connector has an unusable SIP URI: ${problem}`,
    })),
    ...recorders.flatMap(({ edge, shownUri, warnings }) => [
      ...(edge === undefined
        ? []
        : [
            {
              code: UNSUPPORTED_EDGE_CODE,
              text: `${shownUri}: edge=${edge} is not supported by this node; the session leaves by the default route`,
            },
          ]),
      ...warnings.map((warning) => ({ code: URI_PARAMETER_CODE, text: `${shownUri}: ${warning}` })),
    ]),
  ];
}

/** What goes into the session of the metadata, by the connector's switches. */
export function extensionsOf(
  { settings }: Pick<ConnectorPlan, "settings">,
  { parameters }: Pick<SiprecRecord, "parameters">,
  call: CallRecord | undefined,
  platformNamespace: string,
): readonly ExtensionElement[] {
  const elements: ExtensionElement[] = [];
  if (settings.parameterTransport !== "headers") {
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

/**
 * Custom parameters as header fields of the INVITE, under their own names. A name that is no token or that SIP itself
 * needs, and a value that would not stay within one field, are told of and left out.
 */
export function parameterHeaders(
  { settings, headers }: Pick<ConnectorPlan, "settings" | "headers">,
  parameters: SiprecRecord["parameters"],
): { readonly headers: readonly HeaderLine[]; readonly problems: readonly string[] } {
  if (settings.parameterTransport === "metadata") return { headers: [], problems: [] };
  const credential = headers[0]?.[0].toLowerCase();
  const lines: HeaderLine[] = [];
  const problems: string[] = [];
  for (const { name, value } of parameters) {
    const isTaken = isOwnHeader(name) || name.toLowerCase() === credential;
    if (!isToken(name) || isTaken) problems.push(`parameter "${name}" cannot be a header field of that name`);
    else if (/[\u0000-\u001f\u007f]/.test(value) || value.length > MAXIMUM_HEADER_VALUE) {
      problems.push(`the value of parameter "${name}" cannot be the value of a header field`);
    } else lines.push([name, value]);
  }
  return { headers: lines, problems };
}

const MAXIMUM_HEADER_VALUE = 1024;
