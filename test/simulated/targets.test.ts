import assert from "node:assert/strict";
import { test } from "node:test";
import type { InviteFailure, InviteOptions } from "@callfork/server/signalling";
import { type Party, refuseAll, SDP, World } from "./pair.ts";
import { pass, RawPeer } from "./raw-peer.ts";

const LARGE = { contentType: "application/sdp", bytes: new Uint8Array(4_000).fill(0x61) };

function call(
  party: Party,
  options: Partial<InviteOptions> & { readonly requestUri: string },
): InviteFailure[] {
  const failures: InviteFailure[] = [];
  party.agent.invite(
    { from: "sip:a@a.example", to: "sip:b@b.example", body: SDP, ...options },
    { onAnswered: () => undefined, onFailed: (failure) => failures.push(failure) },
  );
  return failures;
}

test("[R3261-18.1.1-1] a request above 1,300 octets goes over TCP and its Via and Contact say so", async () => {
  const world = new World();
  const platform = world.party("10.0.0.1", refuseAll);
  const peer = new RawPeer(world, "10.0.0.2");
  call(platform, { requestUri: "sip:b@10.0.0.2", body: LARGE });
  call(platform, { requestUri: "sip:b@10.0.0.2", to: "sip:small@b.example" });
  await pass(world);
  assert.deepEqual(world.network.sent.map(({ transport }) => transport).sort(), ["tcp", "udp"]);
  const large = peer.requests.find(({ body }) => body.length === 4_000);
  assert.match(large?.headers.get("Via") ?? "", /^SIP\/2\.0\/TCP /);
  assert.match(large?.headers.get("Contact") ?? "", /;transport=tcp>/);
});

test("[R3261-18.1.1-1] where TCP is refused the same large request goes over UDP", async () => {
  const world = new World();
  const platform = world.party("10.0.0.1", refuseAll);
  const peer = new RawPeer(world, "10.0.0.2", { transports: ["udp"] });
  const failures = call(platform, { requestUri: "sip:b@10.0.0.2", body: LARGE });
  await pass(world);
  assert.deepEqual(peer.methods, ["INVITE"]);
  const { request } = peer.last("INVITE");
  assert.match(request.headers.get("Via") ?? "", /^SIP\/2\.0\/UDP /);
  assert.match(request.headers.get("Contact") ?? "", /^<sip:10\.0\.0\.1:5060>$/);
  assert.equal(request.headers.get("CSeq"), "1 INVITE");
  assert.deepEqual(failures, []);
});

test("[R3261-18.1.1-3] a dialog that was made over TCP goes on over TCP, back on the peer's connection too", async () => {
  const world = new World();
  const platform = world.party("10.0.0.1", {
    onInvite: (invite) => {
      const dialog = invite.answer({ body: SDP });
      dialog.attach({ onEnded: () => {} });
      void dialog.bye();
    },
  });
  const peer = new RawPeer(world, "10.0.0.2", { transports: ["udp", "tcp"] });
  call(platform, { requestUri: "sip:b@10.0.0.2", body: LARGE });
  await pass(world);
  peer.respond(peer.last("INVITE"), 200); // its Contact names no transport
  await pass(world);
  assert.equal(peer.last("ACK").flow.transport, "tcp");

  const natted = new RawPeer(world, "10.0.0.3");
  const send = (text: string): void =>
    void natted.node.send(new TextEncoder().encode(text.replace("/UDP", "/TCP")), {
      transport: "tcp",
      address: "10.0.0.1",
      port: 5060,
    });
  send(natted.text({ method: "INVITE" }));
  await pass(world);
  send(natted.text({ method: "ACK", branch: "z9hG4bKack", toTag: natted.platformTag }));
  await pass(world);
  assert.equal(natted.last("BYE").flow.transport, "tcp");
  assert.equal(natted.last("BYE").flow.remotePort, 5060);
});

test("[R3263-4.2-1] names are resolved and the next address is tried when a transport fails", async () => {
  const world = new World();
  world.network.name("recorder.example", ["10.0.0.8", "10.0.0.2"]);
  const platform = world.party("10.0.0.1", refuseAll);
  const peer = new RawPeer(world, "10.0.0.2", { port: 5070 });
  call(platform, { requestUri: "sip:b@Recorder.example:5070;transport=TCP" });
  await pass(world);
  assert.deepEqual(peer.methods, ["INVITE"]);
});

test("[R3261-8.1.3.1-1] an INVITE that finds no way fails at once and says why", async () => {
  const world = new World();
  const platform = world.party("10.0.0.1", refuseAll);
  for (const [requestUri, status, cause] of [
    ["sip:b@nowhere.example", 404, "unresolvable"],
    ["tel:+15551234", 404, "unresolvable"],
    ["sips:b@10.0.0.2", 404, "unresolvable"],
    ["sip:b@10.0.0.2;transport=sctp", 404, "unresolvable"],
    ["sip:b@10.0.0.2;transport=tcp", 503, "transport"],
  ] as const) {
    const failures = call(platform, { requestUri });
    await pass(world);
    assert.deepEqual(
      failures.map((failure) => [failure.status, failure.cause]),
      [[status, cause]],
      requestUri,
    );
  }
  assert.equal(platform.agent.liveTransactions, 0);
});

test("a destination is used instead of the Request-URI's address", async () => {
  const world = new World();
  const platform = world.party("10.0.0.1", refuseAll);
  const proxy = new RawPeer(world, "10.0.0.9");
  call(platform, {
    requestUri: "sip:b@far.example",
    destination: { transport: "udp", address: "10.0.0.9", port: 5060 },
  });
  await pass(world);
  assert.equal(proxy.last("INVITE").request.uri, "sip:b@far.example");
});

test("[R3261-12.1-1] two record-routing proxies, one of them strict, are passed in the way each wants", async () => {
  const world = new World();
  const platform = world.party("10.0.0.1", refuseAll);
  const proxy = new RawPeer(world, "10.0.0.2");
  call(platform, { requestUri: "sip:b@10.0.0.2" });
  await pass(world);
  proxy.respond(proxy.last("INVITE"), 200, {
    lines: [["Record-Route", "<sip:10.0.0.7;lr>, <sip:10.0.0.2>"]],
  });
  await pass(world);
  const { request } = proxy.last("ACK");
  assert.equal(request.uri, "sip:10.0.0.2");
  assert.deepEqual(request.headers.list("Route"), ["<sip:10.0.0.7;lr>", "<sip:raw@10.0.0.2:5060>"]);
});

test("[R3261-17.1.4-2] a connection that closes before anything came back sends the INVITE to the next address", async () => {
  const world = new World();
  world.network.name("recorder.example", ["10.0.0.2", "10.0.0.3"]);
  const platform = world.party("10.0.0.1", refuseAll);
  const dying = new RawPeer(world, "10.0.0.2");
  const next = new RawPeer(world, "10.0.0.3");
  call(platform, { requestUri: "sip:b@recorder.example;transport=tcp" });
  await pass(world);
  assert.deepEqual([dying.methods, next.methods], [["INVITE"], []]);
  dying.node.resetConnections();
  await pass(world);
  assert.deepEqual(next.methods, ["INVITE"]);
});

test("[R3263-4.3-2] a 503 sends the request to the next address, the last 503 is told, and who gave one is not asked first again", async () => {
  const world = new World();
  world.network.name("recorder.example", ["10.0.0.2", "10.0.0.3"]);
  const platform = world.party("10.0.0.1", refuseAll);
  const busy = new RawPeer(world, "10.0.0.2");
  const next = new RawPeer(world, "10.0.0.3");
  const failures = call(platform, { requestUri: "sip:b@recorder.example" });
  await pass(world);
  busy.respond(busy.last("INVITE"), 503, { lines: [["Retry-After", "100"]] });
  await pass(world);
  assert.deepEqual([busy.methods, next.methods], [["INVITE", "ACK"], ["INVITE"]]);
  const [first, second] = [busy.last("INVITE").request, next.last("INVITE").request];
  assert.notEqual(first.headers.get("Via"), second.headers.get("Via"));
  for (const name of ["Call-ID", "CSeq", "From", "To"]) {
    assert.equal(first.headers.get(name), second.headers.get(name));
  }
  next.respond(next.last("INVITE"), 503);
  await pass(world);
  assert.deepEqual(
    failures.map(({ status, cause }) => [status, cause]),
    [[503, "rejected"]],
  );
  await pass(world, 40_000); // the second one's 30 s are over, the first one's 100 s are not
  call(platform, { requestUri: "sip:b@recorder.example" });
  await pass(world);
  assert.equal(next.methods.filter((method) => method === "INVITE").length, 2);
  assert.equal(busy.methods.filter((method) => method === "INVITE").length, 1);
});

test("[R3263-4.3-2] silence sends the request to the next address; one that was canceled meanwhile is not repeated there", async () => {
  const world = new World();
  world.network.name("recorder.example", ["10.0.0.2", "10.0.0.3"]);
  const platform = world.party("10.0.0.1", refuseAll);
  const next = new RawPeer(world, "10.0.0.3"); // nobody is at 10.0.0.2
  const failures = call(platform, { requestUri: "sip:b@recorder.example" });
  await pass(world, 31_900);
  assert.deepEqual(next.methods, []);
  await pass(world, 200);
  assert.deepEqual(next.methods, ["INVITE"]);
  next.respond(next.last("INVITE"), 486);
  await pass(world);
  assert.deepEqual(
    failures.map(({ status }) => status),
    [486],
  );
  world.network.name("other.example", ["10.0.0.4", "10.0.0.3"]);
  const given = {
    requestUri: "sip:b@other.example",
    from: "sip:a@a.example",
    to: "sip:b@b.example",
    body: SDP,
  };
  const invite = platform.agent.invite(given, { onAnswered: () => undefined, onFailed: () => {} });
  await pass(world, 1_000);
  invite.cancel();
  await pass(world, 64_000);
  assert.deepEqual(next.methods, ["INVITE", "ACK"]);
});
