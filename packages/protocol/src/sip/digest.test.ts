import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { type DigestHashes, digestResponse, equalsInConstantTime } from "./digest.ts";
import { DigestClient } from "./digest-client.ts";
import { DigestServer } from "./digest-server.ts";
import type { SipRequest, SipResponse } from "./message.ts";
import { testRequest, testResponse } from "./transaction-drive.testing.ts";

const hashes: DigestHashes = {
  md5: (bytes) => createHash("md5").update(bytes).digest(),
  sha256: (bytes) => createHash("sha256").update(bytes).digest(),
};
let fill = 0;
const random = { bytes: (length: number) => new Uint8Array(length).fill(++fill) };
const secret = new Uint8Array(32).fill(7);
const alice = { username: "alice", password: "wonder:land" };
const passwordOf = (username: string): string | undefined =>
  username === "alice" ? alice.password : undefined;

/** RFC 7616 §3.9.1. */
const EXAMPLE = {
  username: "Mufasa",
  realm: "http-auth@example.org",
  password: "Circle of Life",
  nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
  method: "GET",
  uri: "/dir/index.html",
  protection: { qop: "auth", cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", nc: "00000001" },
} as const;

test("[R7616-3.4.1-1] the responses of RFC 7616's example come out, for MD5 and SHA-256", () => {
  assert.equal(digestResponse({ ...EXAMPLE, algorithm: "MD5" }, hashes), "8ca523f5e9506fed4657c9700eebdbec");
  assert.equal(
    digestResponse({ ...EXAMPLE, algorithm: "SHA-256" }, hashes),
    "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
  );
});

test("[R7616-3.4.1-2] without qop the response is that of RFC 2069", () => {
  const input = {
    algorithm: "MD5",
    username: "Mufasa",
    realm: "testrealm@host.com",
    password: "CircleOfLife",
    nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093",
    method: "GET",
    uri: "/dir/index.html",
  } as const;
  assert.equal(digestResponse(input, hashes), "1949323746fe6a43ef61f9606e7febea");
});

function challenged(server: DigestServer, now: number, options = {}): SipResponse {
  const response = testResponse(testRequest("INVITE"), 401);
  for (const line of server.challenge(now, options)) response.headers.append("WWW-Authenticate", line);
  return response;
}

function authorized(client: DigestClient, method = "INVITE"): SipRequest {
  const request = testRequest(method);
  for (const [name, value] of client.authorize(method, request.uri)) request.headers.append(name, value);
  return request;
}

for (const algorithm of ["MD5", "MD5-sess", "SHA-256", "SHA-256-sess"] as const) {
  test(`[R7616-3.3-1] client and server agree with ${algorithm}`, () => {
    const server = new DigestServer({ realm: "r", secret, hashes, algorithms: [algorithm] });
    const client = new DigestClient(alice, hashes, random);
    assert.equal(client.takeChallenge(challenged(server, 1_000)), true);
    const verdict = server.verify(authorized(client), "Authorization", passwordOf, 2_000);
    assert.deepEqual(verdict, { ok: true, username: "alice" });
  });
}

test("[R7616-3.7-1] of several challenges for one realm the strongest is answered, wherever it stands; others are passed over", () => {
  for (const algorithms of [
    ["SHA-256", "MD5"],
    ["MD5", "SHA-256"],
  ] as const) {
    const server = new DigestServer({ realm: "r", secret, hashes, algorithms });
    const client = new DigestClient(alice, hashes, random);
    client.takeChallenge(challenged(server, 0));
    assert.match(authorized(client).headers.get("Authorization") ?? "", /algorithm=SHA-256/);
  }
  const offer = (...lines: string[]) => {
    const response = challenged(new DigestServer({ realm: "r", secret, hashes }), 0);
    response.headers.delete("WWW-Authenticate");
    for (const line of lines) response.headers.append("WWW-Authenticate", line);
    const client = new DigestClient(alice, hashes, random);
    const retries = client.takeChallenge(response);
    return retries ? (authorized(client).headers.get("Authorization") ?? "") : undefined;
  };
  const rest = 'realm="r", nonce="n"';
  assert.equal(offer(`Digest ${rest}, qop="auth-int"`), undefined, "auth-int alone is not spoken");
  assert.equal(offer(`Digest ${rest}, algorithm=SHA-512-256, qop="auth"`, 'Basic realm="r"'), undefined);
  assert.match(offer(`Digest ${rest}, qop="auth-int,auth"`) ?? "", /qop=auth,/);
  assert.match(
    offer(`Digest ${rest}, algorithm=SHA-256, qop="auth-int"`, `Digest ${rest}, qop="auth"`) ?? "",
    /algorithm|qop=auth/,
  );
});

test("[R7616-3.4-3] [R3261-22.4-1] opaque comes back as it was; Basic is neither asked for, nor answered, nor taken", () => {
  const server = new DigestServer({ realm: "r", secret, hashes });
  const response = challenged(server, 0);
  response.headers.set("WWW-Authenticate", ['Digest realm="r", nonce="n", qop="auth", opaque="o\\"p, =q"']);
  const client = new DigestClient(alice, hashes, random);
  assert.equal(client.takeChallenge(response), true);
  assert.match(authorized(client).headers.get("Authorization") ?? "", /opaque="o\\"p, =q"/);

  response.headers.set("WWW-Authenticate", ['Basic realm="r"']);
  assert.equal(new DigestClient(alice, hashes, random).takeChallenge(response), false);
  for (const line of server.challenge(0)) assert.match(line, /^Digest /);
  const request = testRequest("REGISTER");
  request.headers.set("Authorization", `Basic ${Buffer.from("alice:secret").toString("base64")}`);
  assert.equal(server.verify(request, "Authorization", passwordOf, 0).ok, false);
});

test("[R7616-3.3-3] a new nonce without `stale` is tried once when it is the request's first refusal", () => {
  const client = new DigestClient(alice, hashes, random);
  const server = new DigestServer({ realm: "r", secret, hashes });
  assert.equal(client.takeChallenge(challenged(server, 0), true), true);
  assert.equal(client.takeChallenge(challenged(server, 1), false), false, "the password was wrong");
  assert.equal(client.takeChallenge(challenged(server, 2), true), true, "a later request of the dialog");
  assert.equal(client.takeChallenge(challenged(server, 2), true), false, "the very same nonce");
});

test("[R7616-3.4-1] the nonce count rises with each request, and a count used twice is refused as stale", () => {
  const server = new DigestServer({ realm: "r", secret, hashes });
  const client = new DigestClient(alice, hashes, random);
  client.takeChallenge(challenged(server, 0));
  const first = authorized(client);
  const second = authorized(client);
  assert.match(first.headers.get("Authorization") ?? "", /nc=00000001/);
  assert.match(second.headers.get("Authorization") ?? "", /nc=00000002/);
  assert.equal(server.verify(first, "Authorization", passwordOf, 1).ok, true);
  assert.equal(server.verify(second, "Authorization", passwordOf, 1).ok, true);
  assert.deepEqual(server.verify(second, "Authorization", passwordOf, 1), { ok: false, reason: "stale" });
});

test("[R7616-3.3-2] an old nonce is stale, the client takes the new one; a made-up nonce is stale too", () => {
  const server = new DigestServer({ realm: "r", secret, hashes, nonceLifetimeMs: 1_000 });
  const client = new DigestClient(alice, hashes, random);
  client.takeChallenge(challenged(server, 0));
  const late = server.verify(authorized(client), "Authorization", passwordOf, 1_000);
  assert.deepEqual(late, { ok: false, reason: "stale" });
  assert.equal(client.takeChallenge(challenged(server, 1_000, { stale: true })), true);
  assert.equal(server.verify(authorized(client), "Authorization", passwordOf, 1_001).ok, true);
  const stranger = new DigestServer({ realm: "r", secret: new Uint8Array(32), hashes });
  const fooled = new DigestClient(alice, hashes, random);
  fooled.takeChallenge(challenged(stranger, 0));
  const verdict = server.verify(authorized(fooled), "Authorization", passwordOf, 1);
  assert.deepEqual(verdict, { ok: false, reason: "stale" });
});

test("[R3261-22.1-1] wrong credentials are not sent twice", () => {
  const server = new DigestServer({ realm: "r", secret, hashes });
  const client = new DigestClient({ username: "alice", password: "wrong" }, hashes, random);
  assert.equal(client.takeChallenge(challenged(server, 0)), true);
  const verdict = server.verify(authorized(client), "Authorization", passwordOf, 1);
  assert.deepEqual(verdict, { ok: false, reason: "wrong" });
  assert.equal(client.takeChallenge(challenged(server, 2)), false);
});

test("[R7616-3.4-2] credentials are bound to method, URI, user and qop", () => {
  const server = new DigestServer({ realm: "r", secret, hashes });
  const client = new DigestClient(alice, hashes, random);
  client.takeChallenge(challenged(server, 0));
  const line = authorized(client).headers.get("Authorization")!;
  const verdictOf = (text: string, method = "INVITE"): unknown => {
    const request = testRequest(method, { Authorization: text });
    const verdict = server.verify(request, "Authorization", passwordOf, 1);
    return verdict.ok ? "ok" : verdict.reason;
  };
  assert.equal(verdictOf(line, "BYE"), "wrong");
  assert.equal(verdictOf(line.replace('"sip:bob@10.0.0.2"', '"sip:carol@10.0.0.2"')), "malformed");
  assert.equal(verdictOf(line.replace('"alice"', '"mallory"')), "wrong");
  assert.equal(verdictOf(line.replace("qop=auth, ", "")), "malformed");
  assert.equal(verdictOf(line.replace('realm="r"', 'realm="other"')), "missing");
  assert.equal(verdictOf("Digest ,,"), "malformed");
  assert.equal(verdictOf("Basic YTpi"), "missing");
  assert.equal(verdictOf(line), "ok");
});

test("a challenge that cannot be answered is passed over", () => {
  for (const line of [
    "Basic realm=r",
    'Digest realm="r", nonce="n", algorithm=SHA-512-256',
    'Digest realm="r", nonce="n", qop="auth-int"',
    'Digest realm="r"',
    "%%",
  ]) {
    const response = testResponse(testRequest("INVITE"), 407);
    response.headers.append("Proxy-Authenticate", line);
    assert.equal(new DigestClient(alice, hashes, random).takeChallenge(response), false, line);
  }
});

test("texts compare in constant time by value", () => {
  assert.equal(equalsInConstantTime("abc", "abc"), true);
  for (const other of ["abd", "ab", "abcd", ""]) assert.equal(equalsInConstantTime(other, "abc"), false);
});
