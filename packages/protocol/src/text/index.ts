export { fromBase64, toBase64 } from "./base64.ts";
export type { Hash, Millis, Output, Random } from "./core.ts";
export { hexDigit, toHex } from "./hex.ts";
export { err, ok, type Result } from "./result.ts";
export {
  isBlank,
  isToken,
  isTokenCode,
  parseDecimal,
  quote,
  readQuoted,
  skipBlanks,
  skipToken,
  type TextError,
  trimBlanks,
} from "./scan.ts";
export { asciiEncodeInto, utf8Decode, utf8DecodeStrict, utf8Encode } from "./utf8.ts";
export {
  childElements,
  parseXml,
  textOf,
  type XmlAttribute,
  type XmlDocument,
  type XmlElement,
  type XmlError,
  type XmlErrorCode,
  type XmlLimits,
} from "./xml.ts";
export { type DecodedXml, decodeXml } from "./xml-decode.ts";
export { escapeXmlAttribute, escapeXmlText, formatXmlElement, isXmlText } from "./xml-write.ts";
