import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isInRanges, isLoopback, parseAddressRange } from "./address-range.ts";

const inRange = (address: string, range: string) => isInRanges(address, [parseAddressRange(range)!]);

test("an address lies in its own range and in every wider one", () => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), fc.nat(128), (address, length) => {
      assert.ok(inRange(address, address));
      assert.ok(inRange(address, `${address}/${address.includes(":") ? length : length % 33}`));
    }),
  );
});

test("ranges end where their prefix ends", () => {
  assert.equal(inRange("192.0.2.255", "192.0.2.0/24"), true);
  assert.equal(inRange("192.0.3.0", "192.0.2.0/24"), false);
  assert.equal(inRange("192.0.2.7", "192.0.2.4/30"), true);
  assert.equal(inRange("192.0.2.8", "192.0.2.4/30"), false);
  assert.equal(inRange("2001:db8:1::1", "2001:db8::/32"), true);
  assert.equal(inRange("2001:db9::1", "2001:db8::/32"), false);
  assert.equal(inRange("::ffff:192.0.2.9", "192.0.2.0/24"), true);
  assert.equal(inRange("8.8.8.8", "0.0.0.0/0"), true);
  assert.equal(inRange("2001:db8::1", "0.0.0.0/0"), false);
});

test("what is no address is no range", () => {
  for (const text of [
    "",
    "example.com",
    "1.2.3",
    "1.2.3.4.5",
    "1.2.3.256",
    "1.2.3.4/33",
    "::1/129",
    "1.2.3.4/",
    "1::2::3",
  ]) {
    assert.equal(parseAddressRange(text), undefined, text);
  }
  assert.equal(isInRanges("example.com", [parseAddressRange("0.0.0.0/0")!]), false);
});

test("loopback", () => {
  for (const address of ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
    assert.ok(isLoopback(address), address);
  for (const address of ["128.0.0.1", "::2", "10.0.0.1", ""]) assert.ok(!isLoopback(address), address);
});
