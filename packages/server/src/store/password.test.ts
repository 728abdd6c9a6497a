import assert from "node:assert/strict";
import { test } from "node:test";
import { hashSecret, SecretChecker, sameSecret, secretMatches } from "./password.ts";

test("a hash holds its own cost and salt, matches its secret and no other", async () => {
  const hash = await hashSecret("s3cret");
  assert.match(hash, /^scrypt\$14\$8\$1\$[\w-]{22}\$[\w-]{43}$/);
  assert.notEqual(await hashSecret("s3cret"), hash);
  assert.equal(await secretMatches("s3cret", hash), true);
  assert.equal(await secretMatches("s3creT", hash), false);
  assert.equal(await secretMatches("", hash), false);
});

test("what is no hash of ours matches nothing", async () => {
  for (const stored of ["", "s3cret", "scrypt$14$8$1$$", "$2b$10$abc"])
    assert.equal(await secretMatches("s3cret", stored), false);
});

test("a hash made at another cost still matches", async () => {
  const cheap = "scrypt$4$8$1$AAAAAAAAAAAAAAAAAAAAAA$";
  const { scryptSync } = await import("node:crypto");
  const hash = scryptSync("x", Buffer.alloc(16), 32, { N: 16, r: 8, p: 1 }).toString("base64url");
  assert.equal(await secretMatches("x", cheap + hash), true);
});

test("a checker remembers what matched, and is not fooled by having remembered", async () => {
  const checker = new SecretChecker();
  const [one, two] = [await hashSecret("one"), await hashSecret("two")];
  assert.equal(await checker.matches("one", one), true);
  assert.equal(await checker.matches("one", one), true);
  assert.equal(await checker.matches("two", one), false);
  assert.equal(await checker.matches("one", two), false);
  assert.equal(await checker.matches("two", two), true);
});

test("of a thousand and more that ask at once, the rest are turned away", async () => {
  const checker = new SecretChecker();
  const hash = "scrypt$4$8$1$AAAAAAAAAAAAAAAAAAAAAA$AAAA";
  const outcomes = await Promise.allSettled(Array.from({ length: 1100 }, () => checker.matches("x", hash)));
  const refused = outcomes.filter((outcome) => outcome.status === "rejected");
  assert.equal(refused.length, 98);
  for (const { reason } of refused) assert.equal(reason.code, "STORE_OVERLOADED");
  assert.equal(await checker.matches("x", hash), false);
});

test("sameSecret compares texts of any length", () => {
  assert.equal(sameSecret("abc", "abc"), true);
  for (const other of ["", "ab", "abd", "abcd", "ABC"]) assert.equal(sameSecret("abc", other), false);
});
