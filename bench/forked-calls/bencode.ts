/** What rtpengine's NG protocol is made of. Numbers are integers; strings are octets, here taken as Latin-1. */
export type Bencode = string | number | readonly Bencode[] | { readonly [key: string]: Bencode };

export function encodeBencode(value: Bencode): string {
  if (typeof value === "number") return `i${value}e`;
  if (typeof value === "string") return `${value.length}:${value}`;
  if (Array.isArray(value)) return `l${value.map(encodeBencode).join("")}e`;
  const entries = Object.entries(value as Record<string, Bencode>);
  return `d${entries.map(([key, item]) => encodeBencode(key) + encodeBencode(item)).join("")}e`;
}

/** Reads one value from the start of `text`. Throws on anything malformed: the other end is a tool of ours. */
export function decodeBencode(text: string): Bencode {
  let at = 0;
  const read = (): Bencode => {
    const kind = text[at];
    if (kind === "i") {
      const end = text.indexOf("e", at);
      const number = Number(text.slice(at + 1, end));
      at = end + 1;
      return number;
    }
    if (kind === "l" || kind === "d") {
      at++;
      const items: Bencode[] = [];
      while (text[at] !== "e") {
        if (at >= text.length) throw new Error("bencode: unexpected end");
        items.push(read());
      }
      at++;
      if (kind === "l") return items;
      const pairs = Array.from({ length: items.length / 2 }, (_, i) => [items[2 * i], items[2 * i + 1]]);
      return Object.fromEntries(pairs);
    }
    const colon = text.indexOf(":", at);
    const length = Number(text.slice(at, colon));
    if (colon < 0 || !Number.isInteger(length)) throw new Error(`bencode: no value at ${at}`);
    at = colon + 1 + length;
    return text.slice(colon + 1, at);
  };
  return read();
}
