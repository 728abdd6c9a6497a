import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatAuthParams, parseAuthenticationInfo, parseAuthParams } from "./auth-params.ts";

test("a challenge: commas in quotes, blanks round the equals sign, names without case", () => {
  const value = parseAuthParams(
    'Digest Realm="a, b" , nonce = "84f1c1ae",QOP="auth,auth-int", stale=FALSE,algorithm=MD5',
  );
  assert.ok(value.ok);
  assert.equal(value.value.scheme, "Digest");
  assert.deepEqual(
    [...value.value.params],
    [
      ["realm", "a, b"],
      ["nonce", "84f1c1ae"],
      ["qop", "auth,auth-int"],
      ["stale", "FALSE"],
      ["algorithm", "MD5"],
    ],
  );
  assert.equal(
    formatAuthParams(value.value),
    'Digest realm="a, b", nonce="84f1c1ae", qop="auth,auth-int", stale=FALSE, algorithm=MD5',
  );
});

test("credentials: qop and nc go bare, all else as the RFC quotes it", () => {
  const params = new Map([
    ["username", 'bo"b'],
    ["response", "6629fae49393a05397450978507c4ef1"],
    ["qop", "auth"],
    ["nc", "00000001"],
  ]);
  const text = formatAuthParams({ scheme: "Digest", params });
  assert.equal(
    text,
    'Digest username="bo\\"b", response="6629fae49393a05397450978507c4ef1", qop=auth, nc=00000001',
  );
  assert.deepEqual(parseAuthParams(text), { ok: true, value: { scheme: "Digest", params } });
});

test("one-value schemes, unknown schemes and the bare list", () => {
  assert.deepEqual(parseAuthParams("Basic dXNlcjpw=="), {
    ok: true,
    value: { scheme: "Basic", params: new Map(), token68: "dXNlcjpw==" },
  });
  assert.equal(formatAuthParams({ scheme: "Bearer", token68: "abc" }), "Bearer abc");
  assert.ok(parseAuthParams("NoOneKnowsThisScheme opaque-data=here").ok);
  const info = parseAuthenticationInfo('nextnonce="x", qop=auth, rspauth="y"');
  assert.ok(info.ok);
  assert.equal(formatAuthParams(info.value), 'nextnonce="x", qop=auth, rspauth="y"');
});

test("what would have to be guessed is refused", () => {
  for (const bad of [
    "",
    '="x"',
    'Digest realm="x',
    "Digest realm, x=y",
    'Digest nonce="a", nonce="b"',
    'Digest a="b" c="d"',
    "Digest a=b c",
  ])
    assert.ok(!parseAuthParams(bad).ok, bad);
});

test("every list we can build survives format then parse", () => {
  const arbName = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/);
  const arbValue = fc.string().map((text) => text.replace(/[\r\n]/g, ""));
  fc.assert(
    fc.property(fc.array(fc.tuple(arbName, arbValue), { minLength: 1, maxLength: 5 }), (pairs) => {
      const value = { scheme: "Digest", params: new Map(pairs) };
      assert.deepEqual(parseAuthParams(formatAuthParams(value)), { ok: true, value });
    }),
  );
});
