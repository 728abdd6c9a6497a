import { childElements, type XmlElement } from "../text/index.ts";
import {
  type AttributeRule,
  type AttributeTable,
  absoluteUrl,
  httpMethod,
  IGNORED,
  oneOf,
  readAttributes,
  text,
} from "./attributes.ts";
import type { Siprec, SiprecTrack, Start, Stop, TwimlParameter } from "./document.ts";
import type { TwimlReading } from "./reading.ts";

const START = { action: IGNORED, method: IGNORED } as const satisfies AttributeTable;
const STOP = {} as const satisfies AttributeTable;

/** A misspelt `paused` ends the fork with a warning: what was to stay unheard does. */
const statusRule = (status: "paused" | "in-progress"): AttributeRule<Siprec["status"]> => ({
  parse: (value) => (value === status ? status : undefined),
  fallback: undefined,
  expected: status,
});

const siprecTable = (verb: "Start" | "Stop", defaultTrack: SiprecTrack) =>
  ({
    status: statusRule(verb === "Stop" ? "paused" : "in-progress"),
    name: text(),
    connectorName: text(),
    edge: text(),
    track: {
      ...oneOf<SiprecTrack>(["inbound_track", "outbound_track", "both_tracks"], defaultTrack, 31941),
      fatal: true,
    },
    statusCallback: absoluteUrl(),
    statusCallbackMethod: httpMethod(),
  }) as const satisfies AttributeTable;

const PARAMETER = { name: text(), value: text(65_536) } as const satisfies AttributeTable;

export function readStart(element: XmlElement, reading: TwimlReading, defaultTrack: SiprecTrack): Start {
  readAttributes(element, START, reading);
  const nouns = readNouns(element, reading, (child) => {
    const siprec = readSiprec(child, reading, "Start", defaultTrack);
    if (siprec.status !== undefined) {
      if (siprec.name !== undefined) return siprec;
      reading.fault(child, 12200, '<Siprec status="in-progress"> has no name');
      return { ...siprec, ...reading.node(child) };
    }
    if (siprec.connectorName !== "") return siprec;
    reading.fault(child, 31940, "<Siprec> names no connector");
    return { ...siprec, ...reading.node(child) };
  });
  return { verb: "Start", nouns, ...reading.node(element) };
}

export function readStop(element: XmlElement, reading: TwimlReading, defaultTrack: SiprecTrack): Stop {
  readAttributes(element, STOP, reading);
  const nouns = readNouns(element, reading, (child) => {
    const siprec = readSiprec(child, reading, "Stop", defaultTrack);
    if (siprec.name !== undefined) return siprec;
    reading.fault(child, 12200, "<Siprec> inside <Stop> has no name");
    return { ...siprec, ...reading.node(child) };
  });
  return { verb: "Stop", nouns, ...reading.node(element) };
}

function readNouns(
  element: XmlElement,
  reading: TwimlReading,
  read: (child: XmlElement) => Siprec,
): Siprec[] {
  reading.noText(element);
  const nouns: Siprec[] = [];
  for (const child of childElements(element)) {
    if (child.name === "Siprec") nouns.push(read(child));
    else reading.warn(child, 12200, `<${child.name}> inside <${element.name}> is not supported`);
  }
  if (childElements(element).length === 0) reading.warn(element, 12200, `<${element.name}> is empty`);
  return nouns;
}

function readSiprec(
  element: XmlElement,
  reading: TwimlReading,
  verb: "Start" | "Stop",
  defaultTrack: SiprecTrack,
): Siprec {
  const table = siprecTable(verb, defaultTrack);
  const { name, connectorName, edge, ...attributes } = readAttributes(element, table, reading);
  reading.noText(element);
  const parameters: TwimlParameter[] = [];
  for (const child of childElements(element)) {
    const parameter = readParameter(child, element, reading);
    if (parameter !== undefined) parameters.push(parameter);
  }
  return {
    noun: "Siprec",
    name: name === "" ? undefined : name,
    connectorName: connectorName ?? "",
    edge: edge === "" ? undefined : edge,
    ...attributes,
    parameters,
    ...reading.node(element),
  };
}

/** Values are taken as they stand, white space included: nothing here may change what the author wrote. */
function readParameter(
  element: XmlElement,
  parent: XmlElement,
  reading: TwimlReading,
): TwimlParameter | undefined {
  if (element.name !== "Parameter") {
    reading.warn(element, 12200, `<${element.name}> is not allowed inside <${parent.name}>`);
    return undefined;
  }
  const { name } = readAttributes(element, PARAMETER, reading);
  reading.noText(element);
  reading.noChildren(element);
  if (name === undefined || name === "") {
    reading.warn(element, 12200, "<Parameter> has no name and is ignored");
    return undefined;
  }
  const value = element.attributes.find((attribute) => attribute.name === "value")?.value ?? "";
  return { name, value, ...reading.node(element) };
}
