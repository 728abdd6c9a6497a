import assert from "node:assert/strict";
import { test } from "node:test";
import { createAddressFilter } from "./address-filter.ts";

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
  for (const text of ["host.example", "10.0.0.0/33", "10.0.0.0/", "::/129", ""]) {
    assert.throws(() => createAddressFilter([text]), RangeError, text);
  }
});
