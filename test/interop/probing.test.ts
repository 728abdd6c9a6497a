import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Findings } from "./probing/strangers.ts";
import { inOwnNetwork, withoutOwnNetwork } from "./support/own-network.ts";
import { Owned } from "./support/owned.ts";
import { without } from "./support/programs.ts";

const owned = new Owned();
let findings: Findings;

/** All that an answer to a stranger says: what its own request said, and nothing of who we are. */
const DISCLOSED = ["Via", "From", "To", "Call-ID", "CSeq", "Content-Length"];

describe("scanners at addresses that nobody named", {
  skip: withoutOwnNetwork() || without("sipsak"),
}, () => {
  before(async () => {
    findings = await inOwnNetwork<Findings>(owned, "probing/strangers.ts", 120_000);
  });
  after(() => owned.release());

  it("get the same 403 to any method, to numbers that are there and that are not", () => {
    const { answers } = findings.refuse;
    assert.equal(Object.keys(answers).length, 6);
    for (const [name, answer] of Object.entries(answers)) {
      assert.equal(answer?.status, 403, name);
      assert.deepEqual(answer.headers, DISCLOSED, name);
    }
  });

  it("get five answers, then none", () => {
    assert.deepEqual(findings.refuse.patience, { answered: 5, last: 5 });
  });

  it("get nothing at all when strangers are dropped", () => {
    const { answers, patience } = findings.drop;
    assert.deepEqual(new Set(Object.values(answers)), new Set([null]));
    assert.equal(patience.answered, 0);
  });

  it("learn neither methods nor extensions by sipsak's OPTIONS", () => {
    assert.match(findings.sipsak, /SIP\/2\.0 403 Forbidden/);
    const [, reply = ""] = /(SIP\/2\.0 403[\s\S]*)/.exec(findings.sipsak) ?? [];
    assert.doesNotMatch(reply, /^(Allow|Accept|Supported|Contact|Server|Warning):/im);
  });

  it("do not disturb a trunk's call, nor fill the memory, with 2,000 messages from 40 addresses", () => {
    const { sent, answered, refusedCounted, rssBeforeKb, rssAfterKb, callDuringFlood } = findings.flood;
    assert.equal(callDuringFlood, "heard");
    assert.equal(sent, 2_000);
    assert.ok(answered <= 40 * 5, `${answered} answers`);
    assert.ok(refusedCounted > 1_000, `${refusedCounted} refusals counted`);
    // Between the two a call with its media began: the bound is far above that, and far below a leak of each message.
    assert.ok(rssAfterKb - rssBeforeKb < 100 * 1024, `from ${rssBeforeKb} to ${rssAfterKb} kB`);
  });
});
