import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { utf8Decode, utf8Encode } from "../text/index.ts";
import { SipFormatError } from "./format-message.ts";
import { SipHeaders } from "./headers.ts";
import {
  type BodyPart,
  chooseBoundary,
  formatMultipart,
  type MultipartBody,
  type MultipartOptions,
  parseMultipart,
} from "./multipart.ts";

const TYPE = "multipart/mixed;boundary=b1";

function read(body: string | Uint8Array, type = TYPE, options?: MultipartOptions): MultipartBody {
  const parsed = parseMultipart(typeof body === "string" ? utf8Encode(body) : body, type, options);
  assert.ok(parsed.ok, parsed.ok ? "" : `${parsed.error.code}: ${parsed.error.message}`);
  return parsed.value;
}

function refuse(body: string, type = TYPE, options?: MultipartOptions): string {
  const parsed = parseMultipart(utf8Encode(body), type, options);
  assert.ok(!parsed.ok, "expected a refusal");
  return parsed.error.code;
}

const bodies = ({ parts }: MultipartBody) => parts.map((part) => utf8Decode(part.body));
const LENIENT: MultipartOptions = { lenient: true };

test("[R2046-5.1.1-1] a delimiter fills a line, and the line end before it is not the part's", () => {
  assert.deepEqual(bodies(read("--b1\r\n\r\none\r\n--b1 \t\r\n\r\ntwo\r\n\r\n--b1--\r\n")), [
    "one",
    "two\r\n",
  ]);
  assert.deepEqual(bodies(read("--b1\r\n\r\na --b1\r\n --b1\r\n--b12\r\n--b1x--\r\n--b1--")), [
    "a --b1\r\n --b1\r\n--b12\r\n--b1x--",
  ]);
  assert.deepEqual(bodies(read("--b1\r\n\r\n\r\n--b1\r\n\r\n--b1--")), ["", ""]);
});

test("[R2046-5.1.1-2] a boundary is 1 to 70 characters, quoted when it has specials, its name without case", () => {
  for (const type of [
    'multipart/mixed;boundary="a:b"',
    "multipart/mixed;boundary=a:b",
    'MULTIPART/Mixed ; BOUNDARY = "a:b"; x=y',
  ])
    assert.deepEqual(bodies(read("--a:b\r\n\r\nx\r\n--a:b--", type)), ["x"]);
  assert.deepEqual(
    bodies(read("--=_a (b)?\r\n\r\nx\r\n--=_a (b)?--", 'multipart/mixed;boundary="=_a (b)?"')),
    ["x"],
  );
  for (const type of [
    "multipart/mixed",
    "multipart/mixed;boundary",
    'multipart/mixed;boundary=""',
    `${TYPE}${"x".repeat(70)}`,
  ])
    assert.equal(refuse("--b1\r\n\r\nx\r\n--b1--", type), "MULTIPART_BOUNDARY", type);
  assert.equal(
    read("--b@1\r\n\r\nx\r\n--b@1--", 'multipart/mixed;boundary="b@1"', LENIENT).warnings.length,
    1,
  );
  assert.equal(refuse("x", "text/plain"), "MULTIPART_NOT_MULTIPART");
});

test("[R2046-5.1.1-3] preamble and epilogue are ignored; a missing closing delimiter is an error or a warning", () => {
  const whole = read("hello\r\n--b1\r\n\r\nx\r\n--b1--\r\n--b1\r\n\r\nghost\r\n--b1--");
  assert.deepEqual(bodies(whole), ["x"]);
  assert.equal(utf8Decode(whole.preamble), "hello");
  assert.match(utf8Decode(whole.epilogue), /ghost/);
  assert.equal(refuse("--b1\r\n\r\nx\r\n"), "MULTIPART_UNCLOSED");
  const open = read("--b1\r\n\r\nx\r\n", TYPE, LENIENT);
  assert.deepEqual([bodies(open), open.warnings], [["x\r\n"], ["closing delimiter missing"]]);
  for (const none of ["", "x", "--b1--", "--b2\r\n\r\nx"])
    assert.equal(refuse(none, TYPE, LENIENT), "MULTIPART_NO_PARTS");
});

test("[R2046-5.1-1] part headers: any case, folded, no blank behind the colon, Content-Length of no effect", () => {
  const { parts } = read(
    "--b1\r\nCONTENT-type:application/rs-metadata+xml\r\nContent-Disposition:\r\n recording-session;\r\n\thandling=optional\r\nContent-Length: 1\r\n\r\n<a/>\r\n--b1--",
  );
  assert.equal(parts[0]!.headers.get("Content-Type"), "application/rs-metadata+xml");
  assert.equal(parts[0]!.headers.get("content-disposition"), "recording-session; handling=optional");
  assert.equal(utf8Decode(parts[0]!.body), "<a/>");
  assert.equal(refuse("--b1\r\nno colon\r\n\r\nx\r\n--b1--"), "MULTIPART_PART_HEADER");
  assert.equal(read("--b1\r\nno colon\r\n\r\nx\r\n--b1--", TYPE, LENIENT).warnings.length, 1);
});

test("bare LF is refused, or read with a warning", () => {
  const body = "--b1\nContent-Type: a/b\n\nx\ny\n--b1--\n";
  assert.equal(refuse(body), "MULTIPART_LINE_END");
  const lenient = read(body, TYPE, LENIENT);
  assert.deepEqual(bodies(lenient), ["x\ny"]);
  assert.ok(lenient.warnings.length > 0);
});

test("[R5621-3.2-1] base64 and quoted-printable are decoded, binary is left alone", () => {
  const part = (encoding: string, body: string) =>
    `--b1\r\nContent-Transfer-Encoding: ${encoding}\r\n\r\n${body}\r\n--b1--`;
  const base64 = read(part("BASE64", "PHJlY29y\r\nZGluZy8+"));
  assert.deepEqual(bodies(base64), ["<recording/>"]);
  assert.ok(!base64.parts[0]!.headers.has("Content-Transfer-Encoding"), "nobody may decode twice");
  assert.deepEqual(bodies(read(part("quoted-printable", "a=3Db=C3=A9=  \r\nc  \r\nd\te=\r\n"))), [
    "a=béc\r\nd\te",
  ]);
  assert.deepEqual(bodies(read(part("binary", "a=3D"))), ["a=3D"]);
  for (const [encoding, body] of [
    ["base64", "a$b"],
    ["quoted-printable", "a=zz"],
    ["x-uuencode", "x"],
  ] as const) {
    assert.equal(refuse(part(encoding, body)), "MULTIPART_ENCODING");
    assert.deepEqual(bodies(read(part(encoding, body), TYPE, LENIENT)), [body]);
  }
});

test("limits on parts, headers and header lines hold in both modes", () => {
  const limits = { parts: 2, headersPerPart: 1, headerLineBytes: 20, depth: 1 };
  for (const lenient of [false, true]) {
    const options = { limits, lenient };
    assert.equal(bodies(read("--b1\r\n\r\n1\r\n--b1\r\n\r\n2\r\n--b1--", TYPE, options)).length, 2);
    for (const bad of [
      "--b1\r\n\r\n1\r\n--b1\r\n\r\n2\r\n--b1\r\n\r\n3\r\n--b1--",
      "--b1\r\nA: 1\r\nB: 2\r\n\r\nx\r\n--b1--",
      `--b1\r\nA: ${"x".repeat(30)}\r\n\r\nx\r\n--b1--`,
      "--b1\r\nA: x\r\n 0123456789\r\n 0123456789\r\n\r\nx\r\n--b1--",
    ])
      assert.equal(refuse(bad, TYPE, options), "MULTIPART_TOO_LARGE");
  }
});

test("every list of binary parts survives format then parse, in any order", () => {
  const arbPart: fc.Arbitrary<BodyPart> = fc
    .record({
      type: fc.constantFrom("application/sdp", "application/rs-metadata+xml", undefined),
      body: fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.constant(utf8Encode("\r\n--b\r\n--b--\r\n--b-1"))),
    })
    .map(({ type, body }) => ({ headers: new SipHeaders(type ? [["Content-Type", type]] : []), body }));
  fc.assert(
    fc.property(fc.array(arbPart, { minLength: 1, maxLength: 5 }), (parts) => {
      const boundary = chooseBoundary(parts, "b");
      const parsed = read(formatMultipart(parts, boundary), `multipart/mixed;boundary=${boundary}`);
      assert.deepEqual(
        parsed.parts.map((part) => [[...part.headers.entries()], Uint8Array.from(part.body)]),
        parts.map((part) => [[...part.headers.entries()], Uint8Array.from(part.body)]),
      );
      assert.deepEqual(parsed.warnings, []);
    }),
  );
});

test("a boundary that occurs in a part is avoided, or refused", () => {
  const parts = [{ headers: new SipHeaders(), body: utf8Encode("x\r\n--seed-1--") }];
  assert.equal(chooseBoundary(parts, "seed"), "seed-2");
  for (const boundary of ["seed", "", "bad ", "a@b", "x".repeat(71)])
    assert.throws(() => formatMultipart(parts, boundary), SipFormatError, boundary);
  assert.throws(() => formatMultipart([], "b"), SipFormatError);
});

test("a part's header values cannot start a line of their own", () => {
  const parts = [{ headers: new SipHeaders([["Content-ID", "a\r\n\r\n--b"]]), body: new Uint8Array(0) }];
  assert.equal(read(formatMultipart(parts, "b"), "multipart/mixed;boundary=b").parts.length, 1);
});
