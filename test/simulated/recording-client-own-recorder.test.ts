import assert from "node:assert/strict";
import { test } from "node:test";
import { RecorderWorld } from "./recorder-world.ts";
import { PCMA, RecordingWorld } from "./recording-world.ts";

test("a whole call at our own recorder: hold, transfer, another codec, pause and the end leave no warning and a true history", async (t) => {
  const w = new RecordingWorld();
  const recorder = new RecorderWorld({ allowedAddresses: ["192.0.2.0/24"] }, w.world);
  t.after(() => recorder.stop());
  await recorder.recorder.start();
  w.connector({ sipUris: ["sip:recorder@10.0.0.2;transport=tcp"] });
  await w.start({ name: "n" });
  await recorder.until(() => w.row.startTime !== null, "the start");
  const versions = (count: number) =>
    recorder.until(() => recorder.store.versions.length === count, `document ${count}`);
  await versions(1);

  w.call.way = "recvonly";
  w.call.change();
  await versions(2);
  w.call.way = "sendrecv";
  w.call.other = { aor: "sip:carol@example.com", displayName: "Carol" };
  w.call.change();
  await versions(3);
  w.call.list = [PCMA];
  w.call.change();
  await versions(4);
  await recorder.settle(w.client.pause(w.call.callSid, "n"));
  await versions(5);
  await recorder.settle(w.client.resume(w.call.callSid, "n"));
  await versions(6);
  w.call.end();
  await recorder.until(() => recorder.ended.length === 1, "the end");

  assert.deepEqual(
    recorder.store.versions.map(({ carrier }) => carrier),
    ["INVITE", "UPDATE", "UPDATE", "UPDATE", "UPDATE", "UPDATE", "BYE"],
    w.story,
  );
  const [recording] = recorder.ended;
  const isAboutMedia = (code: string) => /TRACK|MEDIA|AUDIO|SILENT|RTP/.test(code);
  assert.deepEqual(
    recording!.warnings.filter(({ code }) => !isAboutMedia(code)),
    [],
  );
  assert.deepEqual(
    recording!.participants.map(({ name }) => name),
    ["Alice", "Bob <B> & Sons", "Carol"],
  );
  assert.equal(recording!.sessions.length, 1);
  assert.deepEqual(w.alerts, []);
});
