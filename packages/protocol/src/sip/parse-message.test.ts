import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { utf8Decode, utf8Encode } from "../text/index.ts";
import { formatSipMessage, SipFormatError } from "./format-message.ts";
import { SipHeaders } from "./headers.ts";
import { DEFAULT_SIP_LIMITS } from "./limits.ts";
import type { SipMessage, SipRequest, SipResponse } from "./message.ts";
import type { SipParseError } from "./parse-error.ts";
import { parseSipMessage, type SipParseOptions } from "./parse-message.ts";

const FIELDS = {
  Via: "SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bKnashds8",
  "Max-Forwards": "70",
  From: '"Ann" <sip:ann@example.com>;tag=1928',
  To: "<sip:rec@example.net>",
  "Call-ID": "a84b4c76e66710@192.0.2.10",
  CSeq: "314159 INVITE",
  Contact: "<sip:ann@192.0.2.10>;+sip.src",
} as const;

type Changes = Record<string, string | undefined>;

function text(
  changes: Changes = {},
  startLine = "INVITE sip:rec@example.net SIP/2.0",
  tail = "\r\n",
): string {
  const fields = Object.entries({ ...FIELDS, ...changes }).filter(([, value]) => value !== undefined);
  return `${startLine}\r\n${fields.map(([name, value]) => `${name}: ${value}\r\n`).join("")}${tail}`;
}

function accept(message: string, options?: SipParseOptions): SipMessage {
  const parsed = parseSipMessage(utf8Encode(message), options);
  assert.ok(parsed.ok, parsed.ok ? "" : `${parsed.error.code}: ${parsed.error.message}`);
  return parsed.value;
}

function refuse(message: string | Uint8Array, options?: SipParseOptions): SipParseError {
  const parsed = parseSipMessage(typeof message === "string" ? utf8Encode(message) : message, options);
  assert.ok(!parsed.ok, "expected a refusal");
  return parsed.error;
}

test("[R3261-7.1-1] a request line is method, Request-URI and version, one SP between them", () => {
  const request = accept(text()) as SipRequest;
  assert.equal(request.method, "INVITE");
  assert.equal(request.uri, "sip:rec@example.net");
  assert.equal(accept(text({}, "INVITE sip:rec@example.net sip/2.0")).kind, "request");
  const bad = [
    "INVITE",
    "INVITE sip:rec@example.net",
    "INVITE  sip:rec@example.net SIP/2.0",
    "INVITE sip:rec@example.net  SIP/2.0",
    "INVITE sip:rec@example.net SIP/2.0 ",
    "INVITE <sip:rec@example.net> SIP/2.0",
    "INVITE sip:rec@example.net; lr SIP/2.0",
    "INVITE rec SIP/2.0",
    "INVITE sip:rec@example.net HTTP/1.1",
    "IN/VITE sip:rec@example.net SIP/2.0",
    " INVITE sip:rec@example.net SIP/2.0",
  ];
  for (const line of bad) assert.equal(refuse(text({}, line)).status, 400, line);
});

test("[R3261-7.1-2] another version is 505, and the answer can be built", () => {
  const error = refuse(
    text({ Via: "SIP/7.0/UDP 192.0.2.10;branch=z9hG4bKx" }, "INVITE sip:rec@example.net SIP/7.0"),
  );
  assert.equal(error.code, "SIP_VERSION");
  assert.equal(error.status, 505);
  assert.equal(error.request?.headers.get("Call-ID"), FIELDS["Call-ID"]);
});

test("[R3261-19.1.1-1] a Request-URI with headers is refused, they never become header fields", () => {
  const error = refuse(text({}, "INVITE sip:rec@example.net?Route=%3Csip:evil%3E SIP/2.0"));
  assert.equal(error.code, "SIP_REQUEST_URI");
  assert.ok(!error.request?.headers.has("Route"));
});

test("[R3261-7.2-1] a status line needs a code of 100 to 699; the phrase may be empty or any UTF-8", () => {
  const read = (line: string) => accept(text({}, line)) as SipResponse;
  assert.equal(read("SIP/2.0 200 = 2**3 * 5**2 но сто").reason, "= 2**3 * 5**2 но сто");
  assert.equal(read("SIP/2.0 100 ").reason, "");
  assert.equal(read("SIP/2.0 100").status, 100);
  for (const line of [
    "SIP/2.0 42 x",
    "SIP/2.0 700 x",
    "SIP/2.0 4294967301 x",
    "SIP/2.0 2OO OK",
    "SIP/1.0 200 OK",
  ]) {
    const error = refuse(text({}, line));
    assert.equal(error.status, undefined, line);
    assert.equal(error.request, undefined, line);
  }
});

test("[R3261-7.3-1] folding, compact forms, blanks before the colon, any case", () => {
  const message = [
    "INVITE sip:rec@example.net SIP/2.0",
    "TO :",
    " sip:rec@example.net ;   tag    = 1918",
    'f   : "J \\\\\\""       <sip:j@example.com>',
    "  ;",
    "\ttag = 98asjd8",
    "MaX-fOrWaRdS: 0068",
    "i: x@192.0.2.1",
    "l   : 4",
    "cseq: 0009",
    "  INVITE",
    "V  : SIP  /   2.0",
    " /UDP",
    "    192.0.2.2;branch=390skdjuw",
    "s :",
    "Odd: ;;,,;;,;",
    "",
    "v=0\r\ntrailing",
  ].join("\r\n");
  const { headers, body } = accept(message);
  assert.equal(
    headers.get("From"),
    '"J \\\\\\"" <sip:j@example.com> ; tag = 98asjd8'.replace(" <", "       <"),
  );
  assert.equal(headers.get("CSeq"), "0009 INVITE");
  assert.equal(headers.get("Subject"), "");
  assert.equal(headers.get("Odd"), ";;,,;;,;");
  assert.equal(utf8Decode(body), "v=0\r");
});

test("bare LF is a line end everywhere; a bare CR and an unquoted NUL are errors", () => {
  assert.equal(accept(text().replaceAll("\r\n", "\n")).kind, "request");
  assert.equal(refuse(text({ Subject: "a\rVia: b" })).code, "SIP_HEADER_SYNTAX");
  assert.equal(refuse(text({ Subject: "a\0b" })).code, "SIP_HEADER_SYNTAX");
  assert.equal(accept(text({ Subject: '"a\\\0b"' })).headers.get("Subject"), '"a\\\0b"');
  assert.equal(refuse(text({}, "INVITE sip:rec@example.net\r SIP/2.0")).status, 400);
});

test("[R3261-7.5-1] line ends before the start line are ignored, nothing but line ends is no message", () => {
  accept(`\r\n\r\n${text()}`);
  assert.equal(refuse("\r\n\r\n").code, "SIP_EMPTY");
  assert.equal(refuse("").status, undefined);
});

test("[R3261-8.1.1-2] the five headers must be there and read; Max-Forwards may be missing", () => {
  accept(text({ "Max-Forwards": undefined }));
  for (const name of ["Via", "From", "To", "Call-ID", "CSeq"]) {
    const error = refuse(text({ [name]: undefined }));
    assert.equal(error.code, "SIP_HEADER_MISSING", name);
    assert.equal(error.status, 400);
    assert.equal(error.request, undefined, "no answer without something to copy");
  }
  for (const [name, value] of [
    ["Via", "SIP/2.0/UDP 192.0.2.15;;,;,,"],
    ["Via", "SIP/2.0/UDP 192.0.2.15;branch=z9hG4bK"],
    ["Via", "SIP/3.0/UDP 192.0.2.15;branch=z9hG4bKa"],
    ["Via", `${FIELDS.Via}, nonsense`],
    ["From", '"Ann <sip:ann@example.com>'],
    ["To", "Bell, Alexander <sip:a@example.com>"],
    ["Call-ID", "two words"],
    ["CSeq", "4294967296 INVITE"],
    ["Contact", "sip:a@example.com?Route=%3Csip:b%3E"],
    ["Contact", '"Joe" <sip:joe@example.org>;;;;'],
  ] as const) {
    const error = refuse(text({ [name]: value }));
    assert.equal(error.code, "SIP_HEADER_VALUE", `${name}: ${value}`);
    assert.ok(error.status === 400 && error.request !== undefined, `${name}: ${value}`);
  }
});

test("[R3261-8.1.1.5-2] the CSeq method equals the request's", () => {
  assert.equal(refuse(text({ CSeq: "8 OPTIONS" })).code, "SIP_CSEQ_METHOD");
  assert.equal(refuse(text({ CSeq: "8 invite" })).code, "SIP_CSEQ_METHOD");
  accept(text({ CSeq: "8 OPTIONS" }, "SIP/2.0 200 OK"));
});

test("[R3261-7.3.1-3] headers of which one may be there must not come twice", () => {
  for (const name of ["From", "t", "Call-ID", "CSeq", "Max-Forwards", "l", "Content-Type"]) {
    const error = refuse(
      text({ "Content-Type": "a/b", "Content-Length": "0" }, undefined, `${name}: 0\r\n\r\n`),
    );
    assert.equal(error.code, "SIP_HEADER_REPEATED", name);
    assert.equal(error.status, 400);
  }
});

test("[R3261-18.3-1] UDP: octets beyond Content-Length are dropped, a short body is 400 or silence", () => {
  const body = (length: string | undefined, rest: string, startLine?: string) =>
    text({ "Content-Length": length }, startLine, `\r\n${rest}`);
  assert.equal(utf8Decode(accept(body("3", "abcdef")).body), "abc");
  assert.equal(utf8Decode(accept(body(undefined, "abcdef")).body), "abcdef");
  assert.equal(accept(body("0", "INVITE sip:x SIP/2.0")).body.length, 0);
  const short = refuse(body("9999", "abc"));
  assert.deepEqual([short.code, short.status, short.request?.method], ["SIP_TRUNCATED", 400, "INVITE"]);
  assert.equal(refuse(body("9999", "abc", "SIP/2.0 200 OK")).status, undefined);
  for (const bad of ["-999", "+3", "3 3", "0x3", "", "9".repeat(30), "3,3"])
    assert.equal(refuse(body(bad, "abc")).code, "SIP_CONTENT_LENGTH", bad);
});

test("[R3261-20.14-1] a stream needs Content-Length", () => {
  assert.equal(refuse(text(), { framing: "stream" }).code, "SIP_CONTENT_LENGTH");
  accept(text({ "Content-Length": "0" }), { framing: "stream" });
  assert.equal(refuse(text({ "Content-Length": "4" }), { framing: "stream" }).code, "SIP_TRUNCATED");
});

test("a head without its empty line is refused, and can be answered", () => {
  const error = refuse(text({}, undefined, ""));
  assert.deepEqual([error.code, error.status], ["SIP_TRUNCATED", 400]);
  assert.ok(error.request);
  assert.equal(refuse("GET / HTTP/1.1").status, 400);
  assert.equal(refuse(Uint8Array.of(0, 0, 0, 0)).request, undefined);
});

test("an ACK and a response never carry a status", () => {
  const error = refuse(text({ CSeq: "1 ACK", To: "nonsense" }, "ACK sip:rec@example.net SIP/2.0"));
  assert.equal(error.code, "SIP_HEADER_VALUE");
  assert.equal(error.status, undefined);
});

test("every limit holds", () => {
  const limits = { ...DEFAULT_SIP_LIMITS };
  const check = (change: Partial<typeof limits>, message: string, status: number) => {
    const error = refuse(message, { limits: { ...limits, ...change } });
    assert.deepEqual([error.code, error.status], ["SIP_TOO_LARGE", status], JSON.stringify(change));
  };
  check({ startLineBytes: 20 }, text(), 414);
  check({ headerCount: 6 }, text(), 513);
  check({ headerLineBytes: 40 }, text(), 513);
  check({ headerLineBytes: 100 }, text({ Subject: "ш".repeat(50) }), 513);
  check({ headerLineBytes: 100 }, text({ Subject: `a${"\r\n b".repeat(50)}` }), 513);
  check({ headBytes: 100 }, text(), 513);
  check({ bodyBytes: 2 }, text({}, undefined, "\r\nabc"), 513);
});

test("the offset of a refusal counts octets, not characters", () => {
  const message = text({ Subject: "шшш", "Bad Header": "x" });
  const error = refuse(message);
  assert.equal(error.offset, utf8Encode(message.slice(0, message.indexOf("Bad Header"))).length);
});

test("a written message reads back, with Content-Length set from the body", () => {
  const arbValue = fc.string({ unit: "grapheme" }).map((value) => value.replace(/[\r\n\0]/g, "").trim());
  fc.assert(
    fc.property(fc.array(arbValue, { maxLength: 4 }), fc.uint8Array({ maxLength: 30 }), (values, body) => {
      const headers = new SipHeaders(Object.entries({ ...FIELDS, "content-LENGTH": "77" }));
      for (const [i, value] of values.entries()) headers.append(`X-${i}`, value);
      const bytes = formatSipMessage({ kind: "request", method: "INVITE", uri: "sip:a@h", headers, body });
      const parsed = parseSipMessage(bytes, { framing: "stream" });
      assert.ok(parsed.ok);
      assert.deepEqual(Uint8Array.from(parsed.value.body), body);
      for (const [i, value] of values.entries()) assert.equal(parsed.value.headers.get(`X-${i}`), value);
      assert.equal(parsed.value.headers.get("Content-Length"), String(body.length));
    }),
  );
});

test("nothing in a value, phrase or Request-URI can start a line of its own", () => {
  const evil = "a\r\nEvil: yes\n\nBody\0";
  const headers = new SipHeaders([...Object.entries(FIELDS), ["Subject", evil], ["X-Nul", '"\\\0"']]);
  const request = formatSipMessage({
    kind: "request",
    method: "INVITE",
    uri: `sip:a@h;${evil}`,
    headers,
    body: new Uint8Array(0),
  });
  const written = utf8Decode(request);
  assert.match(written, /^INVITE sip:a@h;a%0D%0AEvil:%20yes%0A%0ABody%00 SIP\/2\.0\r\n/);
  assert.match(written, /\r\nSubject: a Evil: yes Body \r\n/);
  assert.match(written, /\r\nX-Nul: "\\\0"\r\n/);
  const response = formatSipMessage({
    kind: "response",
    status: 200,
    reason: evil,
    headers,
    body: new Uint8Array(0),
  });
  assert.match(utf8Decode(response), /^SIP\/2\.0 200 a Evil: yes Body \r\nVia/);
});

test("a name or method that is no token, or a status that is none, is our own bug and throws", () => {
  const none = new Uint8Array(0);
  const headers = new SipHeaders([["Bad Name", "x"]]);
  const empty = new SipHeaders();
  assert.throws(
    () => formatSipMessage({ kind: "response", status: 200, reason: "", headers, body: none }),
    SipFormatError,
  );
  assert.throws(
    () => formatSipMessage({ kind: "request", method: "A B", uri: "sip:h", headers: empty, body: none }),
    SipFormatError,
  );
  for (const status of [99, 700, 200.5])
    assert.throws(
      () => formatSipMessage({ kind: "response", status, reason: "", headers: empty, body: none }),
      SipFormatError,
    );
});
