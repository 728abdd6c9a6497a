import assert from "node:assert/strict";
import { test } from "node:test";
import type { TraceEvent, UserAgentHandlers, UserAgentOptions } from "@callfork/server/signalling";
import { type Party, refuseAll, SDP, World } from "./pair.ts";
import { pass, RawPeer, type RawRequestParts } from "./raw-peer.ts";

interface Scene {
  readonly world: World;
  readonly platform: Party;
  readonly peer: RawPeer;
}

function scene(
  handlers: UserAgentHandlers = refuseAll,
  options: Partial<Omit<UserAgentOptions, "transports">> = {},
): Scene {
  const world = new World();
  const platform = world.party("10.0.0.1", handlers, options);
  return { world, platform, peer: new RawPeer(world, "10.0.0.2") };
}

async function answerTo(request: RawRequestParts | string, handlers?: UserAgentHandlers): Promise<Scene> {
  const built = scene(handlers);
  built.peer.send(request);
  await pass(built.world);
  return built;
}

test("[R3261-8.2.2.1-1] a method that is not served gets 405 with Allow, an unknown one 501", async () => {
  for (const [method, status] of [
    ["SUBSCRIBE", 405],
    ["REGISTER", 405],
    ["FROBNICATE", 501],
  ] as const) {
    const { peer } = await answerTo({ method });
    assert.deepEqual(peer.statuses, [status]);
    assert.match(
      peer.responses[0]?.headers.get("Allow") ?? "",
      /INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO/,
    );
  }
});

test("[R3261-8.2.2.3-1] an unknown option in Require gets 420 that names just the unknown; CANCEL is not asked", async () => {
  const { peer, world } = await answerTo({
    method: "INVITE",
    lines: ["Require: siprec, foo", "Require: 100rel"],
  });
  assert.deepEqual(peer.statuses, [100, 420]);
  assert.equal(peer.responses[1]?.headers.get("Unsupported"), "foo");
  peer.send({ method: "CANCEL", branch: "z9hG4bKnone", lines: ["Require: foo"] });
  await pass(world);
  assert.equal(peer.statuses.at(-1), 481);
  const known = await answerTo({ method: "INVITE", lines: ["Require: siprec"] });
  assert.deepEqual(known.peer.statuses, [100, 486]);
});

test("[R3261-8.2.2.2-1] the same request by another way gets 482, and one call only is made", async () => {
  let invites = 0;
  const { peer, world } = scene({
    onInvite: () => {
      invites += 1;
    },
  });
  peer.send({ method: "INVITE", branch: "z9hG4bKone" });
  peer.send({ method: "INVITE", branch: "z9hG4bKtwo" });
  await pass(world);
  assert.deepEqual(peer.statuses.sort(), [100, 100, 482]);
  assert.equal(invites, 1);
});

test("[R3261-11-1] OPTIONS gets 200 with what we can do, both metadata types included; 503 while stopping", async () => {
  const { peer, platform, world } = await answerTo({ method: "OPTIONS" });
  const [response] = peer.responses;
  assert.equal(response?.status, 200);
  assert.deepEqual(response?.headers.list("Accept"), [
    "application/sdp",
    "multipart/mixed",
    "application/rs-metadata+xml",
    "application/rs-metadata",
  ]);
  for (const name of ["Allow", "Supported", "Accept-Encoding"]) assert.ok(response?.headers.has(name), name);
  void platform.agent.stop(1_000);
  peer.send({ method: "OPTIONS", cseq: 2 });
  await pass(world);
  assert.equal(peer.statuses.at(-1), 503);
  assert.ok(peer.responses.at(-1)?.headers.has("Retry-After"));
});

test("[R3261-16-1] Max-Forwards 0 is no reason to refuse where a request ends", async () => {
  const { peer, world } = scene();
  peer.send(peer.text({ method: "OPTIONS" }).replace("Max-Forwards: 70", "Max-Forwards: 0"));
  await pass(world);
  assert.deepEqual(peer.statuses, [200]);
});

test("[R3261-12.2.2-4] requests for dialogs that do not exist get 481, ACK gets silence", async () => {
  for (const method of ["BYE", "INVITE", "INFO", "UPDATE"]) {
    const { peer } = await answerTo({ method, toTag: "gone" });
    assert.equal(peer.statuses.at(-1), 481, method);
  }
  const { peer } = await answerTo({ method: "ACK", toTag: "gone" });
  assert.deepEqual(peer.statuses, []);
});

test("[R3261-8.2.2.1-2] a Request-URI of a foreign scheme gets 416", async () => {
  const { peer } = await answerTo({ method: "OPTIONS", uri: "mailto:bob@example.com" });
  assert.deepEqual(peer.statuses, [416]);
});

test("[R3261-8.2.3-2] an encoded body gets 415 with Accept-Encoding, a multipart that does not read 400", async () => {
  const encoded = await answerTo({
    method: "INVITE",
    body: "x",
    lines: ["Content-Encoding: gzip", "Content-Type: application/sdp"],
  });
  assert.deepEqual(encoded.peer.statuses, [100, 415]);
  assert.equal(encoded.peer.responses[1]?.headers.get("Accept-Encoding"), "identity");
  const torn = await answerTo({ method: "INVITE", body: "x", lines: ["Content-Type: multipart/mixed"] });
  assert.deepEqual(torn.peer.statuses, [100, 400]);
});

test("[R3261-21.4.1-1] a malformed request gets what the parser says, a malformed response nothing", async () => {
  const { peer, world, platform } = scene();
  const good = peer.text({ method: "OPTIONS" });
  peer.send(good.replace("SIP/2.0\r\n", "SIP/7.0\r\n"));
  await pass(world);
  peer.send(good.replace("CSeq: 1 OPTIONS", "CSeq: 1 INVITE"));
  await pass(world);
  assert.deepEqual(peer.statuses, [505, 400]);
  assert.match(peer.responses[1]?.reason ?? "", /^Bad Request: /);
  const before = platform.log.lines.length;
  for (const junk of [
    "SIP/2.0 200 OK\r\n\r\n",
    "\r\n\r\n",
    "hello",
    "SIP/2.0 999 Odd\r\nVia: x\r\n\r\n",
    "\u0000\u0001",
  ])
    peer.send(junk);
  await pass(world);
  assert.equal(peer.responses.length, 2);
  assert.ok(platform.log.lines.length > before);
  assert.equal(platform.agent.liveTransactions, 0);
});

test("[R3261-18.2.1-1] [R3581-4-1] received and rport are filled in and answers go back through the NAT", async () => {
  const world = new World();
  world.party("10.0.0.1", refuseAll);
  const phone = new RawPeer(world, "192.168.1.9", { behindNat: { address: "203.0.113.5", port: 31_000 } });
  phone.send({ method: "OPTIONS" });
  await pass(world);
  assert.deepEqual(phone.statuses, [200]);
  assert.match(
    phone.responses[0]?.headers.get("Via") ?? "",
    /^SIP\/2\.0\/UDP 192\.168\.1\.9:5060;branch=z9hG4bK1OPTIONS;rport=31000;received=203\.0\.113\.5$/,
  );
});

test("[R3261-18.2.2-1] without rport an answer goes to the source address at the sent-by's port", async () => {
  const { peer, world } = scene();
  const other = new RawPeer(world, "10.0.0.2", { port: 5090 });
  peer.send({ method: "OPTIONS", via: "SIP/2.0/UDP pc.example.com:5090;branch=z9hG4bKx" });
  await pass(world);
  assert.deepEqual([peer.statuses, other.statuses], [[], [200]]);
  assert.match(other.responses[0]?.headers.get("Via") ?? "", /;received=10\.0\.0\.2$/);
});

test("[R3261-18.2.2-2] an answer whose connection is gone goes over a new one to the sent-by's port", async () => {
  const world = new World();
  const platform = world.party("10.0.0.1", {
    onInvite: (invite) => void world.clock.setTimer(1_000, () => invite.reject(486)),
  });
  const peer = new RawPeer(world, "10.0.0.2");
  const text = peer.text({ method: "INVITE" }).replace("/UDP", "/TCP");
  void peer.node.send(new TextEncoder().encode(text), { transport: "tcp", address: "10.0.0.1", port: 5060 });
  await pass(world);
  peer.node.resetConnections();
  await pass(world, 1_500);
  assert.deepEqual(peer.statuses, [100, 486]);
  assert.ok(platform.log.lines.some((line) => line.includes("was not sent")));
});

test("[R3261-8.1.3.3-1] a response with two Vias, or to nothing we sent, is dropped", async () => {
  const { peer, platform, world } = scene();
  const sent = platform.agent.request("OPTIONS", {
    requestUri: "sip:raw@10.0.0.2",
    from: "sip:a@b",
    to: "sip:c@d",
  });
  let isAnswered = false;
  void sent.then(() => {
    isAnswered = true;
  });
  await pass(world);
  const options = peer.last("OPTIONS");
  const via = options.request.headers.get("Via")!;
  options.request.headers.append("Via", "SIP/2.0/UDP 10.9.9.9;branch=z9hG4bKmore");
  peer.respond(options, 200);
  options.request.headers.set("Via", via.replace(/branch=\w+/, "branch=z9hG4bKguess"));
  peer.respond(options, 200);
  await pass(world);
  assert.equal(isAnswered, false);
  options.request.headers.set("Via", via);
  peer.respond(options, 200);
  await pass(world);
  assert.equal((await sent).status, 200);
});

test("a handler that throws gives 500 and an error line with the Call-ID, and the next request is served", async () => {
  const { peer, platform, world } = await answerTo(
    { method: "INVITE" },
    {
      onInvite: () => {
        throw new Error("bug");
      },
      onRequest: () => {
        throw new Error("bug");
      },
    },
  );
  assert.deepEqual(peer.statuses, [100, 500]);
  peer.send({ method: "MESSAGE", cseq: 2 });
  await pass(world);
  assert.equal(peer.statuses.at(-1), 500);
  const errors = platform.log.lines.filter((line) => line.startsWith("error"));
  assert.equal(errors.length, 2);
  for (const line of errors) assert.match(line, /"callId":"raw-call"/);
});

test("a flood from one address gets 503, then silence; calls that stand and other addresses are served", async () => {
  const { peer, world, platform } = scene(refuseAll, { maximumRequestsPerSecond: 10 });
  const other = new RawPeer(world, "10.0.0.3");
  for (let i = 1; i <= 100; i++) peer.send({ method: "OPTIONS", cseq: i, callId: `call${i}` });
  other.send({ method: "OPTIONS" });
  await pass(world);
  assert.equal(peer.statuses.filter((status) => status === 200).length, 20);
  const refused = peer.responses.filter(({ status }) => status === 503);
  assert.ok(refused.length >= 20 && refused.length < 30, `${refused.length} times 503`);
  assert.ok(refused[0]?.headers.has("Retry-After"));
  assert.deepEqual(other.statuses, [200]);
  await pass(world, 40_000);
  assert.equal(platform.agent.liveTransactions, 0);
  peer.send({ method: "OPTIONS", cseq: 200 });
  await pass(world);
  assert.equal(peer.statuses.at(-1), 200);
});

test("[R3261-21.5.4-2] beyond the limits of transactions and dialogs requests get 503 with Retry-After", async () => {
  const crowded = scene({ onInvite: (invite) => void invite.answer({ body: SDP }) }, { maximumDialogs: 2 });
  for (let i = 1; i <= 3; i++)
    crowded.peer.send({ method: "INVITE", callId: `c${i}`, branch: `z9hG4bK${i}` });
  await pass(crowded.world);
  assert.deepEqual(
    crowded.peer.statuses.filter((status) => status > 100),
    [200, 200, 503],
  );
  assert.ok(crowded.peer.responses.at(-1)?.headers.has("Retry-After"));

  const busy = scene({ onInvite: () => {} }, { maximumTransactions: 2 });
  for (let i = 1; i <= 3; i++) busy.peer.send({ method: "INVITE", callId: `c${i}`, branch: `z9hG4bK${i}` });
  await pass(busy.world);
  assert.deepEqual(busy.peer.statuses, [100, 100, 503]);
});

test("every message is traced with its flow, Call-ID and first line", async () => {
  const events: TraceEvent[] = [];
  const { peer } = await answerTo(
    { method: "OPTIONS" },
    { ...refuseAll, onTrace: (event) => events.push(event) },
  );
  assert.equal(peer.statuses.length, 1);
  assert.deepEqual(
    events.map(({ direction, callId, startLine, flow }) => [
      direction,
      callId,
      startLine,
      flow.remoteAddress,
    ]),
    [
      ["in", "raw-call", "OPTIONS sip:platform@10.0.0.1 SIP/2.0", "10.0.0.2"],
      ["out", "raw-call", "SIP/2.0 200 OK", "10.0.0.2"],
    ],
  );
});

test("stop ends dialogs with BYE, cancels what rings, refuses what waits, and leaves nothing behind", async () => {
  const { peer, world, platform } = scene({
    onInvite(invite) {
      if (invite.callId === "answered") invite.answer({ body: SDP });
    },
  });
  const failures: string[] = [];
  platform.agent.invite(
    { requestUri: "sip:raw@10.0.0.2", from: "sip:a@b", to: "sip:c@d" },
    { onAnswered: () => undefined, onFailed: ({ cause }) => failures.push(cause) },
  );
  peer.send({ method: "INVITE", callId: "answered", branch: "z9hG4bKa" });
  await pass(world);
  peer.send({ method: "ACK", callId: "answered", branch: "z9hG4bKack", toTag: peer.platformTag });
  peer.send({ method: "INVITE", callId: "waiting", branch: "z9hG4bKw" });
  peer.respond(peer.last("INVITE"), 180);
  await pass(world);
  let isStopped = false;
  void platform.agent.stop(5_000).then(() => {
    isStopped = true;
  });
  await pass(world);
  assert.deepEqual(peer.methods, ["INVITE", "CANCEL", "BYE"]);
  assert.equal(peer.statuses.at(-1), 503);
  peer.respond(peer.last("CANCEL"), 200);
  peer.respond(peer.last("INVITE"), 487);
  peer.respond(peer.last("BYE"), 200);
  await pass(world);
  assert.ok(isStopped);
  assert.deepEqual(failures, ["canceled"]);
  assert.deepEqual([platform.agent.liveDialogs, platform.agent.liveTransactions], [0, 0]);
  assert.equal(world.clock.pendingTimers, 0);
});

test("a header name that is none fails the one request or answer that has it", async () => {
  const headers = [["Bad Name", "x"]] as const;
  const { peer, platform, world } = scene({ onInvite: (invite) => void invite.answer({ headers }) });
  world.network.name("raw.example", ["10.0.0.2"]);
  peer.send({ method: "INVITE" });
  await pass(world);
  assert.deepEqual(peer.statuses, [100, 500]);
  const causes: string[] = [];
  for (const host of ["10.0.0.2", "raw.example"]) {
    platform.agent.invite(
      { requestUri: `sip:raw@${host}`, from: "sip:a@b", to: "sip:c@d", headers },
      { onAnswered: () => undefined, onFailed: ({ cause, status }) => causes.push(`${status} ${cause}`) },
    );
  }
  await pass(world);
  assert.deepEqual(causes, ["500 unresolvable", "500 unresolvable"]);
  assert.equal(platform.agent.liveDialogs, 0);
});
