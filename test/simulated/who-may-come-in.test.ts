import assert from "node:assert/strict";
import { test } from "node:test";
import { CallsWorld, type Phone, trunkOf } from "./calls-world.ts";
import { RawPeer } from "./raw-peer.ts";

const PAUSE = '<Pause length="60"/>';
const STRANGER = "198.51.100.7";
const PLATFORM = "192.0.2.1";

/** A trunk that has no address of its own. */
const roaming = trunkOf({
  sid: `TK${"1".repeat(32)}`,
  uniqueName: "roaming",
  allowedAddresses: [],
  username: "site-4",
  password: "open sesame",
});

function scanner(w: CallsWorld): { probe(count: number, method?: string): Promise<number[]>; peer: RawPeer } {
  const peer = new RawPeer(w.world, STRANGER);
  let cseq = 0;
  return {
    peer,
    async probe(count, method = "INVITE") {
      const before = peer.statuses.length;
      for (let i = 0; i < count; i++) {
        cseq += 1;
        peer.send({ method, cseq, callId: `scan-${cseq}`, uri: `sip:${100 + cseq}@${PLATFORM}` }, PLATFORM);
        await w.advance(100);
        const last = peer.responses.at(-1);
        if (last === undefined || last.headers.get("Call-ID") !== `scan-${cseq}` || method !== "INVITE")
          continue;
        const toTag = /tag=([^;]+)/.exec(last.headers.get("To") ?? "")?.[1] ?? "";
        const branch = `z9hG4bK${cseq}INVITE`;
        peer.send({ method: "ACK", cseq, callId: `scan-${cseq}`, branch, toTag }, PLATFORM);
      }
      await w.advance(100);
      return peer.statuses.slice(before).filter((status) => status >= 200);
    },
  };
}

async function optionsFrom(w: CallsWorld, phone: Phone): Promise<number> {
  const options = { requestUri: `sip:${PLATFORM}`, from: "sip:a@b", to: "sip:c@d" };
  const response = phone.party.agent.request("OPTIONS", options);
  await w.advance(500);
  return (await response).status;
}

test("a stranger is refused a few times and then hears nothing, not even 100; quiet makes it heard again", async () => {
  const w = new CallsWorld({ strangers: "refuse" });
  w.number("1001", PAUSE);
  const { probe, peer } = scanner(w);
  assert.deepEqual(await probe(8), [403, 403, 403, 403, 403]);
  const heard = peer.responses.length;
  await probe(20);
  assert.equal(peer.responses.length, heard);
  assert.equal(w.turnedAway.filter((why) => why === "silence").length, 23);
  assert.equal(w.platform.agent.liveDialogs, 0);
  await w.advance(600_000);
  assert.deepEqual(await probe(1), [403]);
});

test("a stranger's OPTIONS and REGISTER get 403 and say nothing of us", async () => {
  const w = new CallsWorld({ strangers: "refuse" });
  const { probe, peer } = scanner(w);
  assert.deepEqual(await probe(2, "OPTIONS"), [403, 403]);
  assert.deepEqual(await probe(9, "REGISTER"), [403, 403, 403]);
  for (const response of peer.responses) {
    assert.equal(
      ["Allow", "Supported", "Server"].some((name) => response.headers.has(name)),
      false,
    );
  }
});

test("in drop mode strangers hear nothing at all, known addresses everything", async () => {
  const w = new CallsWorld({ strangers: "drop" });
  w.number("1001", PAUSE);
  await w.room.start();
  const { probe, peer } = scanner(w);
  await probe(3);
  await probe(3, "OPTIONS");
  assert.equal(peer.received.length, 0);
  const alice = w.phone("10.0.0.1");
  alice.call("1001");
  await w.advance(500);
  assert.equal(alice.provisionals.at(-1)?.status, 180, w.story);
  assert.equal(await optionsFrom(w, alice), 200);
});

test("[R3261-22.2-1] a trunk without addresses comes in by digest, in either mode; its calls are the trunk's", async () => {
  for (const strangers of ["refuse", "drop"] as const) {
    const w = new CallsWorld({ strangers, authenticates: true });
    w.store.trunks.push(roaming);
    await w.room.start();
    w.number("1001", PAUSE);
    const phone = w.phone(STRANGER);
    phone.call("1001", { credentials: { username: "site-4", password: "open sesame" } });
    await w.advance(1_000);
    assert.equal(phone.provisionals.at(-1)?.status, 180, w.story);
    assert.equal(w.store.calls[0]?.trunkSid, roaming.sid);
    assert.deepEqual(
      w.refusals.map(({ status, cause }) => [status, cause]),
      [[401, "challenge"]],
    );
    assert.equal(await optionsFrom(w, phone), 200, "it has proved who it is");
  }
});

test("[R3261-22.1-2] CANCEL and ACK are not asked who they are; REFER and BYE of a call that stands are not either", async () => {
  const w = new CallsWorld({ authenticates: true });
  w.store.trunks.push(roaming);
  w.number("1001", PAUSE);
  const phone = w.phone(STRANGER);
  phone.call("1001", { credentials: { username: "site-4", password: "open sesame" } });
  await w.advance(1_000);
  phone.invite?.cancel();
  await w.advance(1_000);
  assert.equal(phone.failure?.cause, "canceled", w.story);
  assert.equal(w.room.liveCount, 0);
  const asked = w.world.network.sent.filter(({ startLine }) => startLine.startsWith("SIP/2.0 401"));
  assert.equal(asked.length, 1, w.story);
});

test("[R3261-22.2-2] both algorithms are offered, SHA-256 first; a wrong password is never told apart from a wrong user", async () => {
  const w = new CallsWorld({ strangers: "refuse", authenticates: true });
  w.store.trunks.push(roaming);
  w.number("1001", PAUSE);
  const phone = w.phone(STRANGER);
  for (const credentials of [
    { username: "site-4", password: "wrong" },
    { username: "nobody", password: "open sesame" },
  ]) {
    phone.call("1001", { credentials });
    await w.advance(1_000);
    const { failure } = phone;
    assert.equal(failure?.status, 401);
    const challenges = failure?.response?.headers.lines("WWW-Authenticate") ?? [];
    assert.deepEqual(
      challenges.map((line) => /algorithm="?([\w-]+)/.exec(line)?.[1]),
      ["SHA-256", "MD5"],
    );
  }
  assert.equal(w.room.liveCount, 0);
  for (let i = 0; i < 10; i++) {
    phone.call("1001", { credentials: { username: "site-4", password: `guess ${i}` } });
    await w.advance(40_000);
  }
  assert.ok(w.turnedAway.includes("silence"), "guessing ends in silence");
  const wrong = w.refusals.filter(({ cause }) => cause === "credentials").length;
  assert.ok(wrong < 12, `${wrong} guesses were looked at`);
});

test("a trunk that names its addresses comes from nowhere else, password or not", async () => {
  const w = new CallsWorld({ authenticates: true });
  w.store.trunks = [trunkOf({ username: "site-4", password: "open sesame" })];
  w.number("1001", PAUSE);
  const phone = w.phone(STRANGER);
  phone.call("1001", { credentials: { username: "site-4", password: "open sesame" } });
  await w.advance(1_000);
  assert.equal(phone.failure?.status, 403);
});

test("credentials that were caught on the wire are worth nothing", async () => {
  const w = new CallsWorld({ authenticates: true });
  w.store.trunks.push(roaming);
  w.number("1001", PAUSE);
  const phone = w.phone(STRANGER);
  phone.call("1001", { credentials: { username: "site-4", password: "open sesame" } });
  await w.advance(1_000);
  const sent = w.world.network.sent.filter(({ startLine }) => startLine.startsWith("INVITE"));
  assert.equal(sent.length, 2);
  const thief = new RawPeer(w.world, "203.0.113.9");
  const caught = new TextDecoder().decode(sent[1]!.bytes);
  thief.send(
    caught.replace(/branch=[^;\r]+/, "branch=z9hG4bKthief").replace(/Call-ID: .*/, "Call-ID: x"),
    PLATFORM,
  );
  await w.advance(1_000);
  const refusal = w.refusals.at(-1);
  assert.deepEqual([refusal?.status, refusal?.address], [401, "203.0.113.9"]);
  assert.equal(w.room.liveCount, 1);
});

test("[R3261-21.5.4-3] an overloaded node answers 503 with Retry-After and keeps nothing; calls that stand go on", async () => {
  const w = new CallsWorld();
  w.number("1001", "<Dial><Sip>sip:bob@10.0.0.9</Sip></Dial>");
  const [alice, bob, carol] = [w.phone("10.0.0.1"), w.phone("10.0.0.9"), w.phone("10.0.0.4")];
  bob.answering = (invite) => bob.pickUp(invite);
  alice.call("1001");
  await w.advance(1_000);
  assert.ok(bob.dialog);
  const before = w.platform.agent.liveTransactions;
  w.overloaded = true;
  carol.call("1001");
  await w.advance(500);
  assert.equal(carol.failure?.status, 503);
  assert.match(carol.failure?.response?.headers.get("Retry-After") ?? "", /^\d+$/);
  assert.ok(w.platform.agent.liveTransactions <= before);
  assert.deepEqual(w.turnedAway, ["overload"]);
  const held = alice.dialog!.reinvite({ body: alice.sdp({ direction: "sendonly", version: 2 }) });
  await w.advance(500);
  assert.equal((await held).status, 200);
  void alice.dialog!.bye();
  await w.advance(500);
  assert.equal(w.room.liveCount, 0);
  w.overloaded = false;
  carol.failure = undefined;
  carol.call("1001");
  await w.advance(500);
  assert.equal(carol.failure, undefined);
});
