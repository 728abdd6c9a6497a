import { textOf, type XmlElement } from "../text/index.ts";
import { isModelNamespace, type MetadataDialect } from "./namespaces.ts";
import { isUuidObjectId } from "./object-id.ts";
import type { MetadataWarning, MetadataWarningCode } from "./read.ts";
import { parseMetadataTime } from "./time.ts";

/** Local name without the spelling differences of drafts: `dataMode`, `data-mode` and `datamode` are one. */
export const keyOf = (element: XmlElement): string => element.local.toLowerCase().replace(/[-_]/g, "");

/** Character data without the white space around it. */
export const childText = (element: XmlElement): string => textOf(element).trim();

/** Reads ids, times and attributes of one document and collects what was unusual about them. */
export class ElementReading {
  readonly warnings: MetadataWarning[] = [];
  readonly dialect: MetadataDialect;
  readonly #namespace: string;
  readonly #said = new Set<string>();
  #synthetic = 0;

  constructor(namespace: string, dialect: MetadataDialect) {
    this.#namespace = namespace;
    this.dialect = dialect;
  }

  /** True for an element that belongs to the model; everything else is an extension. */
  isModel(element: XmlElement): boolean {
    return element.namespace === this.#namespace || isModelNamespace(element.namespace);
  }

  warn(code: MetadataWarningCode, message: string): void {
    if (this.warnings.length < MAX_WARNINGS) this.warnings.push({ code, message });
  }

  /** Warns the first time only: what a sender does once it does everywhere. */
  warnOnce(code: MetadataWarningCode, message: string, about = ""): void {
    if (this.#said.has(code + about)) return;
    this.#said.add(code + about);
    this.warn(code, message);
  }

  /** The first attribute present of `names`, trimmed; the first name is the RFC's, the others are older drafts'. */
  attribute(element: XmlElement, ...names: readonly string[]): string | undefined {
    for (const [index, name] of names.entries()) {
      const found = element.attributes.find((attribute) => attribute.local === name)?.value;
      if (found === undefined) continue;
      if (index > 0) {
        const message = `attribute "${name}" on <${element.local}> is read as "${names[0]}"`;
        this.warnOnce("METADATA_OLD_NAMES", message, `${keyOf(element)}@${name}`);
      }
      return found.trim();
    }
    return undefined;
  }

  /** The id of an object; one without gets an id made from its place, the same in every document of that shape. */
  objectId(element: XmlElement, ...names: readonly string[]): string {
    const id = this.attribute(element, ...names);
    if (id !== undefined && id !== "") {
      this.#noteId(id);
      return id;
    }
    this.#synthetic += 1;
    const synthetic = `synthetic:${keyOf(element)}:${this.#synthetic}`;
    this.warn(
      "METADATA_EMPTY_ID",
      `<${element.local}> at line ${element.line} has no id; ${synthetic} stands in`,
    );
    return synthetic;
  }

  /** A reference to an object: from an attribute; empty counts as absent. */
  reference(element: XmlElement, ...names: readonly string[]): string | undefined {
    const id = this.attribute(element, ...names);
    return id === "" ? undefined : id;
  }

  /** A stream id in `send` or `recv`: the text, a child `id`, or an attribute. */
  streamReference(element: XmlElement): string | undefined {
    const child = element.children.find((entry) => typeof entry !== "string" && keyOf(entry) === "id");
    const id =
      child !== undefined && typeof child !== "string"
        ? childText(child)
        : childText(element) || this.attribute(element, "stream_id", "id");
    return id === "" ? undefined : id;
  }

  time(element: XmlElement): string | undefined {
    const text = childText(element);
    if (text === "") return undefined;
    const time = parseMetadataTime(text);
    if (time === undefined) {
      this.warn("METADATA_BAD_TIME", `<${element.local}> at line ${element.line} holds no time`);
    } else if (!time.zoned) {
      this.warnOnce("METADATA_TIME_WITHOUT_ZONE", `<${element.local}> at line ${element.line} has no zone`);
    }
    return text;
  }

  #noteId(id: string): void {
    if (!isUuidObjectId(id)) {
      this.warnOnce("METADATA_OPAQUE_IDS", "ids are not base64 of a UUID; they are compared as text");
    }
  }
}

const MAX_WARNINGS = 100;
