import assert from "node:assert/strict";
import { test } from "node:test";
import { ACCOUNT, CallsWorld, numberOf, trunkOf } from "./calls-world.ts";

const PAUSE = '<Pause length="60"/>';

test("an address that no trunk allows gets 403, and costs no look-up of a number", async () => {
  const w = new CallsWorld();
  w.number("1001", PAUSE);
  const stranger = w.phone("198.51.100.7");
  stranger.call("1001");
  await w.advance(1_000);
  assert.equal(stranger.failure?.status, 403);
  assert.deepEqual(w.refusals, [{ status: 403, cause: "source", address: "198.51.100.7" }]);
  assert.equal(w.store.saves.length, 0);
});

test("a trunk that is added is known after the refresh, and not read for every INVITE", async () => {
  const w = new CallsWorld();
  w.number("1001", PAUSE);
  let reads = 0;
  const list = w.store.listTrunks.bind(w.store);
  w.store.listTrunks = () => {
    reads += 1;
    return list();
  };
  const stranger = w.phone("198.51.100.7");
  stranger.call("1001");
  stranger.call("1001");
  await w.advance(1_000);
  assert.equal(reads, 1);
  w.store.trunks.push(trunkOf({ allowedAddresses: ["198.51.100.0/24"] }));
  await w.advance(5_000);
  stranger.call("1001");
  await w.advance(1_000);
  assert.equal(stranger.provisionals.at(-1)?.status, 180);
});

test("numbers are found with and without their plus; unknown ones get 404", async () => {
  const w = new CallsWorld();
  w.number("+15551234567", PAUSE);
  w.number("1002", PAUSE);
  const alice = w.phone("10.0.0.1");
  for (const user of ["15551234567", "+15551234567", "1002", "+1002"]) {
    alice.call(user);
    await w.advance(500);
    assert.equal(alice.provisionals.at(-1)?.status, 180, user);
  }
  assert.equal(w.room.liveCount, 4);
  alice.call("nobody");
  await w.advance(500);
  assert.equal(alice.failure?.status, 404);
});

test("a trunk does not reach the numbers of another account", async () => {
  const w = new CallsWorld();
  w.number("1001", PAUSE, { accountSid: `AC${"1".repeat(32)}` });
  const alice = w.phone("10.0.0.1");
  alice.call("1001");
  await w.advance(500);
  assert.equal(alice.failure?.status, 404);
});

test("a number without a document: 480, and its owner is told", async () => {
  const w = new CallsWorld();
  w.store.numbers.set("1001", numberOf("1001", {}));
  const alice = w.phone("10.0.0.1");
  alice.call("1001");
  await w.advance(500);
  assert.equal(alice.failure?.status, 480);
  assert.deepEqual(
    w.alerts.map(({ accountSid, errorCode }) => [accountSid, errorCode]),
    [[ACCOUNT, 11100]],
  );
});

test("above the limit of live calls: 503 with Retry-After", async () => {
  const w = new CallsWorld({ liveCalls: 1 });
  w.number("1001", PAUSE);
  const [alice, carol] = [w.phone("10.0.0.1"), w.phone("10.0.0.4")];
  alice.call("1001");
  carol.call("1001");
  await w.advance(500);
  assert.equal(alice.provisionals.at(-1)?.status, 180);
  assert.equal(carol.failure?.status, 503);
  assert.equal(carol.failure?.response?.headers.get("Retry-After"), "5");
});

test("[R3261-16.3-1] Max-Forwards 0: the call is taken, but not passed on; a circle ends there with 483", async () => {
  const w = new CallsWorld();
  w.number("1001", PAUSE);
  const alice = w.phone("10.0.0.1");
  alice.call("1001", { headers: [["Max-Forwards", "0"]] });
  await w.advance(500);
  assert.equal(alice.provisionals.at(-1)?.status, 180);
  alice.invite!.cancel();
  await w.advance(5_000);
  assert.equal(w.room.liveCount, 0);

  // 1002 dials itself: each round is a call of its own, with one hop less.
  w.store.trunks.push(trunkOf({ allowedAddresses: ["192.0.2.1"] }));
  await w.advance(5_000);
  w.number("1002", '<Dial answerOnBridge="true"><Sip>sip:1002@192.0.2.1</Sip></Dial>');
  alice.call("1002", { headers: [["Max-Forwards", "5"]] });
  await w.advance(5_000);
  assert.equal(alice.failure?.status, 483, w.story);
  assert.equal(w.room.liveCount, 0);
  const rounds = w.store.calls.filter(({ direction, to }) => direction === "inbound" && to === "1002");
  assert.equal(rounds.length, 6);
});

test("[R3261-16.3-2] an INVITE of ours that a proxy brings back unchanged gets 482", async () => {
  const w = new CallsWorld();
  w.store.trunks.push(trunkOf({ allowedAddresses: ["192.0.2.1"] }));
  w.number("1001", '<Dial answerOnBridge="true"><Sip>sip:1003@10.0.0.9</Sip></Dial>');
  w.number("1003", PAUSE);
  // A proxy by hand: it adds its Via and sends everything back to where it came from.
  const proxy = w.world.network.node("10.0.0.9");
  const via = "Via: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKproxy\r\n";
  proxy.attach({
    onMessage: (bytes) => {
      const text = new TextDecoder().decode(bytes);
      const back = text.startsWith("INVITE") ? text.replace("Via:", `${via}Via:`) : text.replace(via, "");
      const address = { transport: "udp", address: "192.0.2.1", port: 5060 } as const;
      if (/^(INVITE|ACK|SIP\/2.0 [2-6])/.test(text)) void proxy.send(new TextEncoder().encode(back), address);
    },
  });
  const alice = w.phone("10.0.0.1");
  alice.call("1001");
  await w.advance(2_000);
  assert.deepEqual(
    w.refusals.map(({ status, cause }) => [status, cause]),
    [[482, "loop"]],
    w.story,
  );
  assert.equal(alice.failure?.status, 482);
});

test("a SIPREC INVITE to a number gets 420; an unreadable description 400", async () => {
  const w = new CallsWorld();
  w.number("1001", PAUSE);
  const alice = w.phone("10.0.0.1");
  alice.call("1001", { headers: [["Require", "siprec"]] });
  await w.advance(500);
  assert.equal(alice.failure?.status, 420);
  assert.equal(alice.failure?.response?.headers.get("Unsupported"), "siprec");
  alice.party.agent.invite(
    {
      requestUri: "sip:1001@192.0.2.1",
      from: "sip:alice@example.com",
      to: "sip:1001@192.0.2.1",
      body: { contentType: "application/sdp", bytes: new TextEncoder().encode("this is no SDP") },
    },
    {
      onAnswered: () => undefined,
      onFailed: (failure) => {
        alice.failure = failure;
      },
    },
  );
  await w.advance(500);
  assert.equal(alice.failure?.status, 400);
  assert.equal(w.room.liveCount, 0);
});

test("a store that cannot look numbers up: 500", async () => {
  const w = new CallsWorld();
  w.store.fails = true;
  const alice = w.phone("10.0.0.1");
  alice.call("1001");
  await w.advance(500);
  assert.equal(alice.failure?.status, 500);
});

test("codecs that we cannot speak: 488 when we must answer ourselves, relayed when a callee can", async () => {
  const w = new CallsWorld();
  w.number("1001", "<Dial><Sip>sip:bob@10.0.0.2</Sip></Dial>");
  w.number("1002", '<Dial answerOnBridge="true"><Sip>sip:bob@10.0.0.2</Sip></Dial>');
  const [alice, bob] = [w.phone("10.0.0.1"), w.phone("10.0.0.2")];
  const opus = ["111 opus/48000/2"];
  bob.answering = (invite) => bob.pickUp(invite, { codecs: opus });
  alice.call("1001", { sdp: { codecs: opus } });
  await w.advance(500);
  assert.equal(alice.failure?.status, 488);
  assert.deepEqual(
    w.alerts.map(({ errorCode }) => errorCode),
    [32102],
  );
  assert.equal(w.store.calls[0]!.status, "failed");
  alice.call("1002", { sdp: { codecs: opus } });
  await w.advance(500);
  assert.ok(alice.dialog);
  assert.equal(w.media.bridges.size, 1);
});

test("a party whose packets stop is told of once, and the call goes on", async () => {
  const w = new CallsWorld();
  w.number("1001", '<Dial answerOnBridge="true"><Sip>sip:bob@10.0.0.2</Sip></Dial>');
  const [alice, bob] = [w.phone("10.0.0.1"), w.phone("10.0.0.2")];
  bob.answering = (invite) => bob.pickUp(invite);
  alice.call("1001");
  await w.advance(500);
  const [leg] = [...w.media.bridges.keys()];
  w.media.tell({ kind: "rtp-stopped", id: leg!, silentMs: 30_000 });
  assert.deepEqual(
    w.alerts.map(({ errorCode, level }) => [errorCode, level]),
    [[32014, "warning"]],
  );
  assert.equal(w.room.liveCount, 2);
});

test("no port is free: 503 to the caller, and an alert", async () => {
  const w = new CallsWorld();
  w.number("1001", "<Dial><Sip>sip:bob@10.0.0.2</Sip></Dial>");
  w.media.portsLeft = 0;
  const alice = w.phone("10.0.0.1");
  alice.call("1001");
  await w.advance(500);
  assert.equal(alice.failure?.status, 503, w.story);
  assert.equal(w.alerts.length, 1);
  assert.equal(w.room.liveCount, 0);
});
