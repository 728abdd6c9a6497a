import assert from "node:assert/strict";
import { test } from "node:test";
import { converse } from "../interop/support/conversation.ts";
import { Customer } from "../interop/support/customer.ts";
import { Owned } from "../interop/support/owned.ts";
import type { RecordingJson } from "../interop/support/recordings.ts";
import { TestServer } from "../interop/support/server.ts";
import { assertIsVoice, wavSamples } from "../interop/support/voices.ts";
import { until } from "../interop/support/waiting.ts";

interface SiprecJson {
  readonly sid: string;
  readonly status: string;
  readonly recorder: string | null;
  readonly attempts: readonly { readonly recorder: string; readonly result: string }[];
  readonly pauses: readonly { readonly duration_ms: number | null }[];
  readonly gaps: readonly {
    readonly duration_ms: number;
    readonly packets: number;
    readonly reason: string;
  }[];
  readonly tracks: readonly { readonly label: string; readonly packets: number }[];
}

test("kill -9 of a recorder in mid-sentence: the next one has the rest, and the fork says what is missing; then a pause by REST", async (t) => {
  const own = new Owned();
  t.after(() => own.release());
  const customer = await Customer.open(own);
  const [platform, first, second] = await Promise.all([
    TestServer.start(own),
    TestServer.start(own, { command: "record" }),
    TestServer.start(own, { command: "record" }),
  ]);
  await platform.connector("pair", first.recorderUri, second.recorderUri);
  const { callSid, alice } = await converse(own, platform);
  const client = platform.twilio();
  const fork = await client
    .calls(callSid)
    .siprec.create({ connectorName: "pair", name: "held", statusCallback: customer.url("/fork") });
  const path = `/2010-04-01/Accounts/${platform.accountSid}/Calls/${callSid}/Siprec/${fork.sid}.json`;
  const state = () => platform.get<SiprecJson>(path);
  await customer.called("/fork", { SiprecEvent: "siprec-started" });
  await until("two seconds sent", async () => (await state()).tracks.every(({ packets }) => packets > 100));

  first.child.signal("SIGKILL");
  await first.child.ended;
  const recovered = await customer.called("/fork", { SiprecEvent: "siprec-recovered" });
  const after = await state();
  assert.deepEqual([after.sid, after.status, after.recorder], [fork.sid, "in-progress", second.recorderUri]);
  assert.deepEqual(
    after.attempts.map(({ recorder, result }) => [recorder, result]),
    [
      [first.recorderUri, "answered"],
      [second.recorderUri, "answered"],
    ],
  );
  const [gap] = after.gaps;
  assert.equal(recovered.parameters.SiprecGapPackets, String(gap!.packets));
  assert.equal(recovered.parameters.SiprecGapMs, String(gap!.duration_ms));
  // Packets of both tracks, 20 ms each; the last before the news may have waited for each other.
  assert.ok(Math.abs(gap!.packets / 2 - gap!.duration_ms / 20) <= 10, JSON.stringify(gap));

  const live = async () =>
    (await second.get<{ recordings: RecordingJson[] }>("/v1/Recordings")).recordings.at(0);
  await until("two more seconds", async () =>
    ((await live())?.tracks ?? []).some(({ packets }) => packets > 100),
  );
  // The status is ours: the client's types know `stopped` only.
  const change = (Status: string) => platform.post<SiprecJson>(path, { Status });
  assert.equal((await change("paused")).status, "paused");
  await customer.called("/fork", { SiprecEvent: "siprec-paused" });
  const paused = await state();
  const heard = alice.heard().packets;
  await until("a second of talk", () => alice.heard().packets > heard + 50);
  const packetsOf = ({ tracks }: SiprecJson) => tracks.map(({ packets }) => packets);
  assert.deepEqual(packetsOf(await state()), packetsOf(paused));
  assert.equal((await change("in-progress")).status, "in-progress");
  await customer.called("/fork", { SiprecEvent: "siprec-resumed" });
  await until(
    "more after it",
    async () => (await state()).tracks[0]!.packets > paused.tracks[0]!.packets + 50,
  );
  assert.equal((await client.calls(callSid).siprec("held").update({ status: "stopped" })).status, "stopped");
  await customer.called("/fork", { SiprecEvent: "siprec-stopped" });
  assert.ok((await state()).pauses[0]!.duration_ms! >= 900);

  const done = await until("the recording", async () => {
    const recording = await live();
    return recording?.status === "completed" ? recording : undefined;
  });
  assert.deepEqual(
    done.warnings.filter(({ code }) => code.startsWith("METADATA")),
    [],
  );
  for (const [label, voice] of [
    ["inbound", "alice"],
    ["outbound", "bob"],
  ] as const) {
    const { samples } = wavSamples(await second.bytes(`/v1/Recordings/${done.sid}/Tracks/${label}.wav`));
    assertIsVoice(samples.subarray(0, 8_000), voice, label);
  }
});
