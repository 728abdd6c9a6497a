import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "@callfork/testkit";
import { SDP, World } from "./pair.ts";
import { RawPeer } from "./raw-peer.ts";

/** Changes, drops, doubles or swaps a few octets or lines. */
function mutate(text: string, random: SeededRandom): string {
  const pick = (below: number): number => Math.floor(random.next() * below);
  let lines = text.split("\r\n");
  for (let changes = 1 + pick(3); changes > 0; changes--) {
    const at = pick(lines.length);
    const line = lines[at] ?? "";
    const cut = pick(line.length + 1);
    switch (pick(6)) {
      case 0:
        lines = lines.toSpliced(at, 1);
        break;
      case 1:
        lines = lines.toSpliced(at, 0, line);
        break;
      case 2:
        lines = lines.with(at, line.slice(0, cut));
        break;
      case 3:
        lines = lines.with(at, line.slice(0, cut) + String.fromCharCode(pick(256)) + line.slice(cut + 1));
        break;
      case 4:
        lines = lines.with(at, line.replace(/\d+/, String(random.next() * 1e12)));
        break;
      default:
        lines = lines.with(at, line.replace(/=.*/, ""));
    }
    if (lines.length === 0) return "";
  }
  return lines.join("\r\n");
}

test("whatever a peer sends in and around a call, nothing throws, nothing hangs and nothing stays", async () => {
  const random = new SeededRandom(2026);
  for (let round = 0; round < 150; round++) {
    const world = new World({ seed: round });
    const platform = world.party("10.0.0.1", {
      onInvite(invite) {
        invite.attach({ onCanceled: () => {} });
        invite.provisional(180);
        const dialog = invite.answer({ body: SDP });
        dialog.attach({ onReinvite: () => ({ status: 200, body: SDP }), onEnded: () => {} });
        world.clock.setTimer(2_000, () => void dialog.reinvite({ body: SDP }));
        world.clock.setTimer(200_000, () => void dialog.bye());
      },
    });
    const peer = new RawPeer(world, "10.0.0.2");
    peer.sendsRubbish = true;
    peer.onRequest = (request, flow) => {
      if (request.method !== "ACK" && random.next() < 0.7)
        peer.respond({ request, flow }, 180 + Math.floor(random.next() * 450));
    };
    peer.send(mutate(peer.text({ method: "INVITE" }), random));
    peer.send({ method: "INVITE", branch: `z9hG4bKr${round}` });
    await world.clock.advance(100);
    const toTag = peer.platformTag;
    for (const method of ["ACK", "INVITE", "UPDATE", "INFO", "CANCEL", "OPTIONS", "BYE"]) {
      const cseq = 1 + Math.floor(random.next() * 5);
      peer.send(mutate(peer.text({ method, cseq, toTag, branch: `z9hG4bK${method}${round}` }), random));
      await world.clock.advance(Math.floor(random.next() * 1_000));
    }
    platform.agent.invite(
      { requestUri: "sip:raw@10.0.0.2", from: "sip:a@b", to: "sip:c@d", timeoutMs: 10_000 },
      { onAnswered: (dialog) => void dialog.bye(), onFailed: () => {} },
    );
    await world.clock.advance(400_000);
    const story = (): string => [`round ${round}`, ...world.wire, ...platform.log.lines].join("\n");
    assert.deepEqual([platform.agent.liveDialogs, platform.agent.liveTransactions], [0, 0], story());
    assert.equal(platform.log.lines.filter((line) => line.startsWith("error")).length, 0, story());
    assert.equal(world.clock.pendingTimers, 0, story());
  }
});
