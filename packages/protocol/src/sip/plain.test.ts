import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isToken } from "../text/index.ts";
import { SipHeaders } from "./headers.ts";
import { checkHeaders } from "./parse-message.ts";
import { isPlainHead, readPlainRequestLine } from "./plain.ts";
import { parseUri } from "./uri.ts";

const PLAIN: readonly (readonly [name: string, value: string])[] = [
  ["Via", "SIP/2.0/UDP sbc-1.example.com:5060;branch=z9hG4bK-524287-1---abcdef;rport"],
  ["Via", "SIP/2.0/TLS 192.0.2.11;branch=z9hG4bKabc;received=192.0.2.99"],
  ["From", '"Alice, at home" <sip:alice@example.com;user=phone>;tag=8f3a1b2c'],
  ["To", "Bob <sips:+15551230000@sbc.example.com:5061>"],
  ["Call-ID", "84b4c76e66710@192.0.2.10"],
  ["CSeq", "1 INVITE"],
  ["Contact", "<sip:alice@192.0.2.10:5060;transport=udp>;+sip.src"],
];
const REQUEST_LINE = "INVITE sip:+15551230000@sbc.example.com:5060;transport=udp;lr SIP/2.0";

/** One to three characters put in, written over or taken out where it may hurt. */
const stirred = (text: string) =>
  fc
    .array(
      fc.record({
        at: fc.nat({ max: text.length }),
        cut: fc.nat({ max: 3 }),
        put: fc.oneof(
          fc.constantFrom(
            "",
            ";",
            ",",
            '"',
            "\\",
            "<",
            ">",
            "@",
            ":",
            "=",
            " ",
            "\t",
            "%",
            "%4",
            "?",
            "[",
            "]",
          ),
          fc.constantFrom(
            "é",
            "\u0000",
            "\u007f",
            "/",
            "-",
            ".",
            "..",
            "*",
            "9999999999",
            "65536",
            "z9hG4bK",
            "Ω",
          ),
        ),
      }),
      { minLength: 1, maxLength: 3 },
    )
    .map((changes) =>
      changes.reduce((was, { at, cut, put }) => was.slice(0, at) + put + was.slice(at + cut), text),
    );

test("a usual head is recognised at a glance", () => {
  assert.equal(isPlainHead("INVITE", new SipHeaders(PLAIN)), true);
  assert.equal(isPlainHead(undefined, new SipHeaders(PLAIN)), true);
  assert.equal(
    readPlainRequestLine(REQUEST_LINE)?.uri,
    "sip:+15551230000@sbc.example.com:5060;transport=udp;lr",
  );
});

test("what is plain, the full parsers take as well", () => {
  let plain = 0;
  const head = fc
    .nat({ max: PLAIN.length - 1 })
    .chain((i) => stirred(PLAIN[i]![1]).map((value) => PLAIN.with(i, [PLAIN[i]![0], value.trim()])));
  fc.assert(
    fc.property(head, (lines) => {
      const headers = new SipHeaders(lines);
      if (!isPlainHead("INVITE", headers)) return;
      plain++;
      assert.equal(checkHeaders("INVITE", headers, 0), undefined);
    }),
    { numRuns: 3000 },
  );
  assert.ok(plain > 0);
});

test("a missing header, another method in CSeq and a branch without a value are not plain", () => {
  for (const name of ["Via", "From", "To", "Call-ID", "CSeq"])
    assert.equal(isPlainHead("INVITE", new SipHeaders(PLAIN).delete(name)), false, name);
  assert.equal(isPlainHead("ACK", new SipHeaders(PLAIN)), false);
  const bare = new SipHeaders(PLAIN).set("Via", "SIP/2.0/UDP 192.0.2.11;branch=z9hG4bK");
  assert.equal(isPlainHead("INVITE", bare), false);
});

test("a plain request line has a token, a URI that reads, and no headers in it", () => {
  let plain = 0;
  fc.assert(
    fc.property(stirred(REQUEST_LINE), (line) => {
      const request = readPlainRequestLine(line);
      if (request === undefined) return;
      plain++;
      assert.equal(`${request.method} ${request.uri} SIP/2.0`, line);
      assert.ok(isToken(request.method));
      const uri = parseUri(request.uri);
      assert.ok(uri.ok && "headers" in uri.value && uri.value.headers.length === 0);
    }),
    { numRuns: 3000 },
  );
  assert.ok(plain > 0);
});

test("long nonsense is turned down in linear time", () => {
  const long = 16_000;
  for (const part of ["a", "a.", "a-", ";a", ";a=", " ", "sip:", "@"]) {
    const text = part.repeat(long / part.length);
    assert.equal(readPlainRequestLine(`INVITE sip:${text}\u0001 SIP/2.0`), undefined);
    const headers = new SipHeaders(PLAIN)
      .set("Via", `SIP/2.0/UDP ${text}\u0001`)
      .set("From", `${text}<sip:${text}`);
    assert.equal(isPlainHead("INVITE", headers), false);
  }
});
