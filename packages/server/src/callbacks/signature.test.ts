import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import twilio from "twilio";
import { signRequest } from "./signature.ts";
import { formOf, readTarget, urlOf, withQuery } from "./target.ts";

test("the published vector", () => {
  const signature = signRequest("12345", "https://mycompany.com/myapp.php?foo=1&bar=2", [
    ["CallSid", "CA1234567890ABCDE"],
    ["Caller", "+14158675309"],
    ["Digits", "1234"],
    ["From", "+14158675309"],
    ["To", "+18005551212"],
  ]);
  assert.equal(signature, "RSOYDt4T1cUTdK1PDd93/VVr8B8=");
});

test("values of a repeated name are de-duplicated and sorted", () => {
  const repeated = signRequest("t", "https://a.example/", [
    ["X", "b"],
    ["A", "1"],
    ["X", "a"],
    ["X", "b"],
  ]);
  const plain = signRequest("t", "https://a.example/", [
    ["A", "1"],
    ["X", "aXb"],
  ]);
  assert.equal(repeated, plain);
});

const host = fc.oneof(fc.domain(), fc.ipV4(), fc.constant("[2001:db8::1]"), fc.constant("localhost"));
const port = fc.oneof(
  fc.constant(""),
  fc.constantFrom(":80", ":443", ":8080"),
  fc.integer({ min: 1, max: 65535 }).map((n) => `:${n}`),
);
const rest = fc.stringMatching(
  /^(\/[A-Za-z0-9'"()*!~. _%äé$&+,;=:@|^`{}[\]-]{0,20}){0,3}(\?[A-Za-z0-9'"()*!~. äé$+,;=:@/?|^`{}&-]{0,30})?$/,
);
const url = fc
  .tuple(fc.constantFrom("http", "https"), host, port, rest)
  .map(([scheme, name, number, tail]) => `${scheme}://${name}${number}${tail}`)
  .filter((text) => URL.canParse(text) && text.trim() === text);
const fragment = fc.constantFrom("", "#rc=2&rp=all", "#x");
const parameterName = fc.stringMatching(/^[A-Za-z][A-Za-z0-9_.-]{0,12}$/).filter((name) => !(name in {}));
const parameters = fc.uniqueArray(fc.tuple(parameterName, fc.string({ unit: "grapheme", maxLength: 20 })), {
  selector: ([name]) => name,
  maxLength: 6,
});

test("the official helper accepts every POST we sign, given the URL as its server sees it", () => {
  fc.assert(
    fc.property(url, fragment, parameters, fc.string({ minLength: 1 }), (configured, tail, form, token) => {
      const target = readTarget(configured + tail);
      const seen = urlOf(target);
      const signature = signRequest(token, seen, form);
      const received = Object.fromEntries(new URLSearchParams(formOf(form)));
      assert.ok(twilio.validateRequest(token, signature, seen, received), seen);
      // What was configured need not be spelt as it is sent; the helper tries both.
      assert.ok(twilio.validateRequest(token, signature, configured, received), configured);
      assert.ok(!twilio.validateRequest(`${token}x`, signature, seen, received));
    }),
    { numRuns: 1000 },
  );
});

test("the official helper accepts every GET we sign: all parameters stand in the URL", () => {
  fc.assert(
    fc.property(url, fragment, parameters, (configured, tail, query) => {
      const target = withQuery(readTarget(configured + tail), query);
      const seen = urlOf(target);
      assert.ok(twilio.validateRequest("12345", signRequest("12345", seen, []), seen, {}), seen);
      // Behind the query that was there, each parameter arrives as it was.
      const pairs = [...new URL(seen).searchParams];
      assert.deepEqual(pairs.slice(pairs.length - query.length), query);
    }),
    { numRuns: 1000 },
  );
});

test("port, path, fragment and user are signed as they are sent", () => {
  const signed = (text: string) => urlOf(readTarget(text));
  assert.equal(signed("https://a.example"), "https://a.example/");
  assert.equal(signed("https://a.example:443/x"), "https://a.example/x");
  assert.equal(signed("http://a.example:443/x"), "http://a.example:443/x");
  assert.equal(signed("https://A.example:8443?a=1#rc=1"), "https://a.example:8443/?a=1");
  assert.equal(signed("https://user:pa%20ss@a.example/"), "https://a.example/");
  assert.equal(readTarget("https://user:pa%20ss@a.example/").authorization, "Basic dXNlcjpwYSBzcw==");
});

test("what is no http URL is refused as such", () => {
  for (const text of [
    "",
    "/relative",
    "ftp://a.example/",
    "file:///etc/passwd",
    `http://a.example/${"x".repeat(9000)}`,
  ])
    assert.throws(() => readTarget(text), { code: "WEBHOOK_BAD_URL", publicCode: 11100 });
});
