import assert from "node:assert/strict";
import { test } from "node:test";
import {
  attributes,
  parseSessionDescription,
  recordIndicationOf,
  type SessionDescription,
} from "@callfork/protocol/sdp";
import type { SipResponse } from "@callfork/protocol/sip";
import type { HeaderLine } from "@callfork/server/signalling";
import type { NumberRecord, RecordingPolicy } from "../../packages/server/src/calls/index.ts";
import { CallsWorld, type Phone, type SdpOptions } from "./calls-world.ts";

const DIAL = '<Dial answerOnBridge="true"><Sip>sip:bob@10.0.0.2</Sip></Dial>';
const AWARE: readonly HeaderLine[] = [["Supported", "record-aware"]];
const TONE = { frequencyHz: 1400, levelDbm0: -18, durationMs: 200, intervalMs: 15_000 };
const ANNOUNCEMENT = new Int16Array(1600).fill(7);

interface Asked {
  readonly policy: RecordingPolicy;
  /** URLs that were announced, and what was asked of forks. */
  readonly urls: (string | null)[];
  readonly forks: string[];
}

/** Forks that do as they are told, and tell the call. */
function policyOf(w: () => CallsWorld, change: Partial<RecordingPolicy> = {}): Asked {
  const [urls, forks]: [(string | null)[], string[]] = [[], []];
  const does = (what: string, state: "on" | "paused") => async (callSid: string, siprecSid: string) => {
    forks.push(`${what} ${siprecSid}`);
    w().room.tap(callSid)?.recordingChanged(siprecSid, state);
    return undefined as never;
  };
  const policy: RecordingPolicy = {
    notice: "none",
    tone: TONE,
    announcement: async ({ url }) => {
      urls.push(url);
      return ANNOUNCEMENT;
    },
    preferences: "report",
    forks: () => ({ pause: does("pause", "paused"), resume: does("resume", "on") }),
    ...change,
  };
  return { policy, urls, forks };
}

interface Who {
  readonly alice?: readonly HeaderLine[];
  readonly bob?: readonly HeaderLine[];
  readonly offer?: SdpOptions;
  readonly number?: Partial<NumberRecord>;
}

/** Alice and Bob, bridged; a fork hangs on Alice's call. */
async function bridged(policy: Partial<RecordingPolicy> = {}, who: Who = {}) {
  let w: CallsWorld | undefined;
  const asked = policyOf(() => w!, policy);
  w = new CallsWorld({ recording: asked.policy, transfers: "all" });
  w.number("1001", DIAL, who.number);
  const [alice, bob] = [w.phone("10.0.0.1"), w.phone("10.0.0.2")];
  bob.answering = (invite) => bob.pickUp(invite, {}, who.bob);
  for (const phone of [alice, bob]) phone.reoffered = () => ({ version: 2 + phone.offers.length });
  alice.call("1001", { headers: who.alice ?? [], ...(who.offer && { sdp: who.offer }) });
  await w.advance(500);
  assert.ok(alice.dialog && bob.dialog, w.story);
  const [aliceSid, bobSid] = w.store.calls.map(({ sid }) => sid);
  const world = w;
  const tell = async (state: "on" | "off" | "paused", fork = "SR1") => {
    world.room.tap(aliceSid!)?.recordingChanged(fork, state);
    await world.advance(500);
  };
  return { w, alice, bob, asked, tell, aliceSid: aliceSid!, bobSid: bobSid! };
}

const shown = (sdp: SessionDescription | undefined) => sdp && recordIndicationOf(sdp, sdp.media[0]!);
const told = ({ offers }: Phone) => offers.map(({ sdp }) => shown(sdp));
const inBody = ({ body }: SipResponse) => {
  const parsed = parseSessionDescription(body);
  assert.ok(parsed.ok);
  return parsed.value;
};
const announced = (w: CallsWorld) =>
  w.media.plays.flatMap(({ leg, options }) => (options.isAnnouncement ? [leg] : []));
const tones = (w: CallsWorld) => [...w.media.connections.values()].map(({ tone }) => tone);

test("[R6341-019] [R7245-3.1-3] [R7866-6.1.2-1] [R7866-6.1.2-2] [R7866-7.1.2-1] record-aware parties are told of every change by a=record: on, paused, on, off", async () => {
  const { w, alice, bob, tell } = await bridged({}, { alice: AWARE, bob: AWARE });
  for (const state of ["on", "paused", "on", "off"] as const) await tell(state);
  assert.deepEqual(told(alice), ["on", "paused", "on", "off"], w.story);
  assert.deepEqual(told(bob), ["on", "paused", "on", "off"]);
  for (const { sdp } of alice.offers) assert.equal(attributes(sdp!, "record").length, 1);
  await tell("off");
  assert.equal(alice.offers.length, 4, "what is known is not told again");
});

test("[R7866-7.3.1-4] the sum of several forks counts: one that records outweighs one that is paused, and the last that stops ends it", async () => {
  const { alice, tell } = await bridged({}, { alice: AWARE });
  await tell("on", "SR1");
  await tell("on", "SR2");
  await tell("paused", "SR1");
  await tell("off", "SR2");
  await tell("off", "SR1");
  assert.deepEqual(told(alice), ["on", "paused", "off"]);
});

test("every description that an aware party gets says what is so, under a version that fits", async () => {
  const { w, alice, tell } = await bridged({}, { alice: AWARE });
  await tell("on");
  const refresh = async () => {
    const response = alice.dialog!.reinvite({ body: alice.sdp({ version: 5 }) });
    await w.advance(500);
    return inBody(await response);
  };
  const [first, second] = [await refresh(), await refresh()];
  assert.equal(shown(first), "on");
  assert.deepEqual(first, second);
  const asked = alice.dialog!.reinvite({});
  await w.advance(500);
  assert.equal(shown(inBody(await asked)), "on");
});

test("[R7866-6.1.2-3] parties that show nothing themselves: notified by contract leaves a line in the log, and no SDP", async () => {
  const { w, alice, bob, tell } = await bridged();
  await tell("on");
  await tell("off");
  assert.equal(alice.offers.length + bob.offers.length, 0);
  assert.equal(w.log.lines.filter((line) => line.includes("notified by contract")).length, 2);
  assert.deepEqual(announced(w), []);
});

test("[R6341-018] [R7866-6.1.2-3] the tone: mixed for both parties while it records, not while it is paused or over", async () => {
  const { w, tell } = await bridged({ notice: "tone" });
  await tell("on");
  assert.deepEqual(tones(w), [TONE, TONE]);
  await tell("paused");
  assert.deepEqual(tones(w), [undefined, undefined]);
  await tell("on");
  assert.deepEqual(tones(w), [TONE, TONE]);
  await tell("off");
  assert.deepEqual(tones(w), [undefined, undefined]);
  assert.deepEqual(w.alerts, []);
});

test("a tone that the party's codec cannot carry is told to the account", async () => {
  let w: CallsWorld | undefined;
  const { policy } = policyOf(() => w!, { notice: "tone" });
  w = new CallsWorld({ recording: policy });
  w.number("1001", DIAL);
  const [alice, bob] = [w.phone("10.0.0.1"), w.phone("10.0.0.2")];
  const sdp = { codecs: ["9 G722/8000"] };
  bob.answering = (invite) => bob.pickUp(invite, sdp);
  alice.call("1001", { sdp });
  await w.advance(500);
  w.room.tap(w.store.calls[0]!.sid)?.recordingChanged("SR1", "on");
  await w.advance(500);
  assert.deepEqual(
    w.alerts.map(({ errorCode, text }) => `${errorCode} ${text.includes("G722")}`),
    ["98030 true", "98030 true"],
  );
});

test("[R7866-6.1.2-3] the announcement: to both parties when recording begins, once; again when it begins anew", async () => {
  const { w, tell, asked } = await bridged({ notice: "announcement" });
  await tell("on");
  const legs = [...w.media.open.keys()].sort();
  assert.deepEqual(announced(w).sort(), legs);
  assert.deepEqual(w.media.plays[0]!.options.samples, ANNOUNCEMENT);
  assert.deepEqual(asked.urls, [null, null]);
  await tell("paused");
  await tell("on");
  await tell("on", "SR2");
  assert.equal(announced(w).length, 2, "the pause was the same recording");
  await tell("off");
  await tell("off", "SR2");
  await tell("on");
  assert.equal(announced(w).length, 4);
});

test("a number says it otherwise than the settings, also for whom its calls reach", async () => {
  const url = "http://app.example.com/recorded.wav";
  const { w, tell, asked } = await bridged(
    { notice: "tone" },
    { number: { recordingNotice: "announcement", recordingAnnouncementUrl: url } },
  );
  await tell("on");
  assert.deepEqual(tones(w), [undefined, undefined]);
  assert.deepEqual(asked.urls, [url, url]);
  const quiet = await bridged({ notice: "tone" }, { number: { recordingNotice: "none" } });
  await quiet.tell("on");
  assert.deepEqual(tones(quiet.w), [undefined, undefined]);
});

test("an announcement that cannot be had: the account is told, the call goes on", async () => {
  const { w, tell } = await bridged({
    notice: "announcement",
    announcement: () => Promise.reject(new Error("no such file")),
  });
  await tell("on");
  assert.equal(w.room.liveCount, 2);
  assert.deepEqual(
    w.alerts.map(({ errorCode, level }) => `${errorCode} ${level}`),
    ["98030 warning", "98030 warning"],
  );
});

test("who joins a recorded call is told as well: by transfer, and in another's place", async () => {
  const { w, bob, alice, tell } = await bridged({ notice: "announcement" });
  await tell("on");
  const carol = w.phone("10.0.0.3");
  carol.answering = (invite) => carol.pickUp(invite);
  void bob.dialog!.request("REFER", { headers: [["Refer-To", "<sip:carol@10.0.0.3>"]] });
  await w.advance(1_000);
  assert.ok(carol.dialog);
  assert.equal(announced(w).length, 3, w.story);
  const dora = w.phone("10.0.0.4");
  const { callId, localTag, remoteTag } = carol.dialog;
  const replaces = `${callId};to-tag=${remoteTag};from-tag=${localTag}`;
  dora.call("whoever", { headers: [["Replaces", replaces], ...AWARE] });
  await w.advance(1_000);
  assert.equal(shown(dora.answer), "on", "she shows it herself, from the answer on");
  assert.equal(announced(w).length, 3);
  void alice.dialog!.bye();
  await w.advance(1_000);
  assert.equal(w.room.liveCount, 0);
});

test("[R7866-7.3.1-2] what one peer says of recording is repeated to the other one, and taken back", async () => {
  const { w, alice, bob } = await bridged({}, { alice: AWARE, bob: AWARE });
  const says = async (value: string, version: number) => {
    const response = bob.dialog!.update({ body: bob.sdp({ version, more: [`a=record:${value}`] }) });
    await w.advance(500);
    assert.equal((await response).status, 200);
  };
  await says("on", 2);
  assert.deepEqual(told(alice), ["on"], w.story);
  await says("paused", 3);
  await says("off", 4);
  assert.deepEqual(told(alice), ["on", "paused", "off"]);
  assert.deepEqual(told(bob), [], "nobody is told what it said itself");
});

test("[R7866-7.3.1-3] a=record of a party is no command: our forks go on", async () => {
  const { w, alice, bob, tell, asked } = await bridged({ preferences: "honour" }, { bob: AWARE });
  await tell("on");
  const response = alice.dialog!.reinvite({ body: alice.sdp({ version: 2, more: ["a=record:off"] }) });
  await w.advance(500);
  await response;
  assert.deepEqual(asked.forks, []);
  assert.deepEqual(told(bob), ["on"]);
});

test("[R7245-3.1-4] [R7866-7.1.3-1] [R6341-017] recordpref is honoured where the policy says so: pause, then on; each party can wish", async () => {
  for (const by of ["alice", "bob"] as const) {
    const { w, tell, asked, ...phones } = await bridged(
      { preferences: "honour" },
      { alice: AWARE, bob: AWARE },
    );
    await tell("on");
    const phone = phones[by];
    const wish = async (value: string, version: number) => {
      const response = phone.dialog!.reinvite({
        body: phone.sdp({ version, more: [`a=recordpref:${value}`] }),
      });
      await w.advance(1_000);
      assert.equal((await response).status, 200, w.story);
    };
    await wish("pause", 10);
    assert.deepEqual(asked.forks, ["pause SR1"]);
    assert.equal(told(phone).at(-1), "paused");
    await wish("off", 11);
    assert.deepEqual(asked.forks, ["pause SR1"]);
    await wish("nopreference", 12);
    assert.deepEqual(asked.forks, ["pause SR1", "resume SR1"]);
    assert.equal(told(phone).at(-1), "on");
    const notices = w.alerts.filter(({ errorCode }) => errorCode === 98031);
    assert.deepEqual(
      notices.map(({ level, text }) => `${level} ${text.split(": ")[1]}`),
      ["notice pause", "notice off", "notice nopreference"],
    );
  }
});

test("[R6341-016] [R7866-7.1.3-2] a wish from the beginning, honoured or not: reported, and what is so is shown", async () => {
  const offer = { more: ["a=recordpref:off"] };
  const honoured = await bridged({ preferences: "honour" }, { alice: AWARE, offer });
  await honoured.tell("on");
  assert.deepEqual(honoured.asked.forks, ["pause SR1"]);
  assert.equal(told(honoured.alice).at(-1), "paused");
  const reported = await bridged({}, { alice: AWARE, offer });
  await reported.tell("on");
  assert.deepEqual(reported.asked.forks, []);
  assert.deepEqual(told(reported.alice), ["on"]);
  assert.equal(reported.w.room.tap(reported.aliceSid)?.recordingPreference(), "off");
  assert.deepEqual(
    reported.w.alerts.map(({ errorCode }) => errorCode),
    [98031],
  );
});

test("a fork that somebody else paused is not resumed by a wish; when the one who wished leaves, its own are", async () => {
  const { w, bob, tell, asked, aliceSid } = await bridged(
    { preferences: "honour" },
    { number: { voiceTwiml: `<Response>${DIAL}<Pause length="60"/></Response>` } },
  );
  await tell("on", "SR1");
  await tell("paused", "SR2");
  const response = bob.dialog!.reinvite({ body: bob.sdp({ version: 3, more: ["a=recordpref:off"] }) });
  await w.advance(500);
  await response;
  assert.deepEqual(asked.forks, ["pause SR1"]);
  void bob.dialog!.bye();
  await w.advance(500);
  assert.ok(w.room.find(aliceSid), w.story);
  assert.deepEqual(asked.forks, ["pause SR1", "resume SR1"]);
});

test("a party that refuses to be told: the account hears of it, and nothing else changes", async () => {
  const { w, alice, tell } = await bridged({}, { alice: AWARE });
  alice.reoffered = () => 488;
  await tell("on");
  await w.advance(5_000);
  assert.deepEqual(
    w.alerts.map(({ errorCode, level }) => `${errorCode} ${level}`),
    ["98030 warning"],
  );
  assert.equal(w.room.liveCount, 2);
  alice.reoffered = () => ({ version: 9 });
  await tell("paused");
  assert.equal(told(alice).at(-1), "paused");
});

test("a hold stays a hold when its party is told", async () => {
  const { w, bob, tell, alice } = await bridged({}, { alice: AWARE, bob: AWARE });
  alice.reoffered = () => ({ direction: "recvonly", version: 2 + alice.offers.length });
  const held = bob.dialog!.reinvite({ body: bob.sdp({ direction: "sendonly", version: 2 }) });
  await w.advance(500);
  await held;
  bob.reoffered = () => ({ direction: "sendonly", version: 2 + bob.offers.length });
  await tell("on");
  const offered = bob.offers.at(-1)!.sdp!;
  assert.ok(
    offered.media[0]!.attributes.some(({ name }) => name === "recvonly"),
    w.story,
  );
  assert.equal(shown(offered), "on");
});
