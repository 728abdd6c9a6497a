import assert from "node:assert/strict";
import { test } from "node:test";
import { fakeApi, OTHER_ACCOUNT_SID } from "../testing/fakes.ts";

test("a whole call is the same whichever of its recordings is asked for; its audio is noted on each of them", async () => {
  const { ask, recordings } = await fakeApi();
  const head = recordings.add();
  const part = recordings.add({
    partOf: head.sid,
    startTime: head.startTime + 60_000,
    endTime: head.startTime + 90_000,
    participants: [{ participantId: "p2", aor: "sip:bob@example.com", name: null }],
  });
  const answer = await ask("GET", `/v1/Recordings/${part.sid}/Whole.json`);
  assert.equal(answer.status, 200);
  const whole = answer.json();
  assert.equal(whole.sid, head.sid);
  assert.deepEqual(whole, (await ask("GET", `/v1/Recordings/${head.sid}/Whole.json`)).json());
  assert.deepEqual(
    (whole.recordings as { sid: string }[]).map(({ sid }) => sid),
    [head.sid, part.sid],
  );
  assert.deepEqual(
    (whole.tracks as { recording_sid: string; channel: number; start_offset_ms: number }[]).map((track) => [
      track.recording_sid,
      track.channel,
      track.start_offset_ms,
    ]),
    [
      [head.sid, 0, 12],
      [part.sid, 0, 60_012],
    ],
  );
  assert.deepEqual(
    (whole.timeline as { aor: string; from: string; until: string }[]).map(({ aor, from, until }) => [
      aor,
      from,
      until,
    ]),
    [
      ["sip:alice@example.com", "2026-01-02T03:04:05.678Z", "2026-01-02T03:05:05Z"],
      ["sip:bob@example.com", "2026-01-02T03:05:05.678Z", "2026-01-02T03:05:35.678Z"],
    ],
  );
  assert.equal((await ask("GET", `/v1/Recordings/${part.sid}`)).json().part_of, head.sid);
  assert.equal((await ask("GET", `/v1/Recordings/${head.sid}`)).json().part_of, null);
  const audio = await ask("GET", `/v1/Recordings/${part.sid}/Whole.wav?Mix=mono`);
  assert.equal(audio.text, recordings.audio.toString());
  assert.equal((await ask("GET", `/v1/Recordings/${part.sid}/Whole.wav?Mix=5.1`)).json().code, 20422);
});

test("of another account's recording there is no whole", async () => {
  const { ask, recordings } = await fakeApi();
  const { sid } = recordings.add({ accountSid: OTHER_ACCOUNT_SID });
  for (const path of ["Whole.json", "Whole.wav"])
    assert.equal((await ask("GET", `/v1/Recordings/${sid}/${path}`)).json().code, 20404);
});
