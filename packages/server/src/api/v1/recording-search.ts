import type { RecordingFilter } from "../../recording-server/index.ts";
import { parseDateFilter } from "../http/dates.ts";
import { defined } from "../http/defined.ts";
import { ParameterError } from "../http/errors.ts";
import { type Fields, text, type Values } from "../http/fields.ts";
import type { Form } from "../http/form.ts";

const term = (description: string) => text({ code: 20422, description });

/** What recordings can be searched by, besides `Status` and `ExtensionData.<name>`. */
export const SEARCH_FIELDS = {
  Number: term("Address or number of a participant; * at its end stands for anything"),
  Name: term("Name of a participant, or a word of it; * as above"),
  Label: term("Label of a track; * as above"),
  Connector: term("Unique name of the connector that this node sent it by"),
  SipCallId: term("Call-ID of the recording session"),
  SessionId: term("Id of the communication session, or a SIP Session-ID"),
  GroupId: term("Id of the communication session group"),
  Source: term("Address of the recording client, without port"),
  StartDate: text({ code: 20422, max: 40, description: "Started on that day or at that instant, or later" }),
  EndDate: text({ code: 20422, max: 40, description: "Started up to that day or instant, included" }),
} as const satisfies Fields;

const EXTENSION = "ExtensionData.";
/** Conditions on extension data in one request. */
const MAX_EXTENSIONS = 10;

export function filterOf(query: Values<typeof SEARCH_FIELDS>, search: Form): RecordingFilter {
  const extensionData: [string, string][] = [];
  for (const [name, values] of search) {
    if (!name.startsWith(EXTENSION) || name.length === EXTENSION.length) continue;
    extensionData.push([name.slice(EXTENSION.length), values[0] ?? ""]);
    if (values.length > 1) throw new ParameterError(20422, `${name} is given more than once`);
  }
  if (extensionData.length > MAX_EXTENSIONS)
    throw new ParameterError(20422, `at most ${MAX_EXTENSIONS} conditions on extension data`);
  return defined({
    number: query.Number,
    name: query.Name,
    label: query.Label,
    connector: query.Connector,
    callId: query.SipCallId,
    sessionId: query.SessionId,
    groupId: query.GroupId,
    source: query.Source,
    startedFrom: instant("StartDate", query.StartDate)?.from,
    startedTo: instant("EndDate", query.EndDate)?.to,
    extensionData: extensionData.length === 0 ? undefined : Object.fromEntries(extensionData),
  });
}

/** Throws `ParameterError`. */
export function instant(name: string, value: string | undefined) {
  if (value === undefined) return undefined;
  const range = parseDateFilter(value);
  if (range === undefined) throw new ParameterError(20422, `${name} must be a day or an instant (ISO 8601)`);
  return range;
}
