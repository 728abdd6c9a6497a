import { type SaxesAttributeNS, SaxesParser } from "saxes";
import { err, ok, type Result } from "./result.ts";

/** What an XML document may cost at most. Size is checked by `decodeXml`, before any parsing. */
export interface XmlLimits {
  readonly maxBytes: number;
  /** Elements inside each other, the root included. */
  readonly maxDepth: number;
  /** Elements in the whole document. */
  readonly maxElements: number;
  /** Attributes of one element, namespace declarations included. */
  readonly maxAttributes: number;
}

export type XmlErrorCode =
  | "XML_TOO_LARGE"
  | "XML_UNSUPPORTED_ENCODING"
  | "XML_DOCTYPE_REFUSED"
  | "XML_TOO_DEEP"
  | "XML_TOO_MANY_ELEMENTS"
  | "XML_TOO_MANY_ATTRIBUTES"
  | "XML_MALFORMED";

/** Why a document was refused, and where: both counts start at 1; columns are Unicode characters. */
export interface XmlError {
  readonly code: XmlErrorCode;
  readonly message: string;
  readonly line: number;
  readonly column: number;
}

export interface XmlAttribute {
  /** As written, prefix included. */
  readonly name: string;
  readonly local: string;
  /** Empty for an attribute without prefix. */
  readonly namespace: string;
  readonly value: string;
}

export interface XmlElement {
  /** As written, prefix included. */
  readonly name: string;
  readonly local: string;
  /** Empty when the element is in no namespace. */
  readonly namespace: string;
  /** In document order, without namespace declarations. */
  readonly attributes: readonly XmlAttribute[];
  /** Elements and runs of character data (CDATA included), in order; comments and instructions are dropped. */
  readonly children: readonly (XmlElement | string)[];
  /** Where the start tag begins. */
  readonly line: number;
  readonly column: number;
}

export interface XmlDocument {
  readonly root: XmlElement;
  /** From the XML declaration; "1.0" without one. */
  readonly version: string;
}

/**
 * Reads a whole document into a tree: namespaces resolved, DOCTYPE refused (so no entity can be defined
 * and nothing can be fetched), every limit but the size enforced while reading.
 */
export function parseXml(text: string, limits: Omit<XmlLimits, "maxBytes">): Result<XmlDocument, XmlError> {
  const parser = new SaxesParser({ xmlns: true });
  // The table saxes brings inherits from Object.prototype: "&constructor;" would resolve to a function.
  parser.ENTITIES = Object.assign(Object.create(null), { amp: "&", gt: ">", lt: "<", quot: '"', apos: "'" });

  const refuse = (code: XmlErrorCode, message: string): never => {
    throw new Refusal({ code, message, line: parser.line, column: parser.column + 1 });
  };

  const open: OpenElement[] = [];
  let root: OpenElement | undefined;
  let elements = 0;
  let attributes = 0;
  let version = "1.0";
  let start = { line: 1, column: 1 };
  const cursor = new Cursor(text);

  parser.on("error", (error) => refuse("XML_MALFORMED", error.message.replace(/^\d+:\d+: /, "")));
  parser.on("xmldecl", (declaration) => {
    version = declaration.version ?? version;
  });
  parser.on("doctype", () => refuse("XML_DOCTYPE_REFUSED", "a document type declaration is not accepted"));
  parser.on("opentagstart", () => {
    attributes = 0;
    elements += 1;
    if (elements > limits.maxElements)
      refuse("XML_TOO_MANY_ELEMENTS", `more than ${limits.maxElements} elements`);
    if (open.length >= limits.maxDepth)
      refuse("XML_TOO_DEEP", `more than ${limits.maxDepth} nested elements`);
    // The parser stands behind the name and the character that ended it; "<" is no part of a name.
    start = cursor.at(text.lastIndexOf("<", parser.position - 1));
  });
  parser.on("attribute", () => {
    attributes += 1;
    if (attributes > limits.maxAttributes) {
      refuse("XML_TOO_MANY_ATTRIBUTES", `more than ${limits.maxAttributes} attributes on one element`);
    }
  });
  parser.on("opentag", (tag) => {
    const element: OpenElement = {
      name: tag.name,
      local: tag.local,
      namespace: tag.uri,
      attributes: Object.values(tag.attributes).filter(isNotDeclaration).map(toAttribute),
      children: [],
      ...start,
    };
    open.at(-1)?.children.push(element);
    root ??= element;
    open.push(element);
  });
  parser.on("closetag", () => open.pop());
  const characters = (text: string): void => {
    const children = open.at(-1)?.children;
    if (children === undefined || text === "") return;
    const last = children.at(-1);
    if (typeof last === "string") children[children.length - 1] = last + text;
    else children.push(text);
  };
  parser.on("text", characters);
  parser.on("cdata", characters);

  try {
    parser.write(text).close();
  } catch (thrown) {
    if (thrown instanceof Refusal) return err(thrown.xmlError);
    throw thrown;
  }
  if (root === undefined)
    return err({ code: "XML_MALFORMED", message: "no root element", line: 1, column: 1 });
  return ok({ root, version });
}

/** The elements among an element's children. */
export const childElements = (element: XmlElement): XmlElement[] =>
  element.children.filter((child) => typeof child !== "string");

/** All character data directly inside an element, joined; text inside children is not part of it. */
export const textOf = (element: XmlElement): string =>
  element.children.filter((child) => typeof child === "string").join("");

interface OpenElement extends XmlElement {
  readonly children: (XmlElement | string)[];
}

/** Turns offsets, asked for in rising order, into lines and columns. */
class Cursor {
  readonly #text: string;
  #offset = 0;
  #line = 1;
  #column = 1;

  constructor(text: string) {
    this.#text = text;
  }

  at(offset: number): { line: number; column: number } {
    while (this.#offset < offset) {
      const code = this.#text.codePointAt(this.#offset)!;
      this.#offset += code > 0xffff ? 2 : 1;
      const endsLine = code === 0x0a || (code === 0x0d && this.#text.charCodeAt(this.#offset) !== 0x0a);
      this.#line += endsLine ? 1 : 0;
      this.#column = endsLine ? 1 : this.#column + 1;
    }
    return { line: this.#line, column: this.#column };
  }
}

/** Carries a refusal out of the parser's callbacks; it never leaves this file. */
class Refusal extends Error {
  readonly xmlError: XmlError;
  constructor(xmlError: XmlError) {
    super(xmlError.message);
    this.xmlError = xmlError;
  }
}

const isNotDeclaration = (attribute: SaxesAttributeNS): boolean =>
  attribute.prefix !== "xmlns" && attribute.name !== "xmlns";

const toAttribute = ({ name, local, uri, value }: SaxesAttributeNS): XmlAttribute => ({
  name,
  local,
  namespace: uri,
  value,
});
