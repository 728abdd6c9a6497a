import type { XmlElement } from "../text/index.ts";
import { type AttributeTable, httpMethod, oneOf, readAttributes } from "./attributes.ts";
import type { Hangup, Redirect, Reject } from "./document.ts";
import { contentOf, type TwimlReading } from "./reading.ts";

const HANGUP = {} as const satisfies AttributeTable;
const REJECT = { reason: oneOf(["rejected", "busy"], "rejected") } as const satisfies AttributeTable;
const REDIRECT = { method: httpMethod(13710) } as const satisfies AttributeTable;

export function readHangup(element: XmlElement, reading: TwimlReading): Hangup {
  readAttributes(element, HANGUP, reading);
  reading.noText(element);
  reading.noChildren(element);
  return { verb: "Hangup", ...reading.node(element) };
}

export function readReject(element: XmlElement, reading: TwimlReading): Reject {
  const attributes = readAttributes(element, REJECT, reading);
  reading.noText(element);
  reading.noChildren(element);
  return { verb: "Reject", ...attributes, ...reading.node(element) };
}

/** An empty `Redirect` means the document's own URL, which only its reader knows: `url` is empty then. */
export function readRedirect(element: XmlElement, reading: TwimlReading): Redirect {
  const attributes = readAttributes(element, REDIRECT, reading);
  reading.noChildren(element);
  const url = contentOf(element);
  if (/\s/.test(url)) reading.fault(element, 11100, "the URL of <Redirect> holds white space");
  return { verb: "Redirect", url, ...attributes, ...reading.node(element) };
}
