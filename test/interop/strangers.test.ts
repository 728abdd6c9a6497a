import assert from "node:assert/strict";
import { test } from "node:test";
import { createPacketIo } from "@callfork/server/net";
import { measure } from "../../bench/forked-calls/forked-calls.ts";
import { STRANGERS_OCTETS } from "../../bench/forked-calls/traffic.ts";

const probed = createPacketIo({ choice: "auto" });
await probed.io.stop();
const withoutUring = probed.refusal !== undefined && `io_uring does not work here: ${probed.refusal}`;

/** Calls whose every packet, relayed and forked, is compared octet by octet; dgram takes twice the time for one. */
for (const [kind, calls] of [
  ["gso", 400],
  ["dgram", 100],
] as const) {
  test(`[R3550-A.1-1] strangers' packets of 0 to 65,507 octets at a hundred times a party's rate, on a port that has its party and on one that waits: ${calls} forked calls do not notice, and the excess is counted (${kind})`, {
    skip: kind === "gso" && withoutUring,
  }, async () => {
    const options = { seconds: 3, workers: 1, pattern: "spread", strangers: true } as const;
    const { traffic, strangers } = await measure({ kind, calls, ...options });
    const { sent, relayed, forked, wrong } = traffic;
    assert.ok(sent > 50 * calls);
    assert.deepEqual({ relayed, forked, wrong }, { relayed: sent, forked: sent, wrong: 0 });
    // Those on the port that has its party do not even reach us.
    const each = traffic.strangers / 2 / STRANGERS_OCTETS.length;
    assert.ok(strangers!.dropped > 0 && strangers!.oversized > 0);
    assert.ok(strangers!.dropped <= 4 * each && strangers!.oversized <= each);
  });
}
