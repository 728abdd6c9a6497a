import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type ConnectorRecord,
  DEFAULT_CONNECTOR_SETTINGS,
} from "../../packages/server/src/recording-client/index.ts";
import { RECORDER, RecordingWorld } from "./recording-world.ts";

const SECOND = "10.0.0.10";
const DEFAULTS = DEFAULT_CONNECTOR_SETTINGS;

async function started(
  settings: Partial<ConnectorRecord["settings"]>,
  parameters: { name: string; value: string }[],
) {
  const w = new RecordingWorld();
  w.connector({ settings: { ...DEFAULTS, ...settings } });
  const recorder = w.recorder();
  await w.start({ parameters });
  await w.advance(200);
  assert.ok(recorder.dialog, w.story);
  return {
    w,
    invite: recorder.requests[0]!.request,
    extensions: recorder.documents[0]!.sessions[0]!.extensions,
  };
}

test("parameters go into the metadata, into header fields, or both, as the connector says", async () => {
  const parameters = [
    { name: "X-Role", value: "agent" },
    {
      name: "Call-Info",
      value: "<http://x.example/conversations/1>;purpose=Goog-ContactCenter-Conversation",
    },
  ];
  for (const transport of ["metadata", "headers", "both"] as const) {
    const { w, invite, extensions } = await started({ parameterTransport: transport }, parameters);
    const inHeaders = parameters.every(({ name, value }) => invite.headers.get(name) === value);
    assert.equal(inHeaders, transport !== "metadata", transport);
    assert.deepEqual(
      extensions.map((each) => each.parameters),
      transport === "headers" ? [] : [parameters],
    );
    assert.deepEqual(w.alerts, []);
  }
});

test("a parameter that cannot be a header field is told of and left out; no header of ours is touched by one", async () => {
  const { w, invite } = await started({ parameterTransport: "headers" }, [
    { name: "Require", value: "100rel" },
    { name: "content-type", value: "text/plain" },
    { name: "Authorization", value: "Basic eA==" },
    { name: "no token", value: "x" },
    { name: "X-Long", value: "x".repeat(1025) },
    { name: "X-Lines", value: "a\r\nX-Evil: 1" },
    { name: "X-Good", value: "gr\u00fc\u00dfe" },
  ]);
  assert.equal(invite.headers.get("Require"), "siprec");
  assert.match(invite.headers.get("Content-Type") ?? "", /^multipart\/mixed/);
  for (const name of ["Authorization", "X-Long", "X-Lines", "X-Evil"])
    assert.equal(invite.headers.get(name), undefined);
  assert.equal(invite.headers.get("X-Good"), "gr\u00fc\u00dfe");
  assert.equal(w.alerts.length, 6);
  assert.ok(w.alerts.every(({ errorCode, level }) => errorCode === 32114 && level === "warning"));
});

test("the namespace is the connector's, and the call's own data stand in another one", async () => {
  const { extensions } = await started({ extensionNamespace: "urn:example:acme", callData: true }, [
    { name: "Role", value: "agent" },
  ]);
  assert.deepEqual(
    extensions.map(({ namespace }) => namespace),
    ["urn:example:acme", "urn:callfork:call:1"],
  );
  assert.deepEqual(
    extensions[1]!.parameters.map(({ name }) => name),
    ["CallSid", "AccountSid", "Direction", "From", "To", "TrunkSid"],
  );
});

test("OPTIONS at the connector's interval: a recorder that does not answer is called last, until it answers again", async () => {
  const w = new RecordingWorld();
  w.connector({
    sipUris: [`sip:a@${RECORDER}`, `sip:b@${SECOND}`],
    settings: { ...DEFAULTS, optionsIntervalSeconds: 30 },
  });
  const first = w.recorder();
  const second = w.recorder(SECOND);
  const fork = async () => {
    const { sid } = await w.start({ track: "inbound_track" });
    await w.advance(500);
    await w.client.stop(w.call.callSid, sid);
    await w.advance(500);
    return [first.invites.length, second.invites.length];
  };
  const asked = () => w.world.network.sent.filter(({ startLine }) => startLine.startsWith("OPTIONS")).length;
  assert.deepEqual(await fork(), [1, 0]);
  assert.equal(asked(), 0);
  await w.advance(31_000);
  assert.equal(asked(), 2, w.story);
  w.world.network.filter = ({ to, startLine }) =>
    to.startsWith(RECORDER) && startLine.startsWith("OPTIONS") ? "drop" : "pass";
  await w.advance(70_000);
  assert.match(w.alerts.at(-1)?.text ?? "", /does not answer OPTIONS/);
  assert.deepEqual(await fork(), [1, 1]);
  w.world.network.filter = undefined;
  await w.advance(70_000);
  assert.match(w.alerts.at(-1)?.text ?? "", /answers OPTIONS again/);
  assert.deepEqual(await fork(), [2, 1]);
  // Nobody uses the connector any more: no OPTIONS after an hour.
  await w.advance(3_700_000);
  const before = asked();
  await w.advance(600_000);
  assert.equal(asked(), before);
});

test("OPTIONS first: a recorder that is silent gets no INVITE and is passed over in seconds; one that answered is not asked again", async () => {
  const w = new RecordingWorld();
  w.connector({
    sipUris: [`sip:a@${RECORDER}`, `sip:b@${SECOND}`],
    settings: { ...DEFAULTS, optionsFirst: true, optionsIntervalSeconds: 60 },
  });
  const [first, second] = [w.recorder(), w.recorder(SECOND)];
  const asked = (address: string) =>
    w.world.network.sent.filter(({ to, startLine }) => to.startsWith(address) && /^OPTIONS/.test(startLine));
  w.world.network.filter = ({ to }) => (to.startsWith(RECORDER) ? "drop" : "pass");
  const { sid } = await w.start({ track: "inbound_track" });
  await w.advance(4_500);
  assert.deepEqual([first.invites.length, second.invites.length], [0, 1], w.story);
  assert.ok(asked(RECORDER).length > 1);
  assert.equal(asked(SECOND).length, 1);
  assert.deepEqual(
    w.row.detail.attempts.map(({ result, reason }) => [result, reason]),
    [
      ["failed", `sip:a@${RECORDER}: it does not answer OPTIONS`],
      ["answered", null],
    ],
  );
  await w.client.stop(w.call.callSid, sid);
  await w.advance(500);

  // The second is known to be there, the first to be away: no question is put before this INVITE.
  await w.start({ track: "inbound_track" });
  await w.advance(500);
  assert.equal(second.invites.length, 2);
  assert.equal(asked(SECOND).length, 1);
  w.world.network.filter = undefined;
});

test("OPTIONS first: a fork that is stopped meanwhile calls nobody", async () => {
  const w = new RecordingWorld();
  w.connector({ settings: { ...DEFAULTS, optionsFirst: true } });
  const recorder = w.recorder();
  w.world.network.filter = ({ startLine }) => (startLine.startsWith("OPTIONS") ? "drop" : "pass");
  const { sid } = await w.start({ track: "inbound_track" });
  await w.advance(1_000);
  await w.client.stop(w.call.callSid, sid);
  await w.advance(10_000);
  assert.equal(recorder.invites.length, 0);
  assert.equal(w.client.liveCount, 0);
  w.world.network.filter = undefined;
});

test("a connector without an interval sends no OPTIONS; a stopped client sends none either", async () => {
  const { w } = await started({}, []);
  await w.advance(120_000);
  assert.ok(w.world.network.sent.every(({ startLine }) => !startLine.startsWith("OPTIONS")));
  const other = await started({ optionsIntervalSeconds: 5 }, []);
  const stopped = other.w.client.stopAll();
  await other.w.advance(60_000);
  await stopped;
  assert.ok(other.w.world.network.sent.every(({ startLine }) => !startLine.startsWith("OPTIONS")));
});
