import assert from "node:assert/strict";
import { test } from "node:test";
import type { DialogEnd, InviteFailure, SipDialog } from "@callfork/server/signalling";
import { type Party, SDP, World } from "./pair.ts";

const SEEDS = 300;

interface Outcome {
  readonly world: World;
  readonly alice: Party;
  readonly bob: Party;
  readonly answered: SipDialog[];
  readonly failures: InviteFailure[];
  readonly ends: DialogEnd[];
  readonly acknowledged: number;
  readonly invites: number;
  readonly reinvites: number;
}

/** A call with a re-INVITE from each side, ended by one of them, over a network that loses, doubles and reorders. */
async function callOver(seed: number, hangUpBy: "caller" | "callee"): Promise<Outcome> {
  const world = new World({
    seed,
    lossChance: 0.1,
    duplicateChance: 0.05,
    reorderChance: 0.1,
    minimumDelayMs: 5,
    maximumDelayMs: 80,
  });
  const answered: SipDialog[] = [];
  const failures: InviteFailure[] = [];
  const ends: DialogEnd[] = [];
  const counts = { acknowledged: 0, invites: 0, reinvites: 0 };
  let callee: SipDialog | undefined;
  const onReinvite = (): { status: number; body: typeof SDP } => {
    counts.reinvites += 1;
    return { status: 200, body: SDP };
  };
  const onEnded = (end: DialogEnd): void => {
    ends.push(end);
  };
  const bob = world.party("10.0.0.2", {
    onInvite(invite) {
      counts.invites += 1;
      invite.attach({ onCanceled: () => {} });
      invite.provisional(180);
      world.clock.setTimer(500, () => {
        callee = invite.answer({ body: SDP });
        callee.attach({
          onAcknowledged: () => {
            counts.acknowledged += 1;
          },
          onReinvite,
          onEnded,
        });
      });
    },
  });
  const alice = world.party("10.0.0.1", { onInvite: (invite) => invite.reject(486) });
  alice.agent.invite(
    { requestUri: "sip:bob@10.0.0.2", from: "sip:alice@a.example", to: "sip:bob@b.example", body: SDP },
    {
      onAnswered: (dialog) => {
        answered.push(dialog);
        dialog.attach({ onReinvite, onEnded });
        return undefined;
      },
      onFailed: (failure) => failures.push(failure),
    },
  );
  await world.clock.advanceUntil(() => answered.length + failures.length > 0, 40_000);
  const caller = answered[0];
  if (caller !== undefined && callee !== undefined) {
    const modified = Promise.all([caller.reinvite({ body: SDP }), callee.reinvite({ body: SDP })]);
    let isModified = false;
    void modified.then(() => {
      isModified = true;
    });
    await world.clock.advanceUntil(() => isModified, 120_000);
    assert.ok(isModified, `seed ${seed}: re-INVITEs hang`);
    void (hangUpBy === "caller" ? caller : callee).bye();
  }
  await world.clock.advance(120_000);
  return { world, alice, bob, answered, failures, ends, ...counts };
}

for (const hangUpBy of ["caller", "callee"] as const) {
  test(`calls over UDP that loses one datagram in ten end clean when the ${hangUpBy} hangs up`, async () => {
    let completed = 0;
    let glares = 0;
    for (let seed = 1; seed <= SEEDS; seed++) {
      const outcome = await callOver(seed, hangUpBy);
      const { world, alice, bob, answered, failures, ends, invites } = outcome;
      const story = (): string =>
        `seed ${seed}\n${[...world.wire, ...alice.log.lines, ...bob.log.lines].join("\n")}`;
      assert.equal(answered.length + failures.length, 1, story());
      assert.equal(invites, 1, story());
      assert.equal(alice.agent.liveDialogs + bob.agent.liveDialogs, 0, story());
      assert.equal(alice.agent.liveTransactions + bob.agent.liveTransactions, 0, story());
      assert.equal(world.clock.pendingTimers, 0, story());
      assert.equal(ends.length, 2 * answered.length, story());
      if (answered.length === 0) continue;
      completed += 1;
      assert.equal(outcome.reinvites, 2, story());
      // The INVITE's ACK, and the re-INVITE's unless BYE overtook it.
      assert.ok(outcome.acknowledged === 1 || outcome.acknowledged === 2, story());
      if (world.wire.some((line) => line.includes("491"))) glares += 1;
    }
    assert.ok(glares > SEEDS / 10, `${glares} glares`);
    assert.ok(completed >= SEEDS - 3, `${completed} of ${SEEDS} calls were set up`);
  });
}
