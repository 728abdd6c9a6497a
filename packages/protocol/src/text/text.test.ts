import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  fromBase64,
  hexDigit,
  isToken,
  parseDecimal,
  quote,
  readQuoted,
  toBase64,
  toHex,
  trimBlanks,
  utf8Decode,
  utf8DecodeStrict,
  utf8Encode,
} from "./index.ts";

test("octets as hexadecimal and base64, and back", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      assert.equal(toHex(bytes), Buffer.from(bytes).toString("hex"));
      assert.deepEqual(Uint8Array.from(fromBase64(toBase64(bytes))!), bytes);
      assert.equal(toBase64(bytes), Buffer.from(bytes).toString("base64"));
    }),
  );
});

test("base64 skips line breaks, forgives missing padding, refuses the rest", () => {
  assert.deepEqual(utf8Decode(fromBase64("aGVs\r\nbG8=")!), "hello");
  assert.deepEqual(utf8Decode(fromBase64("aGVsbG8")!), "hello");
  for (const bad of ["a", "aGVsb", "aG=Vs", "aG-s", "aGéx"]) assert.equal(fromBase64(bad), undefined, bad);
});

test("a hexadecimal digit of either case", () => {
  assert.deepEqual(
    [..."09afAF"].map((c) => hexDigit(c.charCodeAt(0))),
    [0, 9, 10, 15, 10, 15],
  );
  for (const c of "/:@G`g") assert.equal(hexDigit(c.charCodeAt(0)), -1);
});

test("UTF-8 keeps a byte order mark; malformed octets are replaced or refused", () => {
  assert.equal(utf8Decode(Uint8Array.of(0xef, 0xbb, 0xbf, 0x41)), "\ufeffA");
  assert.equal(utf8Decode(Uint8Array.of(0x41, 0xff)), "A\ufffd");
  assert.equal(utf8DecodeStrict(Uint8Array.of(0x41, 0xff)), undefined);
  assert.equal(utf8DecodeStrict(utf8Encode("żółw")), "żółw");
});

test("a quoted-string reads back, and cannot break a line", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const quoted = quote(text);
      assert.doesNotMatch(quoted, /[\r\n]/);
      const expected = text.replace(/\r\n|[\r\n]/g, " ");
      assert.deepEqual(readQuoted(quoted, 0), { value: expected, end: quoted.length });
    }),
  );
  assert.equal(readQuoted('"open', 0), undefined);
  assert.equal(readQuoted('"open\\', 0), undefined);
  assert.equal(readQuoted('"open\\"', 0), undefined);
});

test("tokens, decimals and blanks", () => {
  assert.ok(isToken("a-.!%*_+`'~Z9"));
  for (const bad of ["", "a b", "a:b", "é", "a\0"]) assert.ok(!isToken(bad), bad);
  assert.equal(parseDecimal("0042", 100), 42);
  for (const bad of ["", "-1", "+1", "1 ", "101", "9".repeat(40)])
    assert.equal(parseDecimal(bad, 100), undefined, bad);
  assert.equal(trimBlanks("\t \ufeffa \t"), "\ufeffa");
});
