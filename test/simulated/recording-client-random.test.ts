import assert from "node:assert/strict";
import { test } from "node:test";
import { applyMetadata, EMPTY_METADATA_STATE, type MetadataState } from "@callfork/protocol/siprec";
import { SeededRandom } from "@callfork/testkit";
import { present } from "../../packages/server/src/recording-client/testing/present.ts";
import { PCMA, PCMU, RECORDER, type Recorder, RecordingWorld } from "./recording-world.ts";

const RECORDERS = [RECORDER, "10.0.0.10"] as const;
const DIRECTIONS = ["sendrecv", "recvonly", "sendonly", "inactive"] as const;

/** A recorder that refuses what it is told to, and forgets the documents of what it refused. */
function moody(recorder: Recorder): { refuse: number[] } {
  const mood = { refuse: [] as number[] };
  const { reoffered } = recorder;
  recorder.reoffered = (body) => {
    const status = mood.refuse.shift();
    if (status === undefined) return reoffered(body);
    if (body.some(({ mediaType }) => mediaType === "application/rs-metadata+xml")) recorder.documents.pop();
    return { status };
  };
  const { answering } = recorder;
  recorder.answering = (invite, self) => {
    recorder.documents.splice(0, recorder.documents.length - 1); // a new recording session knows nothing
    answering(invite, self);
  };
  return mood;
}

const modelOf = (w: RecordingWorld, recorder: Recorder): MetadataState =>
  recorder.documents.reduce(
    (state, document) => applyMetadata(state, document, w.world.clock.wallNow()).state,
    EMPTY_METADATA_STATE,
  );

const sent = (w: RecordingWorld) => w.media.forks.reduce((sum, fork) => sum + fork.sent, 0);

test("whatever happens in whatever order: nothing leaves while paused, no two recorders at once, what was told adds up to what is, and nothing is left", async () => {
  for (let seed = 1; seed <= 60; seed++) {
    const dice = new SeededRandom(seed);
    const roll = (sides: number) => dice.bytes(1)[0]! % sides;
    const w = new RecordingWorld({ seed });
    w.connector({ sipUris: RECORDERS.map((host) => `sip:srs@${host}`) });
    const recorders = RECORDERS.map((host) => w.recorder(host));
    const moods = recorders.map(moody);
    await w.start({ name: "n" });
    const story: string[] = [];
    let pausedAt: number | undefined;
    const check = () => {
      const why = `seed ${seed}: ${story.join(", ")}\n${w.story}`;
      if (pausedAt !== undefined) assert.equal(sent(w), pausedAt, why);
      return why;
    };
    /** The recorder that has the session, as far as it knows. */
    const holder = () => recorders.find((each) => each.dialog !== undefined && each.end === undefined);
    const acts: (() => Promise<unknown> | unknown)[] = [
      async () => {
        await w.client.pause(w.call.callSid, "n");
        pausedAt ??= sent(w);
      },
      async () => {
        pausedAt = undefined;
        await w.client.resume(w.call.callSid, "n");
      },
      () => {
        w.call.way = DIRECTIONS[roll(4)]!;
        w.call.change();
      },
      () => {
        w.call.other = { aor: `sip:${"abc"[roll(3)]}@example.com`, displayName: roll(2) ? "Somebody" : null };
        w.call.change();
      },
      () => {
        w.call.list = [roll(2) ? PCMA : PCMU];
        w.call.change();
      },
      () => void holder()?.dialog?.bye(),
      () => {
        const direction = roll(2) ? "inactive" : "recvonly";
        const recorder = holder();
        if (recorder === undefined) return;
        const formats = roll(4) === 0 ? ["0"] : ["0", "8"];
        const body = recorder.description([
          { port: 30_000, direction, formats },
          { port: 30_002, direction, formats },
        ]);
        void (roll(2) ? recorder.dialog!.reinvite({ body }) : recorder.dialog!.update({ body }));
      },
      () => void holder()?.askForSnapshot(),
      () => {
        for (const { refuse } of moods) refuse.push([488, 491, 500, 405][roll(4)]!);
      },
    ];
    for (let step = 0; step < 25 && w.client.liveCount > 0; step++) {
      const act = roll(acts.length);
      story.push(`${w.world.clock.now()} act ${act}`);
      await acts[act]!();
      for (let ms = roll(8) * 60; ms >= 0; ms -= 20) {
        w.media.packet();
        check();
        await w.advance(20);
        check();
      }
      const busy = recorders.filter((each) => each.dialog !== undefined && each.end === undefined);
      assert.ok(busy.length <= 1, check());
    }
    for (const { refuse } of moods) refuse.splice(0);
    // Quiet: everything has been told, or is told with the next change.
    if (w.client.liveCount > 0) {
      await w.advance(20_000);
      w.call.other = { aor: "sip:last@example.com", displayName: null };
      w.call.change();
      await w.advance(10_000);
    }
    const recorder = holder();
    if (recorder !== undefined) {
      const told = present(modelOf(w, recorder));
      void recorder.askForSnapshot();
      await w.advance(10_000);
      assert.equal(recorder.documents.at(-1)!.dataMode, "complete", check());
      recorder.documents.splice(0, recorder.documents.length - 1);
      assert.deepEqual(present(modelOf(w, recorder)), told, check());
      if (pausedAt === undefined) {
        const before = sent(w);
        w.media.packet();
        assert.equal(sent(w), before + 2, check());
      }
    }
    w.call.end();
    await w.advance(60_000);
    assert.deepEqual(
      [w.client.liveCount, w.media.openCount, w.platform.agent.liveDialogs, w.call.listeners],
      [0, 0, 0, 0],
      check(),
    );
    assert.equal(w.row.status, "stopped");
    assert.ok(w.row.detail.pauses.every(({ until }) => until !== null));
    assert.ok(w.row.detail.gaps.every(({ until }) => until !== null));
  }
});
