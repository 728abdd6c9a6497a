import assert from "node:assert/strict";
import { test } from "node:test";
import { converse } from "../interop/support/conversation.ts";
import { Customer } from "../interop/support/customer.ts";
import { Owned } from "../interop/support/owned.ts";
import type { RecordingJson } from "../interop/support/recordings.ts";
import { TestServer } from "../interop/support/server.ts";
import { assertIsVoice, wavSamples } from "../interop/support/voices.ts";
import { until } from "../interop/support/waiting.ts";

test("kill -9 in the middle of a fork: the next start tells what is owed, closes the rows, and the recording plays", async (t) => {
  const own = new Owned();
  t.after(() => own.release());
  const customer = await Customer.open(own);
  const server = await TestServer.start(own);
  await server.connector("own", server.recorderUri);
  const statusCallbackEvent = ["initiated", "answered", "completed"];
  const { callSid } = await converse(own, server, {
    more: { statusCallback: customer.url("/call"), statusCallbackEvent },
  });
  const fork = await server
    .twilio()
    .calls(callSid)
    .siprec.create({ connectorName: "own", name: "cut off", statusCallback: customer.url("/fork") });
  await customer.called("/fork", { SiprecEvent: "siprec-started" });
  const live = await until("three seconds on disk", async () => {
    const { recordings } = await server.get<{ recordings: RecordingJson[] }>("/v1/Recordings");
    return recordings.find(
      ({ tracks }) => tracks.length === 2 && tracks.every(({ packets }) => packets >= 150),
    );
  });
  server.child.signal("SIGKILL");
  await server.child.ended;
  assert.equal(customer.at("/fork").length, 1);

  const again = await TestServer.start(own, { dataDir: server.dataDir });
  const stopped = await customer.called("/fork", { SiprecSid: fork.sid, SiprecEvent: "siprec-stopped" });
  assert.equal(stopped.signed, true);
  assert.equal(stopped.parameters.SiprecName, "cut off");
  const ended = await customer.called("/call", { CallSid: callSid, CallStatus: "failed" });
  assert.equal(ended.signed, true);
  assert.equal(ended.parameters.SequenceNumber, "2");
  const client = again.twilio();
  const call = await client.calls(callSid).fetch();
  assert.equal(call.status, "failed");
  assert.ok(call.endTime instanceof Date);
  const children = await client.calls.list({ parentCallSid: callSid });
  assert.deepEqual(
    children.map(({ status }) => status),
    ["failed"],
  );
  const session = await again.get<{ status: string }>(
    `/2010-04-01/Accounts/${again.accountSid}/Calls/${callSid}/Siprec/${fork.sid}.json`,
  );
  assert.equal(session.status, "stopped");

  const recording = await again.get<RecordingJson>(`/v1/Recordings/${live.sid}`);
  assert.equal(recording.status, "interrupted");
  for (const [label, voice] of [
    ["inbound", "alice"],
    ["outbound", "bob"],
  ] as const) {
    const { samples } = wavSamples(await again.bytes(`/v1/Recordings/${live.sid}/Tracks/${label}.wav`));
    // What was counted as received was so at most a second before it was written.
    assert.ok(samples.length >= 100 * 160, `${label}: ${samples.length} samples`);
    assertIsVoice(samples, voice, label);
  }
  const media = wavSamples(await again.bytes(`/v1/Recordings/${live.sid}/Media.wav`));
  assert.equal(media.channels, 2);
  assert.ok(media.samples.length >= 2 * 100 * 160);

  // Nothing is told twice.
  assert.equal(customer.at("/fork").length, 2);
  assert.equal(customer.at("/call").length, 3);
});
