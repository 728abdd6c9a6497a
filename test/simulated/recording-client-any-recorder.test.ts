import assert from "node:assert/strict";
import { test } from "node:test";
import type { SipBody, SipDialog } from "@callfork/server/signalling";
import fc from "fast-check";
import { type Recorder, RecordingWorld } from "./recording-world.ts";

/** Lines that a description may gain, and what its own may become. */
const arbEdit = fc.record({
  index: fc.nat(14),
  line: fc.oneof(
    fc.constantFrom(
      "m=audio 0 RTP/AVP 0",
      "m=audio 40000 RTP/AVP 8",
      "m=audio 40000 RTP/SAVP 0",
      "m=video 40000 RTP/AVP 96",
      "m=audio 99999 RTP/AVP 0",
      "c=IN IP4 0.0.0.0",
      "c=IN IP6 2001:db8::9",
      "c=IN IP4 media.example.com",
      "a=inactive",
      "a=sendrecv",
      "a=rtpmap:0 PCMA/8000",
      "a=label:inbound",
      "t=",
      "",
    ),
    fc.string({ maxLength: 40 }),
  ),
});

const arbBody = (recorder: () => Recorder) =>
  fc
    .record({
      ports: fc.array(fc.constantFrom(0, 30_000, 31_000, 65_535), { maxLength: 4 }),
      direction: fc.constantFrom("recvonly", "inactive", "sendrecv", "sendonly"),
      edits: fc.array(arbEdit, { maxLength: 3 }),
      type: fc.constantFrom(
        "application/sdp",
        "application/sdp",
        "application/sdp",
        "application/rs-metadata+xml",
        "multipart/mixed;boundary=b",
        "text/plain",
      ),
    })
    .map(({ ports, direction, edits, type }) => (): SipBody => {
      const { bytes } = recorder().description(
        ports.map((port) => ({ port, direction })),
        (line, index) => edits.find((edit) => edit.index === index)?.line ?? line,
      );
      return { contentType: type, bytes };
    });

type Step = (dialog: SipDialog) => Promise<unknown>;

test("whatever a recorder answers and asks, nothing is thrown, the call goes on, and the row ends stopped", async () => {
  let recorder: Recorder | undefined;
  const arbStep: fc.Arbitrary<Step> = arbBody(() => recorder!).chain((body) =>
    fc.constantFrom<Step>(
      (dialog) => dialog.reinvite({ body: body() }),
      (dialog) => dialog.reinvite({ onAnswered: () => body() }),
      (dialog) => dialog.update({ body: body() }),
      (dialog) => dialog.update({}),
      (dialog) => dialog.request("INFO", { body: body() }),
      (dialog) => dialog.bye({ body: body() }),
    ),
  );
  const arbScript = fc.record({
    seed: fc.nat(1000),
    provisional: fc.option(fc.integer({ min: 101, max: 199 })),
    answer: fc.oneof(
      fc.record({ status: fc.integer({ min: 300, max: 699 }) }),
      fc.record({ body: arbBody(() => recorder!) }),
      { weight: 3, arbitrary: fc.constant("honest" as const) },
      fc.constant("silent" as const),
    ),
    reoffered: fc.oneof(
      fc.record({ status: fc.integer({ min: 200, max: 699 }) }),
      arbBody(() => recorder!),
    ),
    steps: fc.array(arbStep, { maxLength: 4 }),
    callChanges: fc.boolean(),
  });

  await fc.assert(
    fc.asyncProperty(arbScript, async (script) => {
      const w = new RecordingWorld({ seed: script.seed });
      const peer = w.recorder();
      recorder = peer;
      peer.answering = (invite) => {
        if (script.provisional !== null) invite.provisional(script.provisional);
        const { answer } = script;
        if (answer === "honest") peer.accept(invite);
        else if (answer === "silent") return;
        else if ("status" in answer) invite.reject(answer.status);
        else peer.attach(invite.answer({ body: answer.body() }));
      };
      peer.reoffered = () =>
        typeof script.reoffered === "function" ? { status: 200, body: script.reoffered() } : script.reoffered;
      await w.start({ name: "n" });
      await w.advance(300);
      for (const step of script.steps) {
        if (!peer.dialog) break;
        void step(peer.dialog).catch(() => {});
        if (script.callChanges) {
          w.call.other = { aor: `sip:${w.world.clock.now()}@example.com`, displayName: null };
          w.call.change();
        }
        await w.advance(700);
      }
      await w.advance(12_000);
      assert.equal(w.call.ended, false);
      w.call.end();
      await w.advance(70_000);
      assert.equal(w.row.status, "stopped", w.story);
      assert.equal(w.store.events.at(-1) === "siprec-stopped" || w.row.errorCode !== null, true, w.story);
      assert.deepEqual([w.client.liveCount, w.media.openCount, w.call.listeners], [0, 0, 0], w.story);
      const errors = [...w.log.lines, ...w.platform.log.lines].filter((line) => line.startsWith("error"));
      assert.deepEqual(errors, [], w.story);
      assert.ok(w.alerts.length < 30);
    }),
    { numRuns: 150 },
  );
});
