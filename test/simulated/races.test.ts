import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { createResponse, DigestServer, formatSipMessage, type SipResponse } from "@callfork/protocol/sip";
import type {
  DialogEnd,
  InviteFailure,
  InviteOptions,
  OutgoingInvite,
  SipDialog,
  UserAgentHandlers,
} from "@callfork/server/signalling";
import { type Party, refuseAll, SDP, World } from "./pair.ts";
import { RawPeer } from "./raw-peer.ts";

/** Of ten datagrams one is lost, some come twice, some late: every race below is run over many such networks. */
const CONDITIONS = {
  lossChance: 0.1,
  duplicateChance: 0.05,
  reorderChance: 0.1,
  minimumDelayMs: 5,
  maximumDelayMs: 80,
};
const NO_TROUBLE = { lossChance: 0, duplicateChance: 0, reorderChance: 0 };
const SEEDS = 80;

interface Pair {
  readonly world: World;
  readonly alice: Party;
  readonly bob: Party;
  /** Alice's side of the call and Bob's, as far as they have one. */
  readonly caller: SipDialog[];
  readonly callee: SipDialog[];
  readonly failures: InviteFailure[];
  readonly ends: { readonly who: "alice" | "bob"; readonly end: DialogEnd }[];
  readonly invite: OutgoingInvite;
  readonly story: () => string;
}

interface PairOptions {
  readonly seed: number;
  readonly answerAfterMs?: number;
  readonly aliceInvites?: Partial<InviteOptions>;
  readonly alice?: { readonly sessionIntervalSeconds?: number };
  readonly bob?: { readonly sessionIntervalSeconds?: number };
}

/** Alice calls Bob, who answers; each takes every re-INVITE and UPDATE. */
function pairOf({ seed, answerAfterMs = 200, ...options }: PairOptions): Pair {
  const world = new World({ seed, ...CONDITIONS });
  const [caller, callee]: [SipDialog[], SipDialog[]] = [[], []];
  const failures: InviteFailure[] = [];
  const ends: Pair["ends"] = [];
  const watch = (who: "alice" | "bob", dialog: SipDialog): void =>
    dialog.attach({
      onReinvite: () => ({ status: 200, body: SDP }),
      onUpdate: (_request, body) => ({ status: 200, ...(body.length > 0 && { body: SDP }) }),
      onEnded: (end) => ends.push({ who, end }),
    });
  const onInvite: UserAgentHandlers["onInvite"] = (invite) => {
    let isCanceled = false;
    invite.attach({
      onCanceled: () => {
        isCanceled = true;
      },
    });
    invite.provisional(180);
    world.clock.setTimer(answerAfterMs, () => {
      if (isCanceled) return;
      const dialog = invite.answer({ body: SDP });
      callee.push(dialog);
      watch("bob", dialog);
    });
  };
  const bob = world.party("10.0.0.2", { onInvite }, options.bob);
  const alice = world.party("10.0.0.1", refuseAll, options.alice);
  const invite = alice.agent.invite(
    {
      requestUri: "sip:bob@10.0.0.2",
      from: "sip:alice@a.example",
      to: "sip:bob@b.example",
      body: SDP,
      ...options.aliceInvites,
    },
    {
      onAnswered: (dialog) => {
        caller.push(dialog);
        watch("alice", dialog);
        return undefined;
      },
      onFailed: (failure) => failures.push(failure),
    },
  );
  const story = (): string =>
    `seed ${seed}\n${[...world.wire, ...alice.log.lines, ...bob.log.lines].join("\n")}`;
  return { world, alice, bob, caller, callee, failures, ends, invite, story };
}

/** Both sides of an answered and acknowledged call; undefined where the network was too bad for one. */
async function answered(
  options: PairOptions,
): Promise<(Pair & { readonly a: SipDialog; readonly b: SipDialog }) | undefined> {
  const pair = pairOf(options);
  const { world, caller, callee, failures } = pair;
  await world.clock.advanceUntil(() => caller.length + failures.length > 0, 60_000);
  await world.clock.advance(1_000);
  const [[a], [b]] = [caller, callee];
  return a && b && { ...pair, a, b };
}

/** Nobody has anything left, and whoever had a dialog heard once that it is over. */
async function assertOver({ world, alice, bob, caller, callee, ends, story }: Pair): Promise<void> {
  await world.clock.advance(250_000);
  assert.deepEqual([alice.agent.liveDialogs, bob.agent.liveDialogs], [0, 0], story());
  assert.deepEqual([alice.agent.liveTransactions, bob.agent.liveTransactions], [0, 0], story());
  assert.equal(world.clock.pendingTimers, 0, story());
  const heard = (who: string): number => ends.filter((each) => each.who === who).length;
  assert.deepEqual([heard("alice"), heard("bob")], [caller.length, callee.length], story());
}

/** Runs it over every network. @returns how often it returned true: the race did happen */
async function overAll(run: (seed: number) => Promise<boolean | undefined>): Promise<number> {
  let happened = 0;
  for (let seed = 1; seed <= SEEDS; seed++) if (await run(seed)) happened += 1;
  return happened;
}

const wireHas = (world: World, text: string): boolean => world.wire.some((line) => line.includes(text));

test("UPDATEs with offers that cross get 491, wait their turns and both get through", async () => {
  const crossed = await overAll(async (seed) => {
    const pair = await answered({ seed });
    if (pair === undefined) return;
    const { world, a, b, story } = pair;
    const statuses: number[] = [];
    for (const side of [a, b]) {
      void side.update({ body: SDP }).then(({ status }) => statuses.push(status));
    }
    await world.clock.advanceUntil(() => statuses.length === 2, 120_000);
    // A peer that hears nothing for 32 seconds is gone: 408 ends the call, rarely.
    assert.ok(
      statuses.every((status) => status === 200) || statuses.some((status) => status === 408),
      story(),
    );
    const glared = wireHas(world, "491");
    void a.bye();
    await assertOver(pair);
    return glared;
  });
  assert.ok(crossed > SEEDS / 4, `${crossed} crossed`);
});

test("a re-INVITE and an UPDATE with an offer that cross both get through", async () => {
  const crossed = await overAll(async (seed) => {
    const pair = await answered({ seed });
    if (pair === undefined) return;
    const { world, a, b, story } = pair;
    const statuses: number[] = [];
    void a.reinvite({ body: SDP }).then(({ status }) => statuses.push(status));
    void b.update({ body: SDP }).then(({ status }) => statuses.push(status));
    await world.clock.advanceUntil(() => statuses.length === 2, 120_000);
    assert.ok(
      statuses.every((status) => status === 200) || statuses.some((status) => status === 408),
      story(),
    );
    const glared = wireHas(world, "491");
    void b.bye();
    await assertOver(pair);
    return glared;
  });
  assert.ok(crossed > SEEDS / 4, `${crossed} crossed`);
});

test("CANCEL against 200, at every instant: canceled with 487, or answered and ended with BYE; never both, never a call left", async () => {
  let [canceledInTime, crossed] = [0, 0];
  for (let seed = 1; seed <= SEEDS; seed++) {
    const pair = pairOf({ seed, answerAfterMs: 300 });
    const { world, invite, failures, caller, callee, story } = pair;
    await world.clock.advance(250 + (seed % 40) * 6);
    const wasAnswered = caller.length > 0;
    invite.cancel();
    await assertOverAfterCancel(pair, wasAnswered);
    if (wasAnswered) continue;
    assert.deepEqual([failures.length, failures[0]?.cause, caller.length], [1, "canceled", 0], story());
    if (callee.length > 0) crossed += 1;
    else canceledInTime += 1;
  }
  assert.ok(
    canceledInTime > SEEDS / 5 && crossed > SEEDS / 5,
    `${canceledInTime} in time, ${crossed} crossed`,
  );
});

async function assertOverAfterCancel(pair: Pair, wasAnswered: boolean): Promise<void> {
  if (wasAnswered) void pair.caller[0]?.bye();
  await assertOver(pair);
}

test("the ACK is lost again and again: the 200 is repeated until one comes through, and the call stands", async () => {
  for (let lost = 1; lost <= 6; lost++) {
    const pair = pairOf({ seed: lost });
    const { world, caller, callee, story } = pair;
    world.network.conditions = { ...world.network.conditions, ...NO_TROUBLE };
    let left = lost;
    world.network.filter = ({ startLine }) => (startLine.startsWith("ACK") && left-- > 0 ? "drop" : "pass");
    await world.clock.advance(33_000);
    const oks = world.wire.filter((line) => line.includes("200 OK")).length;
    assert.deepEqual([oks, caller.length, callee.length, pair.ends], [lost + 1, 1, 1, []], story());
    void callee[0]?.bye();
    await assertOver(pair);
  }
});

test("every 200 is lost: the callee gives up with BYE after 64*T1, the caller when its wait is over; nothing is left", async () => {
  const pair = pairOf({ seed: 1, aliceInvites: { timeoutMs: 60_000 } });
  pair.world.network.filter = ({ startLine }) => (startLine.includes("200 OK") ? "drop" : "pass");
  await pair.world.clock.advance(120_000);
  assert.deepEqual(
    pair.ends.map(({ who, end }) => [who, end.cause]),
    [["bob", "no-ack"]],
  );
  assert.equal(pair.failures.length, 1, pair.story());
  await assertOver(pair);
});

test("BYE crosses a re-INVITE: the dialog ends once on each side, and the re-INVITE comes to an end", async () => {
  const crossed = await overAll(async (seed) => {
    const pair = await answered({ seed });
    if (pair === undefined) return;
    const { world, a, b, story } = pair;
    let status: number | undefined;
    void a.reinvite({ body: SDP }).then((response) => {
      status = response.status;
    });
    await world.clock.advance(seed % 60);
    void b.bye();
    await assertOver(pair);
    assert.ok(status !== undefined, story());
    return status === 481 || status === 487;
  });
  assert.ok(crossed > SEEDS / 4, `${crossed} crossed`);
});

test("BYE crosses BYE: both get 200, and each side hears of one end", async () => {
  const crossed = await overAll(async (seed) => {
    const pair = await answered({ seed });
    if (pair === undefined) return;
    const { world, a, b, ends, story } = pair;
    void a.bye();
    void b.bye();
    await assertOver(pair);
    assert.ok(
      ends.every(({ end }) => end.cause === "bye" && end.by === "local"),
      story(),
    );
    return !wireHas(world, "481");
  });
  assert.ok(crossed > SEEDS / 2, `${crossed} without a 481`);
});

test("session refreshes cross re-INVITEs and UPDATEs of the other side for an hour: the call stands as long as both want it", async () => {
  for (let seed = 1; seed <= 10; seed++) {
    const timers = { sessionIntervalSeconds: 90 };
    const pair = await answered({ seed, alice: timers, bob: timers });
    if (pair === undefined) continue;
    const { world, a, b, ends, story } = pair;
    // Losing one in a hundred: a refresh that fails outright ends the call, as it should.
    world.network.conditions = { ...world.network.conditions, lossChance: 0.01 };
    for (let minutes = 0; minutes < 60; minutes++) {
      void a.reinvite({ body: SDP });
      void b.update({ body: SDP });
      await world.clock.advance(45_000 + (seed % 7) * 10);
      void b.reinvite({ body: SDP });
      await world.clock.advance(15_000);
    }
    assert.deepEqual(ends, [], story());
    void a.bye();
    await assertOver(pair);
  }
});

test("422 over bad networks: the call is set up with the interval that the callee insists on", async () => {
  let refused = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const world = new World({ seed, ...CONDITIONS });
    const { agent } = world.party("10.0.0.1", refuseAll, { sessionIntervalSeconds: 100 });
    const peer = new RawPeer(world, "10.0.0.2");
    const outcome: string[] = [];
    // A peer without transactions of its own: it says to each copy of a request what it said to the first.
    peer.onRequest = (request, flow) => {
      if (request.method === "BYE") peer.respond({ request, flow }, 200);
      if (request.method !== "INVITE") return;
      const wished = Number(request.headers.get("Session-Expires"));
      if (wished < 600) peer.respond({ request, flow }, 422, { lines: [["Min-SE", "600"]] });
      else peer.respond({ request, flow }, 200, { lines: [["Session-Expires", `${wished};refresher=uas`]] });
    };
    agent.invite(
      { requestUri: "sip:raw@10.0.0.2", from: "sip:a@b", to: "sip:c@d", body: SDP },
      {
        onAnswered: (dialog) => {
          outcome.push("answered");
          world.clock.setTimer(5_000, () => void dialog.bye());
          return undefined;
        },
        onFailed: ({ status }) => outcome.push(String(status)),
      },
    );
    await world.clock.advance(300_000);
    if (wireHas(world, "422")) refused += 1;
    assert.equal(outcome.length, 1, world.wire.join("\n"));
    assert.ok(outcome[0] === "answered" || outcome[0] === "408", world.wire.join("\n"));
    assert.deepEqual([agent.liveDialogs, agent.liveTransactions, world.clock.pendingTimers], [0, 0, 0]);
  }
  assert.ok(refused > SEEDS / 2, `${refused} refused`);
});

const hashes = {
  md5: (bytes: Uint8Array) => createHash("md5").update(bytes).digest(),
  sha256: (bytes: Uint8Array) => createHash("sha256").update(bytes).digest(),
};

test("nonces grow stale between any two requests of a call, over bad networks: INVITE, re-INVITE and BYE get through", async () => {
  let staleSeen = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const world = new World({ seed, ...CONDITIONS });
    const { agent } = world.party("10.0.0.1", refuseAll);
    const peer = new RawPeer(world, "10.0.0.2");
    // One second: every nonce has grown old by the time of the next request.
    const server = new DigestServer({
      realm: "r",
      secret: new Uint8Array(16),
      hashes,
      nonceLifetimeMs: 1_000,
    });
    const said = new Map<string, SipResponse>();
    peer.onRequest = (request, flow) => {
      if (request.method === "ACK") return;
      const key = `${request.headers.get("CSeq")} ${request.headers.get("Via")}`;
      const earlier = said.get(key);
      if (earlier !== undefined) {
        void peer.node.send(formatSipMessage(earlier), flow);
        return;
      }
      const now = world.clock.now();
      const verdict = server.verify(request, "Authorization", () => "secret", now);
      const stale = !verdict.ok && verdict.reason === "stale";
      if (stale) staleSeen += 1;
      assert.ok(verdict.ok || verdict.reason !== "wrong", world.wire.join("\n"));
      const lines = server.challenge(now, { stale }).map((line) => ["WWW-Authenticate", line] as const);
      const contact = ["Contact", "<sip:raw@10.0.0.2:5060>"] as const;
      const response = createResponse(request, verdict.ok ? 200 : 401, {
        toTag: "rawtag",
        headers: verdict.ok ? [contact] : lines,
      });
      said.set(key, response);
      void peer.node.send(formatSipMessage(response), flow);
    };
    const outcome: number[] = [];
    let dialog: SipDialog | undefined;
    agent.invite(
      {
        requestUri: "sip:raw@10.0.0.2",
        from: "sip:a@b",
        to: "sip:c@d",
        body: SDP,
        credentials: { username: "u", password: "secret" },
      },
      {
        onAnswered: (made) => {
          dialog = made;
          return undefined;
        },
        onFailed: ({ status }) => outcome.push(status),
      },
    );
    await world.clock.advance(60_000);
    if (dialog === undefined) {
      // Two repetitions in a row arrived late enough for the nonce to have grown old twice, or nothing did.
      assert.ok(outcome[0] === 401 || outcome[0] === 408, world.wire.join("\n"));
      continue;
    }
    void dialog.reinvite({ body: SDP }).then(({ status }) => outcome.push(status));
    await world.clock.advance(60_000);
    void dialog.bye();
    await world.clock.advance(120_000);
    assert.ok([200, 401, 408].includes(outcome[0] ?? 0), `${outcome} ${world.wire.join("\n")}`);
    assert.deepEqual([agent.liveDialogs, agent.liveTransactions, world.clock.pendingTimers], [0, 0, 0]);
  }
  assert.ok(staleSeen > SEEDS, `${staleSeen} stale nonces`);
});

test("a proxy forks our INVITE to three who all answer, over bad networks: one is talked to, the others get ACK and BYE", async () => {
  let several = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const world = new World({ seed, ...CONDITIONS });
    const { agent } = world.party("10.0.0.1", refuseAll);
    const peer = new RawPeer(world, "10.0.0.2");
    const acknowledged = new Set<string>();
    const ended = new Set<string>();
    const tagIn = (value: string | undefined): string => /tag=([^;]+)/.exec(value ?? "")?.[1] ?? "";
    let isForked = false;
    peer.onRequest = (request, flow) => {
      const tag = tagIn(request.headers.get("To"));
      if (request.method === "ACK") acknowledged.add(tag);
      if (request.method === "BYE") {
        ended.add(tag);
        peer.respond({ request, flow }, 200, { tag });
      }
      if (request.method !== "INVITE" || isForked) return;
      isForked = true;
      // Each branch repeats its 200 until it has its ACK, as §13.3.1.4 has it.
      for (const fork of ["one", "two", "three"]) {
        const say = (after: number): void => {
          if (acknowledged.has(fork) || after > 32_000) return;
          peer.respond({ request, flow }, 200, { tag: fork });
          world.clock.setTimer(Math.min(after, 4_000), () => say(after * 2));
        };
        say(500);
      }
    };
    const dialogs: SipDialog[] = [];
    const failures: number[] = [];
    agent.invite(
      { requestUri: "sip:raw@10.0.0.2", from: "sip:a@b", to: "sip:c@d", body: SDP },
      {
        onAnswered: (dialog) => {
          dialogs.push(dialog);
          return undefined;
        },
        onFailed: ({ status }) => failures.push(status),
      },
    );
    await world.clock.advance(60_000);
    const story = world.wire.join("\n");
    assert.equal(dialogs.length + failures.length, 1, story);
    if (dialogs[0] !== undefined) {
      assert.equal(acknowledged.size, 3, story);
      assert.equal(ended.has(dialogs[0].remoteTag), false, story);
      if (ended.size === 2) several += 1;
      void dialogs[0].bye();
    }
    await world.clock.advance(120_000);
    assert.deepEqual(
      [agent.liveDialogs, agent.liveTransactions, world.clock.pendingTimers],
      [0, 0, 0],
      story,
    );
  }
  assert.ok(several > SEEDS / 2, `${several} times two others were ended`);
});
