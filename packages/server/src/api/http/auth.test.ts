import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Gate, type GateRequest, networkOf, parseBasic } from "./auth.ts";
import { TokenBuckets } from "./buckets.ts";
import { ForbiddenError, TooManyRequestsError, UnauthorizedError } from "./errors.ts";

const basic = (pair: string) => `Basic ${Buffer.from(pair).toString("base64")}`;

function gate() {
  const clock = { now: 0 };
  let tries = 0;
  const made = new Gate({
    credentials: {
      async authenticate(username, password) {
        tries += 1;
        await new Promise((resolve) => setImmediate(resolve));
        return username === "AC1" && password === "right" ? { accountSid: "AC1", keySid: null } : undefined;
      },
    },
    requestsPerSecond: 10,
    requestBurst: 5,
    failedLogins: 3,
    now: () => clock.now,
  });
  const admit = (pair: string | undefined, more: Partial<GateRequest> = {}) =>
    made.admit({
      method: "GET",
      address: "192.0.2.1",
      authorization: pair === undefined ? undefined : basic(pair),
      secFetchSite: undefined,
      ...more,
    });
  return { admit, clock, tries: () => tries };
}

test("Basic credentials: the password may hold colons, anything malformed is nothing", () => {
  assert.deepEqual(parseBasic(basic("AC1:a:b:")), { username: "AC1", password: "a:b:" });
  assert.deepEqual(parseBasic("basic QUMxOng="), { username: "AC1", password: "x" });
  for (const header of ["", "Basic", "Basic !!", "Bearer QUMxOng=", basic("nocolon"), basic(":x")])
    assert.equal(parseBasic(header), undefined, header);
  fc.assert(fc.property(fc.string(), (header) => void parseBasic(header)));
});

test("wrong credentials are throttled by address, also when they come all at once", async () => {
  const { admit, clock, tries } = gate();
  const outcomes = await Promise.allSettled(Array.from({ length: 10 }, (_, n) => admit(`AC1:guess${n}`)));
  const reasons = outcomes.map((one) => (one.status === "rejected" ? one.reason.constructor : undefined));
  assert.equal(reasons.filter((one) => one === UnauthorizedError).length, 3);
  assert.equal(reasons.filter((one) => one === TooManyRequestsError).length, 7);
  assert.equal(tries(), 3);
  await admit("AC1:guess", { address: "192.0.2.2" }).catch((error) =>
    assert.ok(error instanceof UnauthorizedError),
  );
  clock.now += 3000;
  await assert.rejects(admit("AC1:guess"), UnauthorizedError);
  await assert.rejects(admit("AC1:guess"), TooManyRequestsError);
});

test("credentials that were right before pass although somebody guesses from the same address", async () => {
  const { admit } = gate();
  await admit("AC1:right");
  for (let n = 0; n < 5; n += 1) await assert.rejects(admit(`AC1:guess${n}`));
  assert.deepEqual(await admit("AC1:right"), { accountSid: "AC1", keySid: null });
});

test("a store that fails costs nobody a try", async () => {
  let broken = true;
  const made = new Gate({
    credentials: {
      authenticate: async () => {
        if (broken) throw new Error("no database");
        return { accountSid: "AC1", keySid: null };
      },
    },
    requestsPerSecond: 10,
    requestBurst: 5,
    failedLogins: 2,
    now: () => 0,
  });
  const request = { method: "GET", address: "::1", authorization: basic("AC1:x"), secFetchSite: undefined };
  for (let n = 0; n < 5; n += 1) await assert.rejects(made.admit(request), /no database/);
  broken = false;
  assert.equal((await made.admit(request)).accountSid, "AC1");
});

test("no credentials at all is not a guess", async () => {
  const { admit } = gate();
  for (let n = 0; n < 50; n += 1) await assert.rejects(admit(undefined), UnauthorizedError);
  await admit("AC1:right");
});

test("a principal has a burst and a rate", async () => {
  const { admit, clock } = gate();
  for (let n = 0; n < 5; n += 1) await admit("AC1:right");
  await assert.rejects(admit("AC1:right"), (error: unknown) => {
    assert.ok(error instanceof TooManyRequestsError);
    assert.equal(error.retryAfterSeconds, 1);
    return true;
  });
  clock.now += 100;
  await admit("AC1:right");
});

test("another site's page cannot change anything with a browser's credentials", async () => {
  const { admit } = gate();
  for (const secFetchSite of ["cross-site", "same-site"])
    await assert.rejects(admit("AC1:right", { method: "POST", secFetchSite }), ForbiddenError);
  await admit("AC1:right", { method: "POST", secFetchSite: "same-origin" });
  await admit("AC1:right", { method: "GET", secFetchSite: "cross-site" });
});

test("an IPv6 network counts as one, an IPv4 address in IPv6 clothes as itself", () => {
  assert.equal(networkOf("::ffff:192.0.2.1"), "192.0.2.1");
  assert.equal(networkOf("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2");
  assert.equal(networkOf("2001:db8::1"), networkOf("2001:db8::2"));
  assert.notEqual(networkOf("2001:db8:0:1::1"), networkOf("2001:db8:0:2::1"));
  assert.equal(networkOf("::1"), "0:0:0:0");
});

test("buckets never hold more than their capacity nor more names than their limit", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(20), fc.nat(5000)), { maxLength: 200 }), (steps) => {
      let now = 0;
      const buckets = new TokenBuckets({ capacity: 3, perSecond: 1, limit: 5, now: () => now });
      for (const [name, wait] of steps) {
        now += wait;
        const seconds = buckets.take(String(name));
        assert.ok(seconds === 0 || seconds === 1);
      }
      now += 60_000;
      const taken = [1, 2, 3, 4].map(() => buckets.take("x"));
      assert.deepEqual(taken, [0, 0, 0, 1]);
    }),
  );
});
