import type { XmlElement } from "./xml.ts";

/** True when XML 1.0 can carry every character of `text`: no controls but tab and line breaks, no lone surrogate. */
export const isXmlText = (text: string): boolean => !FORBIDDEN.test(text);

/** Character data for an element. What XML cannot carry becomes U+FFFD; refuse it earlier where that matters. */
export const escapeXmlText = (text: string): string =>
  text.replace(FORBIDDEN_ALL, "\ufffd").replace(/[&<>\r]/g, (character) => ESCAPES[character]!);

/** The value of an attribute, to stand between double quotes. White space survives a reader's normalisation. */
export const escapeXmlAttribute = (text: string): string =>
  text.replace(FORBIDDEN_ALL, "\ufffd").replace(/[&<>"\t\n\r]/g, (character) => ESCAPES[character]!);

/**
 * Writes one element as text that stands by itself: prefixes are replaced by default namespaces, prefixed
 * attributes get a declaration of their own. Reading it back gives the same tree, prefixes apart.
 */
export const formatXmlElement = (element: XmlElement): string => write(element, "");

function write(element: XmlElement, inherited: string): string {
  let head = `<${element.local}`;
  if (element.namespace !== inherited) head += ` xmlns="${escapeXmlAttribute(element.namespace)}"`;
  let prefixes = 0;
  for (const attribute of element.attributes) {
    let name = attribute.local;
    if (attribute.namespace === XML_NAMESPACE) name = `xml:${name}`;
    else if (attribute.namespace !== "") {
      prefixes += 1;
      head += ` xmlns:ns${prefixes}="${escapeXmlAttribute(attribute.namespace)}"`;
      name = `ns${prefixes}:${name}`;
    }
    head += ` ${name}="${escapeXmlAttribute(attribute.value)}"`;
  }
  if (element.children.length === 0) return `${head}/>`;
  const inner = element.children.map((child) =>
    typeof child === "string" ? escapeXmlText(child) : write(child, element.namespace),
  );
  return `${head}>${inner.join("")}</${element.local}>`;
}

const XML_NAMESPACE = "http://www.w3.org/XML/1998/namespace";

const FORBIDDEN = /[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/u;
const FORBIDDEN_ALL = new RegExp(FORBIDDEN.source, "gu");

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "\t": "&#9;",
  "\n": "&#10;",
  "\r": "&#13;",
};
