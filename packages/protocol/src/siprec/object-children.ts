import { childElements, type XmlElement } from "../text/index.ts";
import { childText, type ElementReading, keyOf } from "./element-reading.ts";
import { toExtension } from "./extensions.ts";
import type { MetadataExtension, NameId, SessionReason } from "./model.ts";

/** An object whose extensions are still being gathered. */
export interface Extensible {
  readonly extensions: MetadataExtension[];
}

/**
 * The children of one object. What the reader takes is the model's; `rest`, called last, makes extensions of
 * whatever was not taken: foreign elements and unknown ones of the recording namespace alike.
 */
export class ObjectChildren {
  readonly #reading: ElementReading;
  readonly #left: Set<XmlElement>;

  constructor(element: XmlElement, reading: ElementReading) {
    this.#reading = reading;
    this.#left = new Set(childElements(element));
  }

  /** Every child of that name (lower case, no hyphens) in the model's namespace. */
  take(key: string): XmlElement[] {
    const taken = [...this.#left].filter((child) => this.#reading.isModel(child) && keyOf(child) === key);
    for (const child of taken) this.#left.delete(child);
    return taken;
  }

  /** Text of the last child of that name; blank counts as absent. */
  text(key: string): string | undefined {
    const last = this.take(key).at(-1);
    return last === undefined ? undefined : childText(last) || undefined;
  }

  time(key: string): string | undefined {
    const last = this.take(key).at(-1);
    return last === undefined ? undefined : this.#reading.time(last);
  }

  /** The two times every association has. */
  times(): { associateTime?: string; disassociateTime?: string } {
    const associateTime = this.time("associatetime");
    const disassociateTime = this.time("disassociatetime");
    return {
      ...(associateTime === undefined ? {} : { associateTime }),
      ...(disassociateTime === undefined ? {} : { disassociateTime }),
    };
  }

  /** Stream ids in `send` or `recv`. */
  streams(key: "send" | "recv"): string[] {
    return this.take(key)
      .map((element) => this.#reading.streamReference(element))
      .filter((id) => id !== undefined);
  }

  rest(): MetadataExtension[] {
    return [...this.#left].map(toExtension);
  }
}

/** Names of a participant: `nameID` elements, or the `aor` and `name` children of older drafts. */
export function readNameIds(children: ObjectChildren, reading: ElementReading): NameId[] {
  const nameIds = children.take("nameid").map((element) => {
    const inner = new ObjectChildren(element, reading);
    const aor = reading.attribute(element, "aor") ?? inner.text("aor") ?? childText(element);
    return nameIdOf(aor, inner.take("name").at(-1));
  });
  const aors = children
    .take("aor")
    .map((element) => childText(element) || (reading.attribute(element, "aor") ?? ""));
  const name = children.take("name").at(-1);
  for (const aor of aors) nameIds.push(nameIdOf(aor, name));
  if (nameIds.length === 0 && name !== undefined) nameIds.push(nameIdOf("", name));
  return nameIds;
}

export function readReason(element: XmlElement, reading: ElementReading): SessionReason {
  const cause = reading.attribute(element, "cause") ?? "";
  if (!/^[+-]?\d{1,5}$/.test(cause)) {
    reading.warn("METADATA_BAD_REASON", `<reason> at line ${element.line} has no cause number; 0 stands in`);
  }
  return {
    protocol: reading.attribute(element, "protocol") || "SIP",
    cause: /^[+-]?\d{1,5}$/.test(cause) ? Number(cause) : 0,
    text: childText(element),
  };
}

function nameIdOf(aor: string, nameElement: XmlElement | undefined): NameId {
  const name = nameElement === undefined ? undefined : displayName(childText(nameElement));
  const lang = nameElement?.attributes.find((attribute) => attribute.name === "xml:lang")?.value;
  return {
    aor,
    ...(name === undefined ? {} : { name }),
    ...(name === undefined || lang === undefined || lang === "" ? {} : { lang }),
  };
}

/** One pair of quotes copied from a header field is no part of a name; a blank name is none. */
function displayName(text: string): string | undefined {
  const name = /^".*"$/s.test(text) && text.length > 1 ? text.slice(1, -1).trim() : text;
  return name === "" ? undefined : name;
}
