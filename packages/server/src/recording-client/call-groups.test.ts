import assert from "node:assert/strict";
import { test } from "node:test";
import { isUuidObjectId } from "@callfork/protocol/siprec";
import { SeededRandom } from "@callfork/testkit";
import { CallGroups } from "./call-groups.ts";

test("[R7865-6.2-4] the legs of one conversation are one group, those of another are another; not too many are kept", () => {
  const groups = new CallGroups(new SeededRandom(1));
  const parent = groups.groupOf({ sid: "CA1", parentCallSid: null });
  assert.ok(isUuidObjectId(parent));
  assert.equal(groups.groupOf({ sid: "CA2", parentCallSid: "CA1" }), parent);
  assert.equal(groups.groupOf({ sid: "CA3", parentCallSid: "CA1" }), parent);
  assert.notEqual(groups.groupOf({ sid: "CA4", parentCallSid: null }), parent);
  for (let n = 0; n < 9_998; n++) groups.groupOf({ sid: `CB${n}`, parentCallSid: null });
  assert.equal(groups.groupOf({ sid: "CA1", parentCallSid: null }), parent); // used again: to the end
  for (let n = 0; n < 9_999; n++) groups.groupOf({ sid: `CC${n}`, parentCallSid: null });
  assert.equal(groups.groupOf({ sid: "CA1", parentCallSid: null }), parent);
  for (let n = 0; n < 10_000; n++) groups.groupOf({ sid: `CD${n}`, parentCallSid: null });
  assert.notEqual(groups.groupOf({ sid: "CA1", parentCallSid: null }), parent);
});
