import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SecretUnreadableError } from "./errors.ts";
import { type SecretPlace, Vault } from "./vault.ts";

const KEY = new Uint8Array(32).fill(1);
const OTHER_KEY = new Uint8Array(32).fill(2);
const PLACE: SecretPlace = { table: "connectors", row: "XE1", column: "credentials" };

test("any text comes back, and no two envelopes of it are alike", () => {
  const vault = new Vault([KEY]);
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (secret) => {
      const sealed = vault.seal(secret, PLACE);
      assert.equal(vault.open(sealed, PLACE), secret);
      assert.notEqual(vault.seal(secret, PLACE), sealed);
      if (secret.length > 3) assert.ok(!sealed.includes(secret));
    }),
  );
});

test("a changed character anywhere is found", () => {
  const vault = new Vault([KEY]);
  const sealed = vault.seal("the secret", PLACE);
  const opens = (text: string) => {
    try {
      return vault.open(text, PLACE);
    } catch (error) {
      assert.ok(error instanceof SecretUnreadableError);
      assert.doesNotMatch(error.message, /the secret/);
      return undefined;
    }
  };
  const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  for (let at = 0; at < sealed.length; at++) {
    const replacement = sealed[at] === "." ? "x" : digits[(digits.indexOf(sealed[at]!) + 32) % 64]!;
    assert.equal(opens(sealed.slice(0, at) + replacement + sealed.slice(at + 1)), undefined, `at ${at}`);
  }
  for (const cut of [0, 3, 20, 30, sealed.length - 1]) assert.equal(opens(sealed.slice(0, cut)), undefined);
});

test("a secret opens in its own place only", () => {
  const vault = new Vault([KEY]);
  const sealed = vault.seal("x", PLACE);
  for (const change of [{ table: "trunks" }, { row: "XE2" }, { column: "password" }])
    assert.throws(() => vault.open(sealed, { ...PLACE, ...change }), { code: "SECRET_UNREADABLE" });
});

test("keys change: old envelopes open as long as the old key is known, and are told apart", () => {
  const before = new Vault([OTHER_KEY]);
  const sealed = before.seal("x", PLACE);
  assert.throws(() => new Vault([KEY]).open(sealed, PLACE), /another master key/);
  const during = new Vault([KEY, OTHER_KEY]);
  assert.equal(during.open(sealed, PLACE), "x");
  assert.equal(during.isOutdated(sealed), true);
  const again = during.seal("x", PLACE);
  assert.equal(during.isOutdated(again), false);
  assert.equal(new Vault([KEY]).open(again, PLACE), "x");
});

test("a master key has 32 octets", () => {
  for (const keys of [[], [new Uint8Array(31)], [KEY, new Uint8Array(16)]])
    assert.throws(() => new Vault(keys), SecretUnreadableError);
});
