import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8Encode } from "@callfork/protocol/text";
import fc from "fast-check";
import { fileOfKept, keepDocument, keptDocument, readKept, textOfKept } from "./kept-document.ts";

const XML = `<?xml version="1.0"?><recording xmlns="urn:ietf:params:xml:ns:recording:1"><datamode>complete</datamode><participant participant_id="p"><nameID aor="sip:j@example.com"><name>Jörg</name></nameID></participant></recording>`;
const utf16 = (text: string): Uint8Array => Uint8Array.from(Buffer.from(`\ufeff${text}`, "utf16le"));
const nameIn = (document: string): string | undefined => {
  const read = readKept(document);
  return read.ok ? read.value.metadata.participants[0]?.nameIds[0]?.name : undefined;
};

test("whatever octets came are given back, under any charset", () => {
  const charset = fc.constantFrom(undefined, "utf-8", "UTF-16", "iso-8859-1", 'a"b;c', "x".repeat(99));
  const octets = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.string({ unit: "binary" }).map(utf8Encode),
    fc.string().map((rest) => utf8Encode(`data:;base64,${rest}`)),
  );
  fc.assert(
    fc.property(octets, charset, (came, name) => {
      assert.deepEqual(keptDocument(keepDocument(came, name)).octets, came);
    }),
  );
});

test("UTF-8 is kept as text; a byte order mark, UTF-16 and Latin-1 read as they did when they came", () => {
  assert.equal(keepDocument(utf8Encode(XML), "UTF-8"), XML);
  const marked = Uint8Array.of(0xef, 0xbb, 0xbf, ...utf8Encode(XML));
  const latin1 = Uint8Array.from(Buffer.from(XML, "latin1"));
  for (const [octets, charset, contentType] of [
    [utf8Encode(XML), undefined, "application/rs-metadata+xml; charset=utf-8"],
    [marked, undefined, "application/rs-metadata+xml; charset=utf-8"],
    [utf16(XML), undefined, "application/rs-metadata+xml"],
    [latin1, "ISO-8859-1", "application/rs-metadata+xml; charset=iso-8859-1"],
  ] as const) {
    const kept = keepDocument(octets, charset);
    assert.match(textOfKept(kept), /<name>Jörg<\/name>/);
    assert.equal(readKept(kept).ok, true);
    assert.deepEqual(fileOfKept(kept), { contentType, octets });
    assert.equal(nameIn(kept), nameIn(XML));
  }
});
