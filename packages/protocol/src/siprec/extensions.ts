import {
  childElements,
  err,
  escapeXmlAttribute,
  formatXmlElement,
  isXmlText,
  ok,
  type Result,
  textOf,
  type XmlElement,
} from "../text/index.ts";
import type { ExtensionParameter, MetadataExtension } from "./model.ts";

/** What a list of custom parameters may hold; the default is `PARAMETER_LIMITS`. Lengths are UTF-16 units. */
export interface ParameterLimits {
  readonly maxParameters: number;
  readonly maxNameLength: number;
  readonly maxValueLength: number;
}

export const PARAMETER_LIMITS: ParameterLimits = {
  maxParameters: 99,
  maxNameLength: 128,
  maxValueLength: 4096,
};

export interface ParameterError {
  readonly code:
    | "TOO_MANY_PARAMETERS"
    | "PARAMETER_NAME_EMPTY"
    | "PARAMETER_NAME_TOO_LONG"
    | "PARAMETER_VALUE_TOO_LONG"
    | "PARAMETER_CHARACTER_FORBIDDEN";
  readonly message: string;
  /** Position in the list, from 0. */
  readonly index: number;
}

/**
 * Checks custom parameters where they come in, so that writing them cannot fail later.
 *
 * Control characters are refused: XML 1.0 can carry none but tab and line breaks (XML §2.2), and no other
 * place that shows a parameter wants them. A name may not hold even these.
 */
export function validateParameters(
  parameters: readonly ExtensionParameter[],
  limits: ParameterLimits = PARAMETER_LIMITS,
): Result<readonly ExtensionParameter[], ParameterError> {
  if (parameters.length > limits.maxParameters) {
    const message = `${parameters.length} parameters, at most ${limits.maxParameters} are accepted`;
    return err({ code: "TOO_MANY_PARAMETERS", message, index: limits.maxParameters });
  }
  for (const [index, parameter] of parameters.entries()) {
    const problem = problemOf(parameter, limits);
    if (problem !== undefined) return err({ ...problem, index });
  }
  return ok(parameters);
}

/**
 * The extension element that carries custom parameters inside `session`.
 *
 * @param namespace - any but the recording namespace, which the schema does not allow there
 */
export function parametersExtension(
  namespace: string,
  parameters: readonly ExtensionParameter[],
): MetadataExtension {
  const rows = parameters.map(
    ({ name, value }) =>
      `<Parameter name="${escapeXmlAttribute(name)}" value="${escapeXmlAttribute(value)}"/>`,
  );
  const start = `<ExtensionParameters xmlns="${escapeXmlAttribute(namespace)}"`;
  const xml = rows.length === 0 ? `${start}/>` : `${start}>${rows.join("")}</ExtensionParameters>`;
  return { namespace, name: "ExtensionParameters", xml, parameters };
}

/** An element the model does not know, as it is kept. */
export const toExtension = (element: XmlElement): MetadataExtension => ({
  namespace: element.namespace,
  name: element.local,
  xml: formatXmlElement(element),
  parameters: parametersOf(element),
});

/** Names and values in an extension, whoever's it is: matched by local name, never by namespace. */
function parametersOf(element: XmlElement): ExtensionParameter[] {
  const children = childElements(element);
  if (children.length === 0) {
    const value = textOf(element).trim();
    return value === "" ? [] : [{ name: element.local, value }];
  }
  return children.flatMap((child) => {
    if (child.local === "Parameter") {
      const name = attributeOf(child, "name");
      return name === undefined ? [] : [{ name, value: attributeOf(child, "value") ?? textOf(child) }];
    }
    const holdsOnlyText = childElements(child).length === 0;
    return holdsOnlyText ? [{ name: child.local, value: textOf(child).trim() }] : [];
  });
}

const attributeOf = (element: XmlElement, local: string): string | undefined =>
  element.attributes.find((attribute) => attribute.local === local)?.value;

function problemOf(
  { name, value }: ExtensionParameter,
  limits: ParameterLimits,
): Omit<ParameterError, "index"> | undefined {
  if (name.trim() === "") return { code: "PARAMETER_NAME_EMPTY", message: "a parameter has no name" };
  if (name.length > limits.maxNameLength) {
    const message = `a parameter name has ${name.length} characters, at most ${limits.maxNameLength} are accepted`;
    return { code: "PARAMETER_NAME_TOO_LONG", message };
  }
  if (value.length > limits.maxValueLength) {
    const message = `the value of ${name} has ${value.length} characters, at most ${limits.maxValueLength} are accepted`;
    return { code: "PARAMETER_VALUE_TOO_LONG", message };
  }
  if (CONTROLS_IN_NAME.test(name) || CONTROLS_IN_VALUE.test(value) || !isXmlText(name + value)) {
    const message = "a parameter holds a control character or half a character";
    return { code: "PARAMETER_CHARACTER_FORBIDDEN", message };
  }
  return undefined;
}

const CONTROLS_IN_NAME = /[\u0000-\u001f\u007f-\u009f]/;
const CONTROLS_IN_VALUE = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/;
