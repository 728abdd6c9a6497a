import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createAddressFilter, isLoopback, numericAddress } from "./address-filter.ts";

test("an address is in a filter by itself or by its range", () => {
  const allowed = createAddressFilter(["127.0.0.0/8", "::1", "192.0.2.7", "2001:db8::/32"]);
  for (const address of [
    "127.0.0.1",
    "127.255.0.9",
    "::1",
    "192.0.2.7",
    "::ffff:192.0.2.7",
    "2001:db8:1::5",
  ]) {
    assert.equal(allowed(address), true, address);
  }
  for (const address of ["128.0.0.1", "192.0.2.8", "::2", "2001:db9::1", "::ffff:192.0.2.8", "name", ""]) {
    assert.equal(allowed(address), false, address);
  }
});

test("an empty filter lets nobody in, /0 everybody of its family", () => {
  assert.equal(createAddressFilter([])("127.0.0.1"), false);
  const v4 = createAddressFilter(["0.0.0.0/0"]);
  assert.equal(v4("203.0.113.9"), true);
  assert.equal(v4("2001:db8::1"), false);
});

test("what is no range is refused", () => {
  for (const text of [
    ...["host.example", "10.0.0.0/33", "10.0.0.0/", "::/129", ""],
    ...["1.2.3", "1.2.3.4.5", "1.2.3.256", "1::2::3"],
  ]) {
    assert.throws(() => createAddressFilter([text]), RangeError, text);
  }
});

test("an address lies in its own range and in every wider one", () => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), fc.nat(128), (address, length) => {
      assert.ok(createAddressFilter([address])(address), address);
      const range = `${address}/${address.includes(":") ? length : length % 33}`;
      // A range that holds the mapped addresses among others is one of IPv6: it says nothing of IPv4.
      const isMapped = numericAddress(address)?.includes(":") !== address.includes(":");
      if (!isMapped || length >= 96) assert.ok(createAddressFilter([range])(address), range);
    }),
  );
});

test("ranges end where their prefix ends", () => {
  const lies = (address: string, range: string) => createAddressFilter([range])(address);
  assert.equal(lies("192.0.2.255", "192.0.2.0/24"), true);
  assert.equal(lies("192.0.3.0", "192.0.2.0/24"), false);
  assert.equal(lies("192.0.2.7", "192.0.2.4/30"), true);
  assert.equal(lies("192.0.2.8", "192.0.2.4/30"), false);
  assert.equal(lies("::ffff:192.0.2.9", "192.0.2.0/24"), true);
  assert.equal(lies("192.0.2.9", "::ffff:192.0.2.0/120"), true);
  assert.equal(lies("[2001:db8:1::1]", "2001:db8::/32"), true);
  assert.equal(lies("fe80::1%eth0", "fe80::/10"), true);
});

test("loopback, and what an address is without its trimmings", () => {
  for (const address of ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
    assert.ok(isLoopback(address), address);
  for (const address of ["128.0.0.1", "::2", "10.0.0.1", ""]) assert.ok(!isLoopback(address), address);
  assert.equal(numericAddress("[2001:db8::1]"), "2001:db8::1");
  assert.equal(numericAddress("::ffff:10.0.0.1"), "10.0.0.1");
  assert.equal(numericAddress("host.example"), undefined);
});
