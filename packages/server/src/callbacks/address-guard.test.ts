import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createAddressGuard } from "./address-guard.ts";

const guard = createAddressGuard([]);

test("addresses that are nobody's public host are refused, in whatever spelling", () => {
  for (const address of [
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:a9fe:a9fe",
    "0:0:0:0:0:ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
    "2002:7f00:1::",
    "2001:0:1::1",
    "2001:db8::1",
    "example.com",
    "",
  ])
    assert.equal(guard.allows(address), false, address);
});

test("public addresses are allowed", () => {
  for (const address of [
    "1.1.1.1",
    "100.63.255.255",
    "172.32.0.1",
    "192.0.3.1",
    "2606:4700::1111",
    "::ffff:8.8.8.8",
  ])
    assert.equal(guard.allows(address), true, address);
});

test("the configuration opens single addresses and ranges, of either spelling", () => {
  const open = createAddressGuard(["127.0.0.0/8", "10.0.0.7", "::1", "fd00::/8", "::ffff:192.168.0.1"]);
  for (const address of ["127.9.9.9", "::ffff:127.0.0.1", "10.0.0.7", "::1", "fd12::1", "192.168.0.1"])
    assert.equal(open.allows(address), true, address);
  for (const address of ["10.0.0.8", "fe80::1", "169.254.169.254", "192.168.0.2"])
    assert.equal(open.allows(address), false, address);
});

test("a mapped IPv4 address is judged as that IPv4 address", () => {
  fc.assert(
    fc.property(fc.ipV4(), (address) =>
      assert.equal(guard.allows(`::ffff:${address}`), guard.allows(address)),
    ),
  );
});

test("an entry that is no range is refused when the guard is made", () => {
  for (const entry of [
    "",
    "localhost",
    "10.0.0.0/33",
    "10.0.0.0/-1",
    "::1/129",
    "10.0.0.0/8/8",
    "fe80::1%eth0",
  ])
    assert.throws(() => createAddressGuard([entry]), TypeError, entry);
});
