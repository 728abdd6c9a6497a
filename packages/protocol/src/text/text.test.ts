import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  fromBase64,
  fromHex,
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

test("every octet string survives hexadecimal and base64", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      assert.deepEqual(fromHex(toHex(bytes)), bytes);
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

test("hexadecimal takes both cases and no odd length", () => {
  assert.deepEqual(fromHex("00fFA5"), Uint8Array.of(0, 255, 165));
  assert.equal(fromHex("abc"), undefined);
  assert.equal(fromHex("0g"), undefined);
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
