import { childElements, type XmlElement } from "../text/index.ts";
import { type AttributeTable, integer, readAttributes, text } from "./attributes.ts";
import type { Pause, Play, Say } from "./document.ts";
import { contentOf, type TwimlReading } from "./reading.ts";

const PLAY = {
  loop: integer(1, 0, 1_000, 13410),
  digits: {
    parse: (value: string) => (/^[0-9*#A-Da-dwW]{1,256}$/.test(value) ? value : undefined),
    fallback: undefined as string | undefined,
    expected: "DTMF digits, w and W",
    code: 13430,
  },
} as const satisfies AttributeTable;

const SAY = {
  voice: text(128, 13511),
  language: text(35, 13512),
  loop: integer(1, 0, 1_000, 13510),
} as const satisfies AttributeTable;

const PAUSE = { length: integer(1, 0, 86_400) } as const satisfies AttributeTable;

/** Twilio refuses longer texts. */
const MAX_SAY_LENGTH = 4096;

export function readPlay(element: XmlElement, reading: TwimlReading): Play {
  const attributes = readAttributes(element, PLAY, reading);
  reading.noChildren(element);
  const url = contentOf(element);
  if (attributes.digits === undefined && (url === "" || /\s/.test(url))) {
    reading.fault(element, 11100, url === "" ? "<Play> has no URL" : "the URL of <Play> holds white space");
  }
  return { verb: "Play", url, ...attributes, ...reading.node(element) };
}

export function readSay(element: XmlElement, reading: TwimlReading): Say {
  const attributes = readAttributes(element, SAY, reading);
  const spoken = flatten(element).replace(/\s+/g, " ").trim();
  if (spoken === "") reading.fault(element, 13520, "<Say> has no text");
  if (spoken.length > MAX_SAY_LENGTH) {
    reading.warn(element, 13521, `the text of <Say> is cut to ${MAX_SAY_LENGTH} characters`);
  }
  return { verb: "Say", text: spoken.slice(0, MAX_SAY_LENGTH), ...attributes, ...reading.node(element) };
}

export function readPause(element: XmlElement, reading: TwimlReading): Pause {
  const attributes = readAttributes(element, PAUSE, reading);
  reading.noText(element);
  reading.noChildren(element);
  return { verb: "Pause", ...attributes, ...reading.node(element) };
}

/** SSML inside `Say` is spoken as plain text, a break or paragraph as a blank. */
const flatten = (element: XmlElement): string =>
  childElements(element).length === 0
    ? contentOf(element)
    : element.children.map((child) => (typeof child === "string" ? child : ` ${flatten(child)} `)).join("");
