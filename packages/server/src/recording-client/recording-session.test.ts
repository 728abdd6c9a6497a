import assert from "node:assert/strict";
import { test } from "node:test";
import { createRecordingOffer, negotiate } from "@callfork/protocol/offer-answer";
import { formatSessionDescription, parseSessionDescription } from "@callfork/protocol/sdp";
import { SipHeaders, type SipResponse } from "@callfork/protocol/sip";
import { utf8Encode } from "@callfork/protocol/text";
import { FakeClock } from "@callfork/testkit";
import type { DialogHandlers, DialogRequestOptions, SipBody, SipDialog } from "../signalling/index.ts";
import { CallIdentity } from "./call-identity.ts";
import { forkCodecsOf } from "./fork-codecs.ts";
import type { ForkMedia } from "./fork-media.ts";
import { type MetadataInput, recordingMetadata } from "./metadata.ts";
import { offeredTracks, type TrackLine } from "./recording-offer.ts";
import { RecordingSession } from "./recording-session.ts";

const PCMU = { name: "PCMU", clockRateHz: 8000, payloadType: 0, channels: 1 };
const LINES: readonly TrackLine[] = [
  { label: "inbound", port: { id: 1, address: "192.0.2.1", rtpPort: 20_000, rtcpPort: 20_001 } },
];
const ANSWER =
  "v=0\r\no=- 1 1 IN IP4 10.0.0.9\r\ns=-\r\nc=IN IP4 10.0.0.9\r\nt=0 0\r\nm=audio 30000 RTP/AVP 0\r\na=recvonly\r\n";

function response(status: number, headers: [string, string][] = [], body = ""): SipResponse {
  return { kind: "response", status, reason: "", headers: new SipHeaders(headers), body: utf8Encode(body) };
}

const identity = new CallIdentity({ bytes: (length) => crypto.getRandomValues(new Uint8Array(length)) }, 0);

const facts = (user = "bob"): MetadataInput => ({
  identity,
  labels: ["inbound"],
  party: { aor: "sip:alice@example.com", displayName: null },
  counterpart: { aor: `sip:${user}@example.com`, displayName: null },
  direction: "sendrecv",
  sipSessionId: undefined,
  callStart: 0,
  forkStart: 0,
  isPaused: false,
  extensions: [],
  now: 0,
});

/** A session over a dialog that answers by hand. */
function session(allow: readonly string[]) {
  const sent: {
    method: string;
    body: SipBody | undefined;
    answer: (response: SipResponse) => void;
    again: () => SipBody | undefined;
  }[] = [];
  let handlers: DialogHandlers | undefined;
  const clock = new FakeClock();
  let snapshot = recordingMetadata(facts());
  const send = (method: string) => (options: DialogRequestOptions) =>
    new Promise<SipResponse>((answer) => {
      const body = options.renewBody?.() ?? options.body;
      sent.push({ method, body, answer, again: () => options.renewBody?.() });
    });
  const dialog: SipDialog = {
    callId: "c",
    localTag: "l",
    remoteTag: "r",
    remoteUri: "sip:srs@10.0.0.9",
    remoteAllow: new Set(allow),
    attach: (given) => {
      handlers = given;
    },
    reinvite: send("INVITE"),
    update: send("UPDATE"),
    request: async () => response(200),
    bye: async () => {},
  };
  const warnings: number[] = [];
  const codecs = [PCMU];
  const local = createRecordingOffer({
    origin: { sessionId: "9" },
    address: "192.0.2.1",
    tracks: offeredTracks(LINES, codecs),
  });
  const answer = parseSessionDescription(ANSWER);
  assert.ok(answer.ok);
  const media = {
    lines: LINES,
    connect() {},
    pause() {},
    closeTrack() {},
    release() {},
  } as unknown as ForkMedia;
  const log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };
  const recording = new RecordingSession({
    dialog,
    sessionId: "9",
    local,
    negotiated: negotiate(local, answer.value, "remote"),
    media,
    codecs: forkCodecsOf(codecs, []),
    label: "application/rs-metadata+xml",
    told: snapshot,
    isPaused: false,
    clock,
    owner: {
      codecs: () => forkCodecsOf(codecs, []),
      snapshot: () => snapshot,
      cname: () => "c",
      isPaused: () => false,
      unusable: () => {},
      warn: (code) => void warnings.push(code),
      ended: () => {},
    },
    random: { bytes: (length) => new Uint8Array(length) },
    log,
  });
  /** Another party, or another codec as well. */
  const change = async (user: string, codec?: typeof PCMU): Promise<void> => {
    if (codec !== undefined) codecs.splice(0, codecs.length, codec);
    snapshot = recordingMetadata(facts(user), snapshot);
    recording.changed();
    await clock.advance(50);
  };
  return { recording, sent, warnings, handlers: handlers!, local, change, clock };
}

const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
const textOf = (body: SipBody | undefined) => new TextDecoder().decode(body?.bytes ?? new Uint8Array());

test("a recorder that does not allow UPDATE, or names no methods, is told by re-INVITE, with an offer", async () => {
  for (const allow of [[], ["INVITE", "ACK", "BYE"]]) {
    const { sent, change } = session(allow);
    await change("carol");
    assert.deepEqual(
      sent.map(({ method }) => method),
      ["INVITE"],
    );
    assert.match(textOf(sent[0]!.body), /^m=audio [\s\S]*<label>inbound<\/label>/m);
  }
});

test("[R7866-9.1-7] UPDATE carries the changes alone, without SDP, as long as the lines stay as they are", async () => {
  const { sent, change } = session(["UPDATE"]);
  await change("carol");
  const [{ method, body } = {}] = sent;
  assert.equal(method, "UPDATE");
  assert.deepEqual(
    [body?.contentType, body?.disposition],
    ["application/rs-metadata+xml", "recording-session"],
  );
  assert.match(textOf(body), /<datamode>partial<[\s\S]*carol/);
  assert.doesNotMatch(textOf(body), /label|m=audio/);
  sent[0]!.answer(response(200));
  await settle();
  await change("carol", { name: "PCMA", clockRateHz: 8000, payloadType: 8, channels: 1 });
  assert.match(textOf(sent[1]!.body), /RTP\/AVP 8 [\d ]+\r\n[\s\S]*<label>inbound</);
});

test("one exchange at a time; what changes meanwhile goes out once, after it", async () => {
  const { recording, sent, change, clock } = session(["UPDATE"]);
  for (let n = 0; n < 5; n++) recording.changed();
  await clock.advance(1_000);
  assert.equal(sent.length, 0); // nothing had changed
  await change("carol");
  await change("dave");
  await change("erin");
  assert.equal(sent.length, 1);
  sent[0]!.answer(response(200));
  await settle();
  assert.equal(sent.length, 2);
  assert.match(textOf(sent[1]!.body), /erin/);
  assert.doesNotMatch(textOf(sent[1]!.body), /dave/);
  sent[1]!.answer(response(200));
  await settle();
  assert.equal(sent.length, 2);
});

test("an update waits for the ACK to a re-INVITE of the recorder", async () => {
  const { sent, handlers, change } = session(["UPDATE"]);
  const part = { mediaType: "application/sdp", contentType: "application/sdp", disposition: undefined };
  const answer = await handlers.onReinvite?.({} as never, [{ ...part, bytes: utf8Encode(ANSWER) }]);
  assert.equal(answer?.status, 200);
  await change("carol");
  await settle();
  assert.equal(sent.length, 0);
  handlers.onAcknowledged?.({} as never, []);
  await settle();
  assert.equal(sent.length, 1);
});

test("an update that is refused for its label goes out again under the old one; another refusal is told of", async () => {
  const { sent, warnings, change } = session(["UPDATE"]);
  await change("carol");
  sent[0]!.answer(response(415, [["Accept", "application/rs-metadata, application/sdp"]]));
  await settle();
  assert.equal(sent[1]!.body!.contentType, "application/rs-metadata");
  sent[1]!.answer(response(488));
  await settle();
  assert.deepEqual([sent.length, warnings], [2, [31924]]);
});

test("what a refused update said goes along with the next one", async () => {
  const { sent, change } = session(["UPDATE"]);
  await change("carol", { name: "PCMA", clockRateHz: 8000, payloadType: 8, channels: 1 });
  sent[0]!.answer(response(500));
  await settle();
  await change("carol");
  assert.equal(sent.length, 2);
  assert.match(textOf(sent[1]!.body), /RTP\/AVP 8 [\d ]+\r\n[\s\S]*carol/);
});

test("[R3264-8-1] the version of o= rises with what is sent, a refused offer included, and never falls, also after a 491", async () => {
  const { sent, handlers, local, change } = session(["UPDATE"]);
  const versionOf = (body: SipBody | undefined) => /o=- 9 (\d+) /.exec(textOf(body))?.[1];
  assert.match(formatSessionDescription(local), /o=- 9 1 /);
  const part = { mediaType: "application/sdp", contentType: "application/sdp", disposition: undefined };
  const offer = ANSWER.replace("recvonly", "inactive").replace("AVP 0", "AVP 0 8");
  const inactive = { ...part, bytes: utf8Encode(offer) };
  assert.equal(versionOf((await handlers.onUpdate?.({} as never, [inactive]))?.body), "2");
  const alaw = { name: "PCMA", clockRateHz: 8000, payloadType: 8, channels: 1 };
  await change("carol", alaw); // offers sendonly again
  assert.equal(versionOf(sent[0]!.body), "3");
  // 491: before ours is sent again the recorder's own offer is answered.
  assert.equal(versionOf((await handlers.onUpdate?.({} as never, [inactive]))?.body), "4");
  assert.equal(versionOf(sent[0]!.again()), "5");
  sent[0]!.answer(response(488));
  await settle();
  assert.equal(versionOf((await handlers.onUpdate?.({} as never, [inactive]))?.body), "6");
});
