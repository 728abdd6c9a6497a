import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  classifySipSessionId,
  formatMetadataTime,
  isMetadataMediaType,
  isUuidObjectId,
  METADATA_MEDIA_TYPE,
  metadataCharset,
  newObjectId,
  normalizeAor,
  objectIdKey,
  parseMetadataTime,
  validateParameters,
} from "./index.ts";

const random = (octets: Uint8Array) => ({ bytes: (length: number) => octets.slice(0, length) });
const arb16 = fc.uint8Array({ minLength: 16, maxLength: 16 });

test("[R7865-6.10-1] [R7865-6.10-2] a new id is base64 of a random UUID of version 4", () => {
  fc.assert(
    fc.property(arb16, (octets) => {
      const id = newObjectId(random(octets));
      assert.match(id, /^[A-Za-z0-9+/]{22}==$/);
      const decoded = Buffer.from(id, "base64");
      assert.equal(decoded.length, 16);
      assert.equal(decoded[6]! >> 4, 4);
      assert.equal(decoded[8]! >> 6, 2);
      assert.ok(isUuidObjectId(id));
    }),
  );
});

test("[R7865-6.10-5] ids are compared by their octets, without the white space around them", () => {
  fc.assert(
    fc.property(arb16, arb16, (left, right) => {
      const [a, b] = [left, right].map((octets) => Buffer.from(octets).toString("base64"));
      assert.equal(objectIdKey(`\n   ${a}\r\n`), objectIdKey(a!));
      assert.equal(objectIdKey(a!) === objectIdKey(b!), a === b);
    }),
  );
});

test("[V-07] ids that are no UUIDs are opaque and equal only to themselves", () => {
  const ids = [
    "urn:uuid:cacb8f6f-5a5a-4c3d-9f0e-0123456789ab",
    "0123456789abcdef0123",
    "00001000121513593424",
    "15551234567",
    "",
    "MTIzNDU2Nzg5MDEyMzQ1Ng", // base64 without its padding
    "MTIzNDU2Nzg5MDEyMzQ1-_==",
    "MTIzNDU2Nzg5MDEyMzQ1Nh==", // bits left over that no 16 octets have
  ];
  assert.equal(new Set(ids.map(objectIdKey)).size, ids.length);
  for (const id of ids) assert.ok(!isUuidObjectId(id), id);
});

test("[R7865-6.9-1] [R7865-6.9-2] written times are RFC 3339 in UTC, upper case", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: Date.UTC(9999, 0) }), (epochMs) => {
      const text = formatMetadataTime(epochMs);
      assert.match(text, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      assert.deepEqual(parseMetadataTime(text), { epochMs, zoned: true });
    }),
  );
});

test("[V-14] times are read as deployed senders write them", () => {
  const noon = Date.UTC(2023, 0, 19, 12);
  const table: [text: string, epochMs: number, zoned: boolean][] = [
    ["2023-01-19T12:00:00Z", noon, true],
    ["2023-01-19t12:00:00z", noon, true],
    ["  2023-01-19T12:00:00Z\n", noon, true],
    ["2023-01-19T12:00:00", noon, false],
    ["2023-01-19 12:00:00", noon, false],
    ["2023-01-19T14:00:00+0200", noon, true],
    ["2023-01-19T14:00:00+02:00", noon, true],
    ["2023-01-19T14:00:00+02", noon, true],
    ["2023-01-19T06:30:00-05:30", noon, true],
    ["2023-01-19T12:00:00.382512Z", noon + 382, true],
    ["2023-01-19T12:00:00,5Z", noon + 500, true],
    ["1970-01-01T00:00:00Z", 0, true],
    ["2016-12-31T23:59:60Z", Date.UTC(2017, 0, 1) - 1, true],
  ];
  for (const [text, epochMs, zoned] of table)
    assert.deepEqual(parseMetadataTime(text), { epochMs, zoned }, text);
  const bad = [
    "",
    "now",
    "2023-02-29T12:00:00Z",
    "2023-13-01T12:00:00Z",
    "2023-01-19T24:00:00Z",
    "2023-01-19",
  ];
  for (const text of bad) assert.equal(parseMetadataTime(text), undefined, text);
  fc.assert(fc.property(fc.string(), (text) => void parseMetadataTime(text)));
});

test("[R9806-2-1] [R9806-2-3] [V-01] both labels are metadata, in any case, whatever their parameters", () => {
  assert.equal(METADATA_MEDIA_TYPE, "application/rs-metadata+xml");
  for (const type of [
    "application/rs-metadata+xml",
    "application/rs-metadata",
    "Application/RS-Metadata+XML;charset=UTF-8",
    " application/rs-metadata ; version=1",
  ]) {
    assert.ok(isMetadataMediaType(type), type);
  }
  for (const type of ["application/sdp", "application/rs-metadata-request", "application/xml", ""]) {
    assert.ok(!isMetadataMediaType(type), type);
  }
  assert.equal(metadataCharset('application/rs-metadata+xml; Charset="utf-16"'), "utf-16");
  assert.equal(metadataCharset("application/rs-metadata+xml;charset=ISO-8859-1;x=y"), "ISO-8859-1");
  assert.equal(metadataCharset("application/rs-metadata+xml"), undefined);
});

test("[R7865-6.5-4] [V-09] addresses get one form to search by", () => {
  const table: [aor: string, normalized: string][] = [
    ["sip:Alice@EXAMPLE.com", "sip:Alice@example.com"],
    ["SIPS:bob@example.com", "sips:bob@example.com"],
    ["tel:+15551234567", "tel:+15551234567"],
    ["+1 (555) 123-4567", "tel:+15551234567"],
    ["2301", "tel:2301"],
    ["bob@Example.com", "sip:bob@example.com"],
    ['"Bob" <sip:bob@example.com>', "sip:bob@example.com"],
    ["pbx.example.com", "sip:pbx.example.com"],
    ["192.0.2.1", "sip:192.0.2.1"],
    ["Reception", "Reception"],
    ["", ""],
  ];
  for (const [aor, normalized] of table) assert.equal(normalizeAor(aor), normalized, aor);
});

test("[R7865-6.3-2] [V-26] a Session-ID is told from a Call-ID by its shape", () => {
  const local = "ab30317f1a784dc48ff824d0d3715d86";
  const remote = "47755a9de7794ba387653f2099600ef2";
  assert.deepEqual(classifySipSessionId(`${local.toUpperCase()} ; remote=${remote}`), {
    kind: "sessionId",
    local,
    remote,
  });
  assert.deepEqual(classifySipSessionId(local), { kind: "sessionId", local, remote: undefined });
  assert.deepEqual(classifySipSessionId("b2b-7@192.0.2.1"), { kind: "callId", callId: "b2b-7@192.0.2.1" });
});

test("custom parameters are refused where they come in, never where they are written", () => {
  const code = (name: string, value: string): string | undefined => {
    const checked = validateParameters([
      { name: "fine", value: "fine" },
      { name, value },
    ]);
    if (!checked.ok) assert.equal(checked.error.index, 1);
    return checked.ok ? undefined : checked.error.code;
  };
  assert.equal(code("Role", "line one\nline two\t<&\"'"), undefined);
  assert.equal(code(" ", "x"), "PARAMETER_NAME_EMPTY");
  assert.equal(code("n".repeat(129), "x"), "PARAMETER_NAME_TOO_LONG");
  assert.equal(code("n", "v".repeat(4097)), "PARAMETER_VALUE_TOO_LONG");
  for (const bad of ["\u0000", "\u0007", "\u007f", "\u0085", "\ud800", "\ufffe"]) {
    assert.equal(code("n", `a${bad}b`), "PARAMETER_CHARACTER_FORBIDDEN", JSON.stringify(bad));
  }
  assert.equal(code("a\nb", "x"), "PARAMETER_CHARACTER_FORBIDDEN");
  const hundred = validateParameters(Array.from({ length: 100 }, () => ({ name: "n", value: "v" })));
  assert.equal(!hundred.ok && hundred.error.code, "TOO_MANY_PARAMETERS");
});
