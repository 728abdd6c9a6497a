import type { Attribute, Codec, Direction, Section } from "./description.ts";
import { isDirection } from "./read.ts";

/** A copy without the attributes that `unwanted` names. */
export function withoutAttributes<S extends Section>(
  section: S,
  unwanted: (attribute: Attribute) => boolean,
): S {
  return { ...section, attributes: section.attributes.filter((attribute) => !unwanted(attribute)) };
}

/** A copy with more attributes at the end. */
export function withAttributes<S extends Section>(section: S, ...added: readonly Attribute[]): S {
  return { ...section, attributes: [...section.attributes, ...added] };
}

/** A copy whose only direction attribute is this one, in the place of the one it had. */
export function withDirection<S extends Section>(section: S, direction: Direction): S {
  const place = section.attributes.findIndex((attribute) => isDirection(attribute.name));
  const rest = section.attributes.filter((attribute) => !isDirection(attribute.name));
  rest.splice(place < 0 ? rest.length : place, 0, { name: direction });
  return { ...section, attributes: rest };
}

/** The `a=rtpmap` and `a=fmtp` lines for codecs; static types get their `rtpmap` too, as most peers write it. */
export function codecAttributes(codecs: readonly Codec[]): readonly Attribute[] {
  return codecs.flatMap(({ payloadType, name, clockRateHz, channels, fmtp }) => {
    const encoding = `${name}/${clockRateHz}${channels > 1 ? `/${channels}` : ""}`;
    return [
      { name: "rtpmap", value: `${payloadType} ${encoding}` },
      ...(fmtp === undefined ? [] : [{ name: "fmtp", value: `${payloadType} ${fmtp}` }]),
    ];
  });
}
