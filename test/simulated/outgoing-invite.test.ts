import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { DigestServer, type SipResponse } from "@callfork/protocol/sip";
import type {
  DialogEnd,
  InviteFailure,
  InviteOptions,
  OutgoingInvite,
  SipDialog,
} from "@callfork/server/signalling";
import { type Party, refuseAll, SDP, World } from "./pair.ts";
import { pass, RawPeer } from "./raw-peer.ts";

interface Scene {
  readonly world: World;
  readonly platform: Party;
  readonly peer: RawPeer;
  readonly invite: OutgoingInvite;
  readonly failures: InviteFailure[];
  readonly dialogs: SipDialog[];
  readonly provisionals: number[];
  readonly ends: DialogEnd[];
}

const ADDRESSES = { requestUri: "sip:raw@10.0.0.2", from: "sip:platform@a.example", to: "sip:raw@b.example" };

async function calling(
  options: Partial<InviteOptions> = {},
  peerOptions: ConstructorParameters<typeof RawPeer>[2] = {},
): Promise<Scene> {
  const world = new World();
  const platform = world.party("10.0.0.1", refuseAll);
  const peer = new RawPeer(world, "10.0.0.2", peerOptions);
  const [failures, dialogs, provisionals, ends] = [[], [], [], []] as [
    InviteFailure[],
    SipDialog[],
    number[],
    DialogEnd[],
  ];
  const invite = platform.agent.invite(
    { ...ADDRESSES, body: SDP, ...options },
    {
      onProvisional: (response) => provisionals.push(response.status),
      onAnswered(dialog) {
        dialogs.push(dialog);
        dialog.attach({ onEnded: (end) => ends.push(end) });
        return undefined;
      },
      onFailed: (failure) => failures.push(failure),
    },
  );
  await pass(world);
  return { world, platform, peer, invite, failures, dialogs, provisionals, ends };
}

async function answered(options: Partial<InviteOptions> = {}): Promise<Scene & { dialog: SipDialog }> {
  const scene = await calling(options);
  scene.peer.respond(scene.peer.last("INVITE"), 200);
  await pass(scene.world);
  assert.ok(scene.dialogs[0]);
  return { ...scene, dialog: scene.dialogs[0] };
}

async function assertClean({ world, platform }: Scene): Promise<void> {
  await pass(world, 250_000);
  assert.equal(platform.agent.liveDialogs, 0);
  assert.equal(platform.agent.liveTransactions, 0);
  assert.equal(world.clock.pendingTimers, 0);
}

test("[R3261-8.1.1-1] [R3261-13.2.1-1] an INVITE has all it needs: one Contact, a fresh branch, Max-Forwards 70, Allow, Supported, Accept", async () => {
  const { peer } = await calling({ contactUser: "+15551234", contactParameters: ";+sip.src" });
  const { request } = peer.last("INVITE");
  const get = (name: string): string => request.headers.lines(name).join("|");
  assert.match(get("Via"), /^SIP\/2\.0\/UDP 10\.0\.0\.1:5060;branch=z9hG4bK[0-9a-f]{16};rport$/);
  assert.match(get("From"), /^<sip:platform@a\.example>;tag=[0-9a-f]{16}$/);
  assert.equal(get("To"), "<sip:raw@b.example>");
  assert.match(get("Call-ID"), /^[0-9a-f]{32}$/);
  assert.equal(get("CSeq"), "1 INVITE");
  assert.equal(get("Max-Forwards"), "70");
  assert.equal(get("Contact"), "<sip:+15551234@10.0.0.1:5060>;+sip.src");
  for (const name of ["Allow", "Supported", "Accept", "User-Agent"])
    assert.ok(request.headers.has(name), name);
});

test("[R3261-17.1-1] [R3261-8.1.3.1-1] nobody there: INVITE goes out seven times, then 408 of our own making", async () => {
  const { world, failures, peer, ...rest } = await calling();
  await pass(world, 40_000);
  assert.equal(peer.methods.length, 7);
  assert.deepEqual([failures[0]?.status, failures[0]?.cause], [408, "timeout"]);
  await assertClean({ world, failures, peer, ...rest });
});

test("[R3261-8.1.3-1] an unknown final status is a refusal like any other, an unknown 1xx passes as provisional", async () => {
  const { peer, world, failures, provisionals } = await calling();
  peer.respond(peer.last("INVITE"), 199);
  peer.respond(peer.last("INVITE"), 499);
  await pass(world);
  assert.deepEqual(provisionals, [199]);
  assert.deepEqual([failures[0]?.status, failures[0]?.cause], [499, "rejected"]);
  assert.deepEqual(peer.methods, ["INVITE", "ACK"]);
});

test("[R3261-9.1-1] CANCEL waits for the first provisional, and 487 ends it", async () => {
  const { peer, world, invite, failures, ...rest } = await calling();
  invite.cancel('SIP;cause=200;text="Call completed elsewhere"');
  await pass(world);
  assert.deepEqual(peer.methods, ["INVITE"]);
  peer.respond(peer.last("INVITE"), 180);
  await pass(world);
  assert.deepEqual(peer.methods, ["INVITE", "CANCEL"]);
  const cancel = peer.last("CANCEL");
  assert.equal(cancel.request.headers.get("Via"), peer.last("INVITE").request.headers.get("Via"));
  assert.match(cancel.request.headers.get("Reason") ?? "", /cause=200/);
  peer.respond(cancel, 200);
  peer.respond(peer.last("INVITE"), 487);
  await pass(world);
  assert.deepEqual(peer.methods, ["INVITE", "CANCEL", "ACK"]);
  assert.deepEqual([failures.length, failures[0]?.cause], [1, "canceled"]);
  await assertClean({ peer, world, invite, failures, ...rest });
});

test("[R3261-9.1-1] a 200 that crosses the CANCEL gets ACK and BYE", async () => {
  const { peer, world, invite, failures, dialogs, ...rest } = await calling();
  peer.respond(peer.last("INVITE"), 180);
  await pass(world);
  invite.cancel();
  peer.respond(peer.last("INVITE"), 200);
  await pass(world);
  assert.deepEqual(peer.methods, ["INVITE", "CANCEL", "ACK", "BYE"]);
  peer.respond(peer.last("CANCEL"), 481);
  peer.respond(peer.last("BYE"), 200);
  await pass(world);
  assert.deepEqual([dialogs.length, failures.length, failures[0]?.cause], [0, 1, "canceled"]);
  await assertClean({ peer, world, invite, failures, dialogs, ...rest });
});

test("[R3261-9.1-3] a peer that answers CANCEL but never the INVITE is given up after 64*T1", async () => {
  const { peer, world, invite, failures, ...rest } = await calling();
  peer.respond(peer.last("INVITE"), 180);
  await pass(world);
  invite.cancel();
  await pass(world);
  peer.respond(peer.last("CANCEL"), 200);
  await pass(world, 31_000);
  assert.equal(failures.length, 0);
  await pass(world, 2_000);
  assert.equal(failures[0]?.cause, "canceled");
  await assertClean({ peer, world, invite, failures, ...rest });
});

test("a peer that rings for ever is canceled after three minutes, or as soon as the caller says", async () => {
  for (const [timeoutMs, waitMs] of [
    [undefined, 180_000],
    [5_000, 5_000],
  ] as const) {
    const { peer, world, failures, ...rest } = await calling(timeoutMs === undefined ? {} : { timeoutMs });
    peer.respond(peer.last("INVITE"), 180);
    await pass(world, waitMs - 200);
    assert.deepEqual(peer.methods, ["INVITE"]);
    await pass(world, 300);
    assert.equal(peer.methods[1], "CANCEL");
    assert.deepEqual([failures[0]?.status, failures[0]?.cause], [408, "timeout"]);
    peer.respond(peer.last("CANCEL"), 200);
    peer.respond(peer.last("INVITE"), 487);
    await assertClean({ peer, world, failures, ...rest });
  }
});

test("[R3261-13.2.2.4-1] [R6026-7.2-1] each repeated 2xx gets the same ACK; a forked one gets ACK and BYE", async () => {
  const { peer, world, dialogs, ...rest } = await calling();
  const invite = peer.last("INVITE");
  peer.respond(invite, 200, { tag: "one" });
  await pass(world);
  peer.respond(invite, 200, { tag: "one" });
  await pass(world);
  assert.deepEqual(peer.methods, ["INVITE", "ACK", "ACK"]);
  assert.equal(peer.requests[1]?.headers.get("Via"), peer.requests[2]?.headers.get("Via"));
  peer.respond(invite, 200, { tag: "two" });
  await pass(world);
  assert.deepEqual(peer.methods.slice(3), ["ACK", "BYE"]);
  assert.match(peer.last("BYE").request.headers.get("To") ?? "", /tag=two$/);
  peer.respond(peer.last("BYE"), 200);
  assert.equal(dialogs.length, 1);
  assert.equal(rest.platform.agent.liveDialogs, 2);
  await pass(world);
  assert.equal(rest.platform.agent.liveDialogs, 1);
  void dialogs[0]?.bye();
  await pass(world);
  peer.respond(peer.last("BYE"), 200);
  await assertClean({ peer, world, dialogs, ...rest });
});

test("[R3261-13.2.1-2] an INVITE without offer gets its answer in the ACK", async () => {
  const world = new World();
  const { agent } = world.party("10.0.0.1", refuseAll);
  const peer = new RawPeer(world, "10.0.0.2");
  agent.invite(ADDRESSES, { onAnswered: () => SDP, onFailed: () => assert.fail() });
  await pass(world);
  peer.respond(peer.last("INVITE"), 200);
  await pass(world);
  assert.equal(peer.last("ACK").request.headers.get("Content-Type"), "application/sdp");
  assert.deepEqual(new Uint8Array(peer.last("ACK").request.body), SDP.bytes);
});

test("[R3261-12.2.1-2] 481 or 408 to a request in the dialog ends it; other refusals do not", async () => {
  for (const [status, by] of [
    [481, "remote"],
    [408, "local"],
  ] as const) {
    const { peer, world, dialog, ends, ...rest } = await answered();
    void dialog.request("INFO", {});
    await pass(world);
    peer.respond(peer.last("INFO"), 500);
    await pass(world);
    assert.equal(ends.length, 0);
    void dialog.request("INFO", {});
    await pass(world);
    peer.respond(peer.last("INFO"), status);
    await pass(world);
    assert.deepEqual(ends, [{ by, cause: "request-failed" }]);
    if (status === 408) peer.respond(peer.last("BYE"), 200);
    assert.equal((await dialog.request("INFO", {})).status, 481);
    await assertClean({ peer, world, ends, ...rest });
  }
});

test("[R3261-14.1-1] after 491 the owner of the Call-ID waits 2.1 to 4 s, the other at most 2 s", async () => {
  for (let round = 0; round < 5; round++) {
    const { peer, world, dialog } = await answered();
    let final: SipResponse | undefined;
    void dialog.reinvite({ body: SDP }).then((response) => {
      final = response;
    });
    await pass(world, 50 + 80 * round);
    peer.respond(peer.last("INVITE"), 491);
    await pass(world, 5);
    const refusedAt = world.clock.now();
    await pass(world, 5_000);
    const retry = peer.received.find(
      ({ message, at }) => message.kind === "request" && message.method === "INVITE" && at > refusedAt,
    );
    const waitedMs = (retry?.at ?? 0) - refusedAt;
    assert.ok(waitedMs >= 2_090 && waitedMs <= 4_010, `${waitedMs} ms`);
    assert.equal(peer.last("INVITE").request.headers.get("CSeq"), "3 INVITE");
    peer.respond(peer.last("INVITE"), 200);
    await pass(world);
    assert.equal(final?.status, 200);
  }
});

test("[R3261-14.1-3] re-INVITEs of ours wait for each other; UPDATE without offer does not", async () => {
  const { peer, world, dialog } = await answered();
  void dialog.reinvite({ body: SDP });
  void dialog.reinvite({ body: SDP });
  void dialog.update({});
  await pass(world);
  assert.deepEqual(peer.methods, ["INVITE", "ACK", "UPDATE", "INVITE"]);
  peer.respond(peer.last("INVITE"), 200);
  await pass(world);
  assert.deepEqual(peer.methods.slice(4), ["ACK", "INVITE"]);
});

test("[R3261-15-4] a BYE that nobody answers is given up after 64*T1, and one that crosses ours gets 200", async () => {
  const { peer, world, dialog, ends, ...rest } = await answered();
  let isDone = false;
  void dialog.bye().then(() => {
    isDone = true;
  });
  void dialog.bye();
  await pass(world);
  assert.deepEqual(ends, [{ by: "local", cause: "bye" }]);
  const localTag = /tag=([^;]+)/.exec(peer.last("BYE").request.headers.get("From") ?? "")?.[1] ?? "";
  const callId = peer.last("BYE").request.headers.get("Call-ID") ?? "";
  peer.send({ method: "BYE", callId, toTag: localTag, fromTag: "rawtag" });
  await pass(world);
  assert.deepEqual(peer.statuses, [200]);
  await pass(world, 35_000);
  assert.ok(isDone);
  assert.equal(ends.length, 1);
  await assertClean({ peer, world, ends, ...rest });
});

const hashes = {
  md5: (bytes: Uint8Array) => createHash("md5").update(bytes).digest(),
  sha256: (bytes: Uint8Array) => createHash("sha256").update(bytes).digest(),
};

test("[R3261-22-1] a challenge is answered with the next CSeq and the same Call-ID; re-INVITE and BYE carry credentials from the start", async () => {
  const server = new DigestServer({ realm: "b.example", secret: new Uint8Array(16), hashes });
  const credentials = { username: "platform", password: "secret" };
  const { peer, world, dialogs, failures } = await calling({ credentials });
  const challenge = server.challenge(0).map((line) => ["Proxy-Authenticate", line] as const);
  peer.respond(peer.last("INVITE"), 407, { lines: challenge });
  await pass(world);
  const [first, ack, second] = peer.requests;
  assert.deepEqual(peer.methods, ["INVITE", "ACK", "INVITE"]);
  assert.equal(ack?.headers.has("Proxy-Authorization"), false);
  assert.equal(second?.headers.get("Call-ID"), first?.headers.get("Call-ID"));
  assert.equal(second?.headers.get("From"), first?.headers.get("From"));
  assert.equal(second?.headers.get("CSeq"), "2 INVITE");
  const verify = (): unknown =>
    server.verify(peer.requests.at(-1)!, "Proxy-Authorization", () => "secret", 1);
  assert.deepEqual(verify(), { ok: true, username: "platform" });
  peer.respond(peer.last("INVITE"), 200);
  await pass(world);
  void dialogs[0]?.reinvite({ body: SDP });
  await pass(world);
  assert.deepEqual(verify(), { ok: true, username: "platform" });
  // The nonce has grown old: once more with the new one.
  const stale = server.challenge(2, { stale: true }).map((line) => ["Proxy-Authenticate", line] as const);
  peer.respond(peer.last("INVITE"), 407, { lines: stale });
  await pass(world);
  assert.equal(peer.last("INVITE").request.headers.get("CSeq"), "4 INVITE");
  assert.deepEqual(verify(), { ok: true, username: "platform" });
  peer.respond(peer.last("INVITE"), 200);
  await pass(world);
  void dialogs[0]?.bye();
  await pass(world);
  assert.deepEqual(verify(), { ok: true, username: "platform" });
  assert.equal(failures.length, 0);
});

test("[R7616-3.3-4] re-INVITE and BYE may be challenged anew, with or without `stale`; they get through with the new nonce", async () => {
  const { peer, world, dialogs } = await calling({ credentials: { username: "a", password: "b" } });
  const challenge = (nonce: string) =>
    [["WWW-Authenticate", `Digest realm="r", nonce="${nonce}", algorithm=MD5, qop="auth"`]] as const;
  peer.respond(peer.last("INVITE"), 401, { lines: challenge("1") });
  await pass(world);
  peer.respond(peer.last("INVITE"), 200);
  await pass(world);
  void dialogs[0]?.reinvite({ body: SDP });
  await pass(world);
  peer.respond(peer.last("INVITE"), 401, { lines: challenge("2") });
  await pass(world);
  assert.match(peer.last("INVITE").request.headers.get("Authorization") ?? "", /nonce="2".*nc=00000001/);
  peer.respond(peer.last("INVITE"), 200);
  await pass(world);
  const bye = dialogs[0]?.bye();
  await pass(world);
  peer.respond(peer.last("BYE"), 401, { lines: challenge("3") });
  await pass(world);
  assert.match(peer.last("BYE").request.headers.get("Authorization") ?? "", /nonce="3".*nc=00000001/);
  peer.respond(peer.last("BYE"), 401, { lines: challenge("4") }); // and that was that
  await pass(world);
  await bye;
  assert.equal(peer.methods.filter((method) => method === "BYE").length, 2);
});

test("[R3261-22-1] credentials that are refused are not tried again", async () => {
  const { peer, world, failures } = await calling({ credentials: { username: "a", password: "b" } });
  const lines = [["WWW-Authenticate", 'Digest realm="r", nonce="1", qop="auth"']] as const;
  peer.respond(peer.last("INVITE"), 401, { lines });
  await pass(world);
  peer.respond(peer.last("INVITE"), 401, {
    lines: [["WWW-Authenticate", 'Digest realm="r", nonce="2", qop="auth"']],
  });
  await pass(world);
  assert.deepEqual(
    [failures[0]?.status, peer.methods.filter((method) => method === "INVITE").length],
    [401, 2],
  );
});

test("a handler that throws at the answer ends the call with ACK and BYE", async () => {
  const world = new World();
  const { agent, log } = world.party("10.0.0.1", refuseAll);
  const peer = new RawPeer(world, "10.0.0.2");
  agent.invite(ADDRESSES, {
    onAnswered: () => {
      throw new Error("no");
    },
    onFailed: () => {},
  });
  await pass(world);
  peer.respond(peer.last("INVITE"), 200);
  await pass(world);
  assert.deepEqual(peer.methods, ["INVITE", "ACK", "BYE"]);
  assert.ok(log.lines.some((line) => line.startsWith("error")));
});
