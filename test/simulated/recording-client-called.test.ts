import assert from "node:assert/strict";
import { test } from "node:test";
import { directionOf, labelOf } from "@callfork/protocol/sdp";
import { createAuthenticator } from "@callfork/server/signalling";
import { SeededRandom } from "@callfork/testkit";
import {
  type ConnectorRecord,
  DEFAULT_CONNECTOR_SETTINGS,
} from "../../packages/server/src/recording-client/index.ts";
import { CALL, RECORDER, RecordingWorld, sdpIn } from "./recording-world.ts";

const SECOND = "10.0.0.10";
const TARGET = `sip:${CALL}@192.0.2.1`;

function callableWorld(
  change: Partial<ConnectorRecord> = {},
  options: ConstructorParameters<typeof RecordingWorld>[0] = {},
) {
  const w = new RecordingWorld(options);
  w.connector({ settings: { ...DEFAULT_CONNECTOR_SETTINGS, recorderStarts: true }, ...change });
  return w;
}

test("[R7866-6.1.1-3] [R7866-7.2-6] [R5621-X-2] a recorder calls for a call: 200 with offer and complete document, its ACK has the answer, and packets flow", async () => {
  const w = callableWorld();
  const recorder = w.recorder();
  recorder.call(TARGET);
  await w.advance(300);
  const [response] = recorder.responses;
  assert.ok(response, w.story);
  assert.match(response.headers.get("Contact") ?? "", /^<sip:[^>]*>;\+sip\.src$/);
  assert.match(response.headers.get("Content-Type") ?? "", /^multipart\/mixed;/);
  const [offer] = recorder.offers;
  assert.deepEqual(
    offer!.media.map((media) => [labelOf(media), directionOf(offer!, media)]),
    [
      ["inbound", "sendonly"],
      ["outbound", "sendonly"],
    ],
  );
  const [document] = recorder.documents;
  assert.equal(document!.dataMode, "complete");
  assert.deepEqual(
    document!.streams.map(({ label }) => label),
    ["inbound", "outbound"],
  );
  assert.equal(w.media.flows("inbound")?.remote.address, RECORDER);
  assert.equal(w.row.status, "in-progress");
  assert.equal(w.row.detail.startedBy, "recorder");
  assert.equal(w.row.recorderUri, `sip:srs@${RECORDER}:5060`);
  assert.equal(w.row.connectorName, "recorder");
  assert.deepEqual(w.call.indicated.slice(0, 1), ["on"]);

  // It is a session like any other: told of changes, paused, asked for snapshots; its end by the recorder is no loss.
  w.call.other = { aor: "sip:carol@example.com", displayName: "Carol" };
  w.call.change();
  await w.advance(300);
  assert.equal(recorder.documents.at(-1)!.dataMode, "partial");
  await w.client.pause(CALL, w.row.sid);
  await w.advance(300);
  assert.equal(directionOf(recorder.offers.at(-1)!, recorder.offers.at(-1)!.media[0]!), "inactive");
  await w.client.resume(CALL, w.row.sid);
  await w.advance(300);
  void recorder.dialog!.bye();
  await w.advance(1_000);
  assert.equal(w.row.status, "stopped");
  assert.equal(w.row.errorCode, null);
  assert.equal(recorder.invites.length, 0);
  assert.equal(w.media.openCount, 0);
  assert.deepEqual(w.results, ["started", "completed true"]);
  assert.deepEqual(w.alerts, []);
});

test("the four INVITEs: with both marks it is a recording session, with one or none it is not", async () => {
  const w = callableWorld();
  const recorder = w.recorder();
  const calls = [
    { headers: [], contactParameters: ";+sip.srs" },
    { headers: [["Require", "siprec"]] as const, contactParameters: "" },
    { headers: [], contactParameters: "" },
    { headers: [["Require", "siprec"]] as const, contactParameters: ';+sip.srs="FALSE"' },
  ];
  for (const change of calls) recorder.call(TARGET, change);
  await w.advance(500);
  assert.deepEqual(recorder.failures, [603, 603, 603, 603]);
  recorder.call(TARGET, { contactParameters: ';+SIP.SRS="TRUE"' });
  await w.advance(500);
  assert.equal(recorder.responses.length, 1, w.story);
});

test("who may call for what: 404 for no such call, 403 for nobody's recorder, 488 with an offer, 480 before there is media", async () => {
  const w = callableWorld();
  const recorder = w.recorder();
  const stranger = w.recorder(SECOND);
  recorder.call(`sip:CA${"9".repeat(32)}@192.0.2.1`);
  recorder.call("sip:srs@192.0.2.1");
  await w.advance(300);
  assert.deepEqual(recorder.failures, [404, 404]);
  stranger.call(TARGET);
  await w.advance(300);
  assert.deepEqual(stranger.failures, [403]);
  recorder.call(TARGET, { body: recorder.description([{ port: 4000 }]) });
  await w.advance(300);
  w.call.leg = undefined;
  recorder.call(TARGET);
  await w.advance(300);
  assert.deepEqual(recorder.failures.slice(2), [488, 480]);
  w.call.leg = 7;
  w.connector({});
  await w.advance(6_000); // the list is five seconds old
  recorder.call(TARGET);
  await w.advance(300);
  assert.deepEqual(recorder.failures.slice(4), [403]);
  assert.equal(w.store.rows.size, 0);
  assert.equal(w.media.openCount, 0);
});

test("a recorder without a known address proves who it is by the connector's user and password", async () => {
  const random = new SeededRandom(5);
  let now = () => 0;
  const clock = { now: () => now() } as Parameters<typeof createAuthenticator>[0]["clock"];
  const authenticator = createAuthenticator({ realm: "callfork", clock, random });
  const w = callableWorld({ username: "srs", password: "secret" }, { client: { authenticator } });
  now = () => w.world.clock.now();
  const stranger = w.recorder(SECOND);
  stranger.call(TARGET, { credentials: { username: "srs", password: "wrong" } });
  await w.advance(500);
  assert.deepEqual(stranger.failures, [401]);
  assert.equal(w.client.authenticates, true);
  stranger.call(TARGET, { credentials: { username: "srs", password: "secret" } });
  await w.advance(500);
  assert.equal(stranger.responses.length, 1, w.story);
  assert.equal(w.media.flows("outbound")?.remote.address, SECOND);
});

test("what a calling recorder does not do: no ACK, no answer in it, an answer without lines, CANCEL; nothing is left of any", async () => {
  const answers = [() => undefined, undefined, "cancel", "nothing"] as const;
  for (const how of answers) {
    const w = callableWorld();
    const recorder = w.recorder();
    if (how === "cancel") {
      let openPorts: () => void = () => {};
      w.media.slow = new Promise((resolve) => {
        openPorts = resolve;
      });
      const invite = recorder.call(TARGET);
      await w.advance(100);
      invite.cancel();
      await w.advance(100);
      openPorts();
      await w.advance(40_000);
      assert.deepEqual(recorder.failures, [487]);
      assert.equal(w.row.status, "stopped");
    } else if (how === "nothing") {
      // A recorder that dies after its INVITE: the 200 is repeated, then the session is given up.
      w.world.network.filter = ({ startLine }) => (startLine.startsWith("ACK ") ? "drop" : "pass");
      recorder.call(TARGET);
      await w.advance(40_000);
      assert.equal(w.row.errorCode, 31903, w.story);
    } else {
      recorder.call(TARGET, {}, how ?? (() => recorder.description([{ port: 0 }, { port: 0 }])));
      await w.advance(40_000);
      assert.equal(w.row.errorCode, 32102, w.story);
      assert.equal(recorder.end?.by, "remote");
    }
    assert.equal(w.row.status, "stopped");
    assert.equal(w.media.openCount, 0);
    assert.equal(w.call.ended, false);
  }
});

test("the platform ends a session that a recorder has started; the call's end does too; the recorder that is lost is not called", async () => {
  const w = callableWorld();
  const recorder = w.recorder();
  recorder.call(TARGET);
  await w.advance(300);
  await w.client.stop(CALL, w.row.sid);
  await w.advance(300);
  assert.equal(recorder.end?.by, "remote");
  assert.ok(recorder.requests.some(({ method }) => method === "BYE"));
  assert.equal(sdpIn([]), undefined);

  const lost = callableWorld();
  const second = lost.recorder();
  second.call(TARGET);
  await lost.advance(300);
  lost.media.tell(lost.media.forks[0]!.id, { kind: "unreachable", port: "rtp" } as never);
  await lost.advance(1_000);
  lost.media.tell(lost.media.forks[0]!.id, { kind: "unreachable", port: "rtp" } as never);
  await lost.advance(60_000);
  assert.equal(lost.row.status, "stopped", lost.story);
  assert.equal(lost.row.errorCode, 31904);
  assert.equal(second.invites.length, 0);
});
