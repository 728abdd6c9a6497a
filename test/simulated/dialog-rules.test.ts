import assert from "node:assert/strict";
import { test } from "node:test";
import type {
  DialogAnswer,
  DialogEnd,
  DialogHandlers,
  SipDialog,
  UserAgentHandlers,
} from "@callfork/server/signalling";
import { type Party, refuseAll, SDP, World } from "./pair.ts";
import { pass, RawPeer } from "./raw-peer.ts";

const OFFER = { body: new TextDecoder().decode(SDP.bytes), lines: ["Content-Type: application/sdp"] };

interface Scene {
  readonly world: World;
  readonly platform: Party;
  readonly peer: RawPeer;
  readonly dialog: SipDialog;
  readonly ends: DialogEnd[];
  /** The platform's tag. */
  readonly toTag: string;
}

/** The peer has called, was answered and has acknowledged. */
async function called(handlers: Partial<DialogHandlers> = {}): Promise<Scene> {
  const world = new World();
  const dialogs: SipDialog[] = [];
  const ends: DialogEnd[] = [];
  const platform = world.party("10.0.0.1", {
    onInvite(invite) {
      const dialog = invite.answer({ body: SDP });
      dialog.attach({ ...handlers, onEnded: (end) => ends.push(end) });
      dialogs.push(dialog);
    },
  });
  const peer = new RawPeer(world, "10.0.0.2");
  peer.send({ method: "INVITE", ...OFFER });
  await pass(world);
  peer.send({ method: "ACK", branch: "z9hG4bKack", toTag: peer.platformTag });
  await pass(world);
  assert.ok(dialogs[0]);
  return { world, platform, peer, dialog: dialogs[0], ends, toTag: peer.platformTag };
}

test("[R3311-5.2-3] an UPDATE before the answer to another gets 500 with Retry-After, and offers of ours wait for that answer", async () => {
  const answers: ((answer: DialogAnswer) => void)[] = [];
  const { peer, world, dialog, toTag } = await called({
    onUpdate: () => new Promise<DialogAnswer>((resolve) => answers.push(resolve)),
  });
  peer.send({ method: "UPDATE", cseq: 2, toTag, ...OFFER });
  peer.send({ method: "UPDATE", cseq: 3, toTag, ...OFFER });
  peer.send({ method: "UPDATE", cseq: 4, toTag });
  await pass(world);
  void dialog.reinvite({ body: SDP });
  await pass(world);
  assert.deepEqual([peer.statuses.slice(2), peer.methods, answers.length], [[500, 500], [], 1]);
  for (const refused of peer.responses.slice(2)) {
    assert.ok(Number(refused.headers.get("Retry-After")) <= 10);
  }
  answers[0]?.({ status: 200, body: SDP });
  await pass(world);
  assert.deepEqual([peer.statuses.at(-1), peer.methods], [200, ["INVITE"]]);
  peer.respond(peer.last("INVITE"), 200);
  peer.send({ method: "UPDATE", cseq: 5, toTag });
  await pass(world);
  assert.equal(answers.length, 2);
});

test("[R3311-5.1-2] [R3311-5.3-1] an UPDATE of ours with an offer waits for an open one, and for its turn after 491; refused it changes nothing", async () => {
  const { peer, world, dialog, ends } = await called();
  void dialog.reinvite({ body: SDP });
  const updated = dialog.update({ body: SDP });
  await pass(world);
  assert.deepEqual(peer.methods, ["INVITE"]);
  peer.respond(peer.last("INVITE"), 200);
  await pass(world);
  assert.deepEqual(peer.methods, ["INVITE", "ACK", "UPDATE"]);
  const refusedAt = world.clock.now();
  peer.respond(peer.last("UPDATE"), 491, { lines: [["Contact", "<sip:raw@10.9.9.9>"]] });
  await pass(world, 2_500);
  const again = peer.received.at(-1);
  assert.ok(again?.message.kind === "request" && again.message.method === "UPDATE");
  assert.ok(again.at - refusedAt <= 2_010, "not the owner of the Call-ID: at most two seconds");
  peer.respond(peer.last("UPDATE"), 488);
  await pass(world);
  assert.equal((await updated).status, 488);
  assert.equal(ends.length, 0);
});

test("[R3262-4-3] a reliable provisional to a re-INVITE gets PRACK, once each and in order; the answer in it counts; one without offer asks for none", async () => {
  const { peer, world, dialog } = await called();
  const told: string[] = [];
  const done = dialog.reinvite({
    body: SDP,
    onAnswered: (_response, body) => {
      told.push(...body.map(({ bytes }) => new TextDecoder().decode(bytes)));
      return undefined;
    },
  });
  await pass(world);
  const invite = peer.last("INVITE");
  assert.match(invite.request.headers.get("Supported") ?? "", /100rel/);
  const provisional = (rseq: number, lines: readonly (readonly [string, string])[] = []): void =>
    peer.respond(invite, 183, { lines: [["Require", "100rel"], ["RSeq", String(rseq)], ...lines] });
  provisional(7);
  provisional(7);
  provisional(9);
  await pass(world);
  assert.deepEqual(
    peer.requests.filter(({ method }) => method === "PRACK").map(({ headers }) => headers.get("RAck")),
    ["7 1 INVITE"],
  );
  peer.respond(peer.last("PRACK"), 200);
  peer.respondWith(invite, 183, OFFER.body, [
    ["Require", "100rel"],
    ["RSeq", "8"],
  ]);
  await pass(world);
  assert.equal(peer.last("PRACK").request.headers.get("RAck"), "8 1 INVITE");
  peer.respond(peer.last("PRACK"), 200);
  peer.respond(invite, 200);
  await pass(world);
  assert.equal((await done).status, 200);
  assert.deepEqual(told, [OFFER.body]);
  void dialog.reinvite({ onAnswered: () => SDP });
  await pass(world);
  assert.doesNotMatch(peer.last("INVITE").request.headers.get("Supported") ?? "", /100rel/);
});

test("[R4568-8-1] keys that come in the clear get 488 where the operator wants that, over UDP and TCP; calls without keys do not", async () => {
  const keyed = OFFER.body
    .replace("RTP/AVP", "RTP/SAVP")
    .concat(`a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:${Buffer.alloc(30).toString("base64")}\r\n`);
  for (const transport of ["udp", "tcp"] as const) {
    const world = new World();
    const onInvite: UserAgentHandlers["onInvite"] = (invite) => void invite.answer({ body: SDP });
    world.party("10.0.0.1", { onInvite }, { refusesKeysInClear: true });
    const peer = new RawPeer(world, "10.0.0.2");
    const send = (body: string): void => {
      const text = peer
        .text({
          method: "INVITE",
          callId: `c${body.length}`,
          branch: `z9hG4bK${body.length}`,
          ...OFFER,
          body,
        })
        .replace("/UDP", `/${transport.toUpperCase()}`);
      void peer.node.send(new TextEncoder().encode(text), { transport, address: "10.0.0.1", port: 5060 });
    };
    send(keyed);
    await pass(world);
    assert.equal(peer.statuses.at(-1), 488, transport);
    assert.match(peer.responses.at(-1)?.headers.get("Warning") ?? "", /TLS only/);
    send(OFFER.body);
    await pass(world);
    assert.equal(peer.statuses.at(-1), 200);
  }
});

test("[R3261-14.1-4] a re-INVITE that nobody answers in 64*T1 ends the dialog with BYE", async () => {
  const { peer, world, dialog, ends } = await called();
  const done = dialog.reinvite({ body: SDP });
  await pass(world, 32_500);
  assert.equal((await done).status, 408);
  assert.deepEqual(ends, [{ by: "local", cause: "request-failed" }]);
  assert.equal(peer.methods.at(-1), "BYE");
});

test("[R3261-14.2-3] the 2xx to a re-INVITE is repeated until ACK; without one in 64*T1 the dialog ends with BYE", async () => {
  const { peer, world, ends, toTag } = await called({ onReinvite: () => ({ status: 200, body: SDP }) });
  peer.send({ method: "INVITE", cseq: 2, toTag, ...OFFER });
  await pass(world, 31_900);
  assert.equal(peer.statuses.filter((status) => status === 200).length, 12);
  await pass(world, 500);
  assert.deepEqual(ends, [{ by: "local", cause: "no-ack" }]);
  assert.deepEqual(peer.methods, ["BYE"]);
});

test("[R3261-8.2.6.1-1] a request other than INVITE gets no provisional, however long its answer takes", async () => {
  const answers: ((answer: DialogAnswer) => void)[] = [];
  const { peer, world, toTag } = await called({
    onRequest: () => new Promise<DialogAnswer>((resolve) => answers.push(resolve)),
  });
  peer.send({ method: "INFO", cseq: 2, toTag });
  await pass(world, 10_000);
  assert.deepEqual(peer.statuses, [100, 200]);
  answers[0]?.({ status: 200 });
  await pass(world);
  assert.deepEqual(peer.statuses, [100, 200, 200]);
});

test("[R3261-13.3.1.4-2] [R3311-4-1] [R3261-19.3-1] what makes a dialog says Contact, Allow with UPDATE, Supported, and a tag of 64 random bits", async () => {
  const world = new World();
  world.party("10.0.0.1", {
    onInvite(invite) {
      invite.provisional(180);
      invite.answer({ body: SDP });
    },
  });
  const peer = new RawPeer(world, "10.0.0.2");
  peer.send({ method: "INVITE", ...OFFER });
  await pass(world);
  for (const { status, headers } of peer.responses.slice(1)) {
    assert.match(headers.get("Contact") ?? "", /^<sip:platform@10\.0\.0\.1:5060>$/, `${status}`);
    assert.ok(headers.list("Allow").includes("UPDATE"), `${status}`);
    assert.ok(headers.list("Supported").includes("timer"), `${status}`);
  }
  const other = new RawPeer(world, "10.0.0.3");
  other.send({ method: "INVITE", ...OFFER });
  await pass(world);
  assert.match(peer.platformTag, /^[0-9a-f]{16}$/);
  assert.notEqual(other.platformTag, peer.platformTag);
});

test("[R3261-12.1.1-2] a dialog that begins with a SIPS URI has a SIPS Contact: in Request-URI, first Record-Route, or Contact where there is no Record-Route", async () => {
  for (const [uri, lines, contact, expected] of [
    ["sips:platform@10.0.0.1", [], "sip", "sips"],
    ["sip:platform@10.0.0.1", ["Record-Route: <sips:p@10.0.0.9;lr>"], "sip", "sips"],
    ["sip:platform@10.0.0.1", [], "sips", "sips"],
    ["sip:platform@10.0.0.1", ["Record-Route: <sip:p@10.0.0.9;lr>"], "sips", "sip"],
    ["sip:platform@10.0.0.1", [], "sip", "sip"],
  ] as const) {
    const world = new World();
    world.party("10.0.0.1", { onInvite: (invite) => void invite.answer({ body: SDP }) });
    const peer = new RawPeer(world, "10.0.0.2");
    const text = peer.text({ method: "INVITE", uri, lines: [...lines, ...OFFER.lines], body: OFFER.body });
    peer.send(text.replace("Contact: <sip:", `Contact: <${contact}:`));
    await pass(world);
    assert.equal(/^<(\w+):/.exec(peer.responses.at(-1)?.headers.get("Contact") ?? "")?.[1], expected, text);
  }
});

test("[R3261-12.3-1] a refused INVITE ends its early dialogs on both sides: what comes in them gets 481", async () => {
  const world = new World();
  const platform = world.party("10.0.0.1", {
    onInvite(invite) {
      invite.provisional(180);
      world.clock.setTimer(500, () => invite.reject(486));
    },
  });
  const peer = new RawPeer(world, "10.0.0.2");
  peer.send({ method: "INVITE", ...OFFER });
  await pass(world, 1_000);
  peer.send({ method: "INFO", cseq: 2, toTag: peer.platformTag });
  await pass(world);
  assert.equal(peer.statuses.at(-1), 481);

  platform.agent.invite(
    { requestUri: "sip:raw@10.0.0.2", from: "sip:a@b", to: "sip:c@d", body: SDP },
    { onAnswered: () => undefined, onFailed: () => {} },
  );
  await pass(world);
  const invite = peer.last("INVITE");
  peer.respond(invite, 183, {
    lines: [
      ["Require", "100rel"],
      ["RSeq", "1"],
    ],
  });
  await pass(world);
  peer.respond(invite, 486);
  await pass(world);
  const [callId = "", from = ""] = ["Call-ID", "From"].map((name) => invite.request.headers.get(name));
  const toTag = /tag=([^;]+)/.exec(from)?.[1] ?? "";
  peer.send({ method: "UPDATE", callId, fromTag: "rawtag", toTag, cseq: 1 });
  await pass(world);
  assert.equal(peer.statuses.at(-1), 481);
});

test("[R3261-9.1-4] CANCEL takes the way of its INVITE: to the address that was tried last", async () => {
  const world = new World();
  const { agent } = world.party("10.0.0.1", refuseAll);
  const [first, second] = [new RawPeer(world, "10.0.0.2"), new RawPeer(world, "10.0.0.3")];
  world.network.name("b.example", ["10.0.0.2", "10.0.0.3"]);
  const invite = agent.invite(
    { requestUri: "sip:b.example:5060", from: "sip:a@b", to: "sip:c@d", body: SDP },
    { onAnswered: () => undefined, onFailed: () => {} },
  );
  await pass(world);
  first.respond(first.last("INVITE"), 503);
  await pass(world);
  second.respond(second.last("INVITE"), 180);
  await pass(world);
  invite.cancel();
  await pass(world);
  assert.deepEqual([first.methods.includes("CANCEL"), second.methods], [false, ["INVITE", "CANCEL"]]);
});

test("[R3261-18.1.1-4] [R3261-18.1.2-1] an answer counts by its branch, by whatever connection and from whatever port it comes, and however its sent-by was rewritten", async () => {
  const world = new World();
  const { agent } = world.party("10.0.0.1", refuseAll);
  const [peer, other] = [new RawPeer(world, "10.0.0.2"), new RawPeer(world, "10.0.0.3")];
  const answered = agent.request("OPTIONS", {
    requestUri: "sip:raw@10.0.0.2",
    from: "sip:a@b",
    to: "sip:c@d",
  });
  await pass(world);
  const { request } = peer.last("OPTIONS");
  const via = request.headers.get("Via") ?? "";
  request.headers.set("Via", via.replace("10.0.0.1:5060", "192.0.2.1:1024"));
  const toUs = { transport: "tcp", address: "10.0.0.1", port: 5060 } as const;
  void other.answerTo(request, 200, toUs);
  await pass(world);
  assert.equal((await answered).status, 200);
});

test("[R3261-8.1.3.5-1] 413, 415, 416 and 420 are told, not tried again: what we send cannot be made smaller or plainer", async () => {
  for (const status of [413, 415, 416, 420]) {
    const world = new World();
    const { agent } = world.party("10.0.0.1", refuseAll);
    const peer = new RawPeer(world, "10.0.0.2");
    const failures: number[] = [];
    agent.invite(
      { requestUri: "sip:raw@10.0.0.2", from: "sip:a@b", to: "sip:c@d", body: SDP },
      { onAnswered: () => undefined, onFailed: (failure) => failures.push(failure.status) },
    );
    await pass(world);
    peer.respond(peer.last("INVITE"), status, { lines: [["Unsupported", "timer"]] });
    await pass(world, 40_000);
    assert.deepEqual([failures, peer.methods], [[status], ["INVITE", "ACK"]]);
  }
});

test("[R6026-7.2-2] after a 2xx a refusal of the same INVITE changes nothing", async () => {
  const world = new World();
  const { agent } = world.party("10.0.0.1", refuseAll);
  const peer = new RawPeer(world, "10.0.0.2");
  const heard: string[] = [];
  agent.invite(
    { requestUri: "sip:raw@10.0.0.2", from: "sip:a@b", to: "sip:c@d", body: SDP },
    {
      onAnswered: (dialog) => {
        dialog.attach({ onEnded: () => heard.push("ended") });
        heard.push("answered");
        return undefined;
      },
      onFailed: () => heard.push("failed"),
    },
  );
  await pass(world);
  peer.respond(peer.last("INVITE"), 200);
  await pass(world);
  peer.respond(peer.last("INVITE"), 486);
  await pass(world, 1_000);
  assert.deepEqual([heard, peer.methods], [["answered"], ["INVITE", "ACK"]]);
});

test("[R4028-4-1] [R4028-5-1] any interval of 90 s and more is taken as it is; none below is ever asked for", async () => {
  for (const seconds of [90, 1_800, 86_400]) {
    const world = new World();
    world.party("10.0.0.1", { onInvite: (invite) => void invite.answer({ body: SDP }) });
    const peer = new RawPeer(world, "10.0.0.2");
    peer.send({ method: "INVITE", lines: [`Session-Expires: ${seconds};refresher=uac`, "Supported: timer"] });
    await pass(world);
    assert.equal(peer.responses.at(-1)?.headers.get("Session-Expires"), `${seconds};refresher=uac`);
  }
  const world = new World();
  const { agent } = world.party("10.0.0.1", refuseAll, { sessionIntervalSeconds: 10 });
  const peer = new RawPeer(world, "10.0.0.2");
  agent.invite(
    { requestUri: "sip:raw@10.0.0.2", from: "sip:a@b", to: "sip:c@d", body: SDP },
    { onAnswered: () => undefined, onFailed: () => {} },
  );
  await pass(world);
  assert.equal(peer.last("INVITE").request.headers.get("Session-Expires"), "90");
  peer.respond(peer.last("INVITE"), 422, { lines: [["Min-SE", "30"]] });
  await pass(world);
  assert.deepEqual(
    peer.methods,
    ["INVITE", "ACK"],
    "a peer that insists on less than there may be is not followed",
  );
});

test("[R4028-7.1-2] every request of ours but ACK says that it knows session timers", async () => {
  const { peer, world, dialog } = await called();
  void dialog.reinvite({ body: SDP });
  await pass(world);
  peer.respond(peer.last("INVITE"), 200);
  await pass(world);
  void dialog.update({});
  void dialog.request("INFO", {});
  void dialog.bye();
  await pass(world);
  const lacking = peer.requests.filter(({ headers }) => !headers.list("Supported").includes("timer"));
  assert.deepEqual(
    lacking.map(({ method }) => method),
    ["ACK"],
  );
  assert.deepEqual([...new Set(peer.methods)], ["INVITE", "ACK", "UPDATE", "INFO", "BYE"]);
});

test("[R3261-12.2.1.1-3] [R3261-20.15-1] requests that refresh the target carry our Contact, others none; a body has its Content-Type", async () => {
  const { peer, world, dialog } = await called();
  void dialog.reinvite({ body: SDP });
  await pass(world);
  peer.respond(peer.last("INVITE"), 200);
  await pass(world);
  void dialog.update({ body: SDP });
  void dialog.request("INFO", { body: { contentType: "application/dtmf-relay", bytes: SDP.bytes } });
  await pass(world);
  peer.respond(peer.last("UPDATE"), 200);
  await pass(world);
  const late = dialog.update({ body: SDP });
  void dialog.bye();
  await pass(world);
  assert.equal((await late).status, 481, "nothing follows BYE");
  for (const { method, headers, body } of peer.requests) {
    const isRefresh = method === "INVITE" || method === "UPDATE";
    assert.equal(headers.has("Contact"), isRefresh, method);
    assert.equal(headers.has("Content-Type"), body.length > 0, method);
  }
  assert.deepEqual([...new Set(peer.methods)].sort(), ["ACK", "BYE", "INFO", "INVITE", "UPDATE"]);
  assert.equal(peer.methods.at(-1), "BYE");
});
