import assert from "node:assert/strict";
import { test } from "node:test";
import { isLocalAddress, localAddressFor } from "./local-address.ts";
import { createResolver } from "./resolver.ts";

test("literals resolve to themselves, names through the system, unknown names to nothing", async () => {
  const resolver = createResolver({
    lookup: async (host) => {
      if (host !== "pbx.example.com") throw new Error("ENOTFOUND");
      return ["192.0.2.1", "192.0.2.1", "2001:db8::1"];
    },
  });
  assert.deepEqual(await resolver.addresses("192.0.2.9"), ["192.0.2.9"]);
  assert.deepEqual(await resolver.addresses("[2001:db8::9]"), ["2001:db8::9"]);
  assert.deepEqual(await resolver.addresses("pbx.example.com"), ["192.0.2.1", "2001:db8::1"]);
  assert.deepEqual(await resolver.addresses("nowhere.example.com"), []);
});

test("the system's resolver knows localhost", async () => {
  const addresses = await createResolver().addresses("localhost");
  assert.ok(addresses.includes("127.0.0.1") || addresses.includes("::1"));
});

test("the kernel's route names our address", () => {
  assert.equal(localAddressFor("127.0.0.1"), "127.0.0.1");
  assert.equal(localAddressFor("example.com"), undefined);
  assert.ok(isLocalAddress("127.0.0.1"));
  assert.ok(!isLocalAddress("192.0.2.254"));
});
