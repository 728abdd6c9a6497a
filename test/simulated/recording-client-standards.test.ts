import assert from "node:assert/strict";
import { test } from "node:test";
import { codecsOf } from "@callfork/protocol/sdp";
import { writeSnapshotRequest } from "@callfork/protocol/siprec";
import { RECORDER, RecordingWorld } from "./recording-world.ts";

const SECOND = "10.0.0.10";
const SIXTH = "2001:db8::9";

test("[R7866-12-3] a call under SRTP and a recorder in the clear: an alert, or that recorder is not called, as the node is told", async () => {
  const warned = new RecordingWorld();
  warned.recorder();
  warned.call.suite = "AES_CM_128_HMAC_SHA1_80";
  await warned.start();
  await warned.advance(300);
  assert.notEqual(warned.row.startTime, null, warned.story);
  assert.deepEqual(
    warned.alerts.map(({ errorCode, level }) => [errorCode, level]),
    [[32207, "warning"]],
  );

  const w = new RecordingWorld({ client: { unsecuredCopies: "refuse" } });
  w.connector({ sipUris: [`sip:srs@${RECORDER}`, `sip:srs@${SECOND}`] });
  const recorders = [w.recorder(), w.recorder(SECOND)];
  w.call.suite = "AES_CM_128_HMAC_SHA1_80";
  await w.start();
  await w.advance(1_000);
  assert.equal(w.row.errorCode, 32207);
  assert.equal(w.row.status, "stopped");
  assert.ok(recorders.every(({ invites }) => invites.length === 0));
  assert.equal(w.media.openCount, 0);
  w.call.suite = undefined;
  await w.start({ name: "in the clear" });
  await w.advance(300);
  assert.equal(recorders[0]!.invites.length, 1);
});

test("[R7866-9.2-9] a snapshot request outside a recording session gets 481", async () => {
  const w = new RecordingWorld();
  const recorder = w.recorder();
  const response = recorder.party.agent.request("UPDATE", {
    requestUri: "sip:SRC@192.0.2.1",
    from: `<sip:srs@${RECORDER}>`,
    to: "<sip:SRC@192.0.2.1>;tag=gone",
    body: {
      contentType: "application/rs-metadata+xml",
      bytes: new TextEncoder().encode(writeSnapshotRequest({})),
      disposition: "recording-session",
    },
  });
  await w.advance(1_000);
  assert.equal((await response).status, 481);
});

test("[R3261-14.2-2] [R4028-7.4-2] a re-INVITE with the description that is known already is a refresh: our answer has no new version, and nothing moves", async () => {
  const w = new RecordingWorld();
  const recorder = w.recorder();
  await w.start();
  await w.advance(300);
  const connected = () => w.media.forks.map(({ connections }) => connections.length);
  const before = connected();
  const versions: string[] = [];
  for (let time = 0; time < 2; time++) {
    const body = recorder.answerTo(recorder.offers[0]!, (line) =>
      line.replace(/^o=.*/, "o=- 5 2 IN IP4 10.0.0.9"),
    );
    const answered = recorder.dialog!.reinvite({ body });
    await w.advance(300);
    const response = await answered;
    assert.equal(response.status, 200);
    versions.push(/^o=.*$/m.exec(new TextDecoder().decode(response.body))![0]);
  }
  assert.equal(versions[1], versions[0]);
  assert.deepEqual(connected(), before);
});

test("[R5118-2] a recorder on IPv6: addresses without brackets in its description, with them in URIs; packets go there", async () => {
  const w = new RecordingWorld();
  w.connector({ sipUris: [`sip:srs@[${SIXTH}]`] });
  const recorder = w.recorder(SIXTH);
  recorder.answering = (invite) => recorder.accept(invite, (line) => line.replace(/IN IP4/, "IN IP6"));
  await w.start();
  await w.advance(300);
  assert.equal(w.row.recorderUri, `sip:srs@[${SIXTH}]`, w.story);
  assert.equal(w.media.forks[0]!.options.remoteAddress, SIXTH);
  assert.equal(w.media.flows("inbound")?.remote.address, SIXTH);
});

test("[R3311-4-1] [R3840-9-1] [R7989-1] what the INVITE says of itself: UPDATE allowed, the feature tag once, no Session-ID of the call", async () => {
  const w = new RecordingWorld();
  const recorder = w.recorder();
  await w.start();
  await w.advance(300);
  const { headers } = recorder.invites[0]!.request;
  assert.ok(headers.list("Allow").includes("UPDATE"));
  assert.equal(headers.list("Contact").length, 1);
  assert.equal(headers.get("Contact")!.split("+sip.src").length, 2);
  assert.equal(headers.get("Session-ID"), undefined);
  assert.deepEqual(recorder.documents[0]!.sessions[0]!.sipSessionIds, [w.call.session]);
});

test("[R7865-6.3-3] why the call has ended goes into the last document, as its Reason header fields say; what is no reason does not", async () => {
  const w = new RecordingWorld();
  const recorder = w.recorder();
  await w.start();
  await w.advance(300);
  w.call.reasonLines = [
    'Q.850;cause=16;text="Normal & clear"',
    "SIP ;cause=200",
    "rubbish;;",
    "SIP;cause=99999",
  ];
  w.call.end();
  await w.advance(300);
  const last = recorder.documents.at(-1)!;
  assert.deepEqual(last.sessions[0]!.reasons, [
    { protocol: "Q.850", cause: 16, text: "Normal & clear" },
    { protocol: "SIP", cause: 200, text: "" },
  ]);

  const stopped = new RecordingWorld();
  const other = stopped.recorder();
  const { sid } = await stopped.start();
  await stopped.advance(300);
  await stopped.client.stop(stopped.call.callSid, sid);
  await stopped.advance(300);
  assert.deepEqual(other.documents.at(-1)!.sessions, []);
});

test("[R3264-8.3.2-1] a number that was one codec's stays that codec's, whatever the call's leg uses it for now", async () => {
  const w = new RecordingWorld();
  const recorder = w.recorder();
  const opus = { name: "opus", clockRateHz: 48_000, payloadType: 111 };
  w.call.list = [opus];
  await w.start();
  await w.advance(300);
  w.call.list = [{ name: "SPEEX", clockRateHz: 16_000, payloadType: 111 }];
  w.call.change();
  await w.advance(300);
  w.call.list = [{ ...opus, payloadType: 96 }];
  w.call.change();
  await w.advance(300);
  const names = new Map<number, string>();
  assert.ok(recorder.offers.length >= 3, w.story);
  for (const offer of recorder.offers) {
    for (const { payloadType, name } of codecsOf(offer.media[0]!)) {
      if (payloadType < 96) continue;
      assert.equal(names.get(payloadType) ?? name, name, `${payloadType}`);
      names.set(payloadType, name);
    }
  }
  assert.ok([...names.values()].includes("SPEEX"));
});
