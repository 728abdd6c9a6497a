import assert from "node:assert/strict";
import { test } from "node:test";
import { boundSocket, RealRecorder, rtpPacket, speechAt } from "./testing/real-recorder.ts";

test("whoever speaks as soon as the 200 is there is recorded from the first packet on", async (t) => {
  const real = await RealRecorder.start(t, { first: 14_600, last: 14_799 });
  for (let round = 0; round < 10; round++) {
    const socket = await boundSocket(t);
    const live = await real.record([socket]);
    for (let index = 0; index < 3; index++)
      socket.send(rtpPacket(index, speechAt(index, 1)), live.ports[0]!, "127.0.0.1");
    await real.heard(live.sid, [3]);
    const [track] = (await real.hangUp(live)).tracks;
    assert.deepEqual([track?.packets, track?.lost, track?.durationMs], [3, 0, 60], `round ${round}`);
  }
});
