import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  formatContentDisposition,
  isHandlingRequired,
  parseContentDisposition,
} from "./content-disposition.ts";
import { formatCSeq, formatRAck, parseCSeq, parseMaxForwards, parseRAck } from "./cseq.ts";
import { formatSipDate, parseSipDate } from "./date.ts";
import { SipHeaders } from "./headers.ts";
import { acceptsMediaType, formatMediaType, mediaTypeName, parseMediaType } from "./media-type.ts";
import { formatReason, parseReason } from "./reason.ts";
import { formatRetryAfter, parseRetryAfter } from "./retry-after.ts";
import { formatSessionTimer, parseMinSe, parseSessionExpires } from "./session-timer.ts";
import { describeStatus } from "./status.ts";
import { hasToken, tokenList } from "./tokens.ts";

const arbToken = fc.stringMatching(/^[a-z0-9\-.!%*_+`'~]{1,8}$/);
const arbText = fc.string({ maxLength: 10 }).map((text) => text.replace(/[\r\n]/g, ""));
const arbParams = fc
  .array(
    fc.tuple(
      arbToken.map((name) => `x-${name}`),
      fc.option(arbText),
    ),
    { maxLength: 3 },
  )
  .map((pairs) => new Map(pairs));
const arbSeconds = fc.nat(2 ** 31);

/** Without the fields that are `undefined`: that is how parsers leave them out. */
function compact<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as T;
}

function survives<T extends object, E>(
  arb: fc.Arbitrary<T>,
  format: (value: T) => string,
  parse: (text: string) => { ok: true; value: unknown } | { ok: false; error: E },
): void {
  fc.assert(
    fc.property(arb, (raw) => {
      const value = compact(raw);
      assert.deepEqual(parse(format(value)), { ok: true, value });
    }),
  );
}

const optional = <T>(arb: fc.Arbitrary<T>) => fc.option(arb, { nil: undefined });

test("[R3261-20.16-1] a CSeq is a number below 2^31 and a method", () => {
  survives(fc.record({ sequence: fc.nat(2 ** 31 - 1), method: arbToken }), formatCSeq, parseCSeq);
  assert.deepEqual(parseCSeq(" 0009 \t INVITE "), { ok: true, value: { sequence: 9, method: "INVITE" } });
  assert.ok(parseCSeq("2147483647 ACK").ok);
  for (const bad of [
    "",
    "1",
    "INVITE",
    "-1 INVITE",
    "2147483648 INVITE",
    "1 IN VITE",
    "1 IN/VITE",
    "1e3 INVITE",
  ])
    assert.ok(!parseCSeq(bad).ok, bad);
});

test("RAck and Max-Forwards", () => {
  const arb = fc.record({ responseNumber: fc.nat(), sequence: fc.nat(2 ** 31 - 1), method: arbToken });
  survives(arb, formatRAck, parseRAck);
  for (const bad of ["", "1 2", "1 2 INVITE x", "x 2 INVITE"]) assert.ok(!parseRAck(bad).ok, bad);
  assert.deepEqual(parseMaxForwards("0068"), { ok: true, value: 68 });
  for (const bad of ["", "256", "-1", "7 0"]) assert.ok(!parseMaxForwards(bad).ok, bad);
});

test("[R3261-20.33-1] Retry-After is seconds, an optional comment and an optional duration", () => {
  const read = (text: string) => {
    const value = parseRetryAfter(text);
    assert.ok(value.ok, text);
    const { params: _, ...rest } = value.value;
    return rest;
  };
  assert.deepEqual(read("18000;duration=3600"), { seconds: 18000, durationSeconds: 3600 });
  assert.deepEqual(read("120 (I'm in a meeting)"), { seconds: 120, comment: "I'm in a meeting" });
  assert.deepEqual(read(" 5(a (b) \\) c) ; x=y"), { seconds: 5, comment: "a (b) ) c" });
  for (const bad of ["", "soon", "-1", "4294967296", "5 (open", "5 x", "5;duration=x", "5;duration"])
    assert.ok(!parseRetryAfter(bad).ok, bad);
  const comment = arbText.map((text) => text.replace(/[()\\]/g, "/"));
  survives(
    fc.record({
      seconds: arbSeconds,
      comment: optional(comment),
      durationSeconds: optional(arbSeconds),
      params: arbParams,
    }),
    formatRetryAfter,
    parseRetryAfter,
  );
});

test("media types: names without case, quoted and spaced parameters", () => {
  const value = parseMediaType('Multipart / MIXED ; Boundary = "a:b"');
  assert.ok(value.ok);
  assert.equal(mediaTypeName(value.value), "multipart/mixed");
  assert.equal(formatMediaType(value.value), 'multipart/mixed;boundary="a:b"');
  for (const bad of ["", "text", "/plain", "text/", "text/plain;", "text plain"])
    assert.ok(!parseMediaType(bad).ok, bad);
  survives(
    fc.record({ type: arbToken, subtype: arbToken, params: arbParams }),
    formatMediaType,
    parseMediaType,
  );
});

test("Accept: the most specific range decides and q=0 refuses", () => {
  assert.ok(acceptsMediaType(["application/sdp;level=1", "text/html"], "application/sdp"));
  assert.ok(!acceptsMediaType(["text/nothing-this-uas-speaks"], "application/sdp"));
  assert.ok(acceptsMediaType(["application/*"], "application/rs-metadata+xml"));
  assert.ok(!acceptsMediaType(["*/*", "application/sdp;q=0.000"], "application/sdp"));
  assert.ok(acceptsMediaType(["text/*;q=0", "*/*"], "application/sdp"));
  assert.ok(!acceptsMediaType(["garbage"], "application/sdp"));
});

test("[R3261-20.11-1] handling is required unless it says optional", () => {
  const handling = (text: string) => {
    const value = parseContentDisposition(text);
    assert.ok(value.ok, text);
    return isHandlingRequired(value.value);
  };
  assert.ok(handling("session"));
  assert.ok(handling("Recording-Session ; handling=REQUIRED"));
  assert.ok(handling("render;handling=whatever"));
  assert.ok(!handling("render;Handling=Optional"));
  assert.ok(isHandlingRequired(undefined));
  assert.ok(!parseContentDisposition(";handling=optional").ok);
  survives(
    fc.record({
      type: arbToken,
      handling: optional(fc.constantFrom("optional", "required")),
      params: arbParams,
    }),
    formatContentDisposition,
    parseContentDisposition,
  );
});

test("Session-Expires and Min-SE", () => {
  const arb = fc.record({
    seconds: arbSeconds,
    refresher: optional(fc.constantFrom("uac", "uas")),
    params: arbParams,
  });
  survives(arb, formatSessionTimer, parseSessionExpires);
  assert.deepEqual(parseSessionExpires("1800; Refresher=UAS"), {
    ok: true,
    value: { seconds: 1800, refresher: "uas", params: new Map() },
  });
  assert.deepEqual(parseMinSe(" 90 "), { ok: true, value: { seconds: 90, params: new Map() } });
  for (const bad of ["", "x", "1800;refresher=me"]) assert.ok(!parseSessionExpires(bad).ok, bad);
});

test("Reason: protocol, cause and text (RFC 3326 §2)", () => {
  survives(
    fc.record({ protocol: arbToken, cause: optional(fc.nat()), text: optional(arbText), params: arbParams }),
    formatReason,
    parseReason,
  );
  assert.equal(
    formatReason({ protocol: "Q.850", cause: 16, text: "Terminated" }),
    'Q.850;cause=16;text="Terminated"',
  );
  for (const bad of ["", ";cause=1", "SIP;cause=x"]) assert.ok(!parseReason(bad).ok, bad);
});

test("[R3261-20.17-1] Date is an RFC 1123 date in GMT and nothing else", () => {
  assert.deepEqual(parseSipDate("Sat, 13 Nov 2010 23:29:00 GMT"), {
    ok: true,
    value: Date.UTC(2010, 10, 13, 23, 29),
  });
  assert.equal(formatSipDate(Date.UTC(2010, 10, 13, 23, 29)), "Sat, 13 Nov 2010 23:29:00 GMT");
  for (const bad of [
    "",
    "Fri, 01 Jan 2010 16:00:00 EST",
    "Fri, 31 Feb 2010 16:00:00 GMT",
    "Fri, 01 Jan 2010 24:00:00 GMT",
    "2010-01-01",
  ])
    assert.ok(!parseSipDate(bad).ok, bad);
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 4102444800 }), (seconds) => {
      assert.deepEqual(parseSipDate(formatSipDate(seconds * 1000)), { ok: true, value: seconds * 1000 });
    }),
  );
});

test("token lists join lines; option tags compare without case", () => {
  const headers = new SipHeaders([
    ["k", "timer , SIPREC"],
    ["Supported", "100rel"],
  ]);
  assert.deepEqual(tokenList(headers, "Supported"), ["timer", "SIPREC", "100rel"]);
  assert.ok(hasToken(headers, "supported", "siprec"));
  assert.ok(!hasToken(headers, "Require", "siprec"));
});

test("reason phrases: unknown codes read as the x00 of their class", () => {
  assert.equal(describeStatus(488), "Not Acceptable Here");
  assert.equal(describeStatus(499), "Bad Request");
  assert.equal(describeStatus(599), "Server Internal Error");
  assert.equal(describeStatus(188), "Session Progress");
  assert.equal(describeStatus(42), "Unknown");
});
