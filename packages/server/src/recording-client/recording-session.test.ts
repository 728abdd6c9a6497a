import assert from "node:assert/strict";
import { test } from "node:test";
import { createRecordingOffer, negotiate } from "@callfork/protocol/offer-answer";
import { formatSessionDescription, parseSessionDescription } from "@callfork/protocol/sdp";
import { SipHeaders, type SipResponse } from "@callfork/protocol/sip";
import { utf8Encode } from "@callfork/protocol/text";
import type { DialogHandlers, SipBody, SipDialog } from "../signalling/index.ts";
import type { ForkMedia } from "./fork-media.ts";
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

/** A session over a dialog that answers by hand. */
function session(allow: readonly string[]) {
  const sent: { method: string; body: SipBody | undefined; answer: (response: SipResponse) => void }[] = [];
  let handlers: DialogHandlers | undefined;
  const send = (method: string) => (options: { readonly body?: SipBody }) =>
    new Promise<SipResponse>((answer) => void sent.push({ method, body: options.body, answer }));
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
  const media = { lines: LINES, connect() {}, pause() {}, closeTrack() {} } as unknown as ForkMedia;
  const log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };
  const recording = new RecordingSession({
    dialog,
    sessionId: "9",
    local,
    negotiated: negotiate(local, answer.value, "remote"),
    media,
    codecs,
    label: "application/rs-metadata+xml",
    owner: {
      codecs: () => codecs,
      metadata: () => "<recording/>",
      cname: () => "c",
      warn: (code) => void warnings.push(code),
      ended: () => {},
    },
    random: { bytes: (length) => new Uint8Array(length) },
    log,
  });
  return { recording, sent, warnings, handlers: handlers!, local };
}

const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
const ok = () => response(200, [["Content-Type", "application/sdp"]], ANSWER);

test("a recorder that does not allow UPDATE, or names no methods, is told by re-INVITE", async () => {
  for (const allow of [[], ["INVITE", "ACK", "BYE"]]) {
    const { recording, sent } = session(allow);
    recording.refresh();
    assert.deepEqual(
      sent.map(({ method }) => method),
      ["INVITE"],
    );
  }
  const { recording, sent } = session(["UPDATE"]);
  recording.refresh();
  assert.equal(sent[0]?.method, "UPDATE");
});

test("one exchange at a time; what is wanted meanwhile goes out once, after it", async () => {
  const { recording, sent } = session(["UPDATE"]);
  for (let n = 0; n < 5; n++) recording.refresh();
  await settle();
  assert.equal(sent.length, 1);
  recording.refresh();
  recording.refresh();
  sent[0]!.answer(ok());
  await settle();
  assert.equal(sent.length, 2);
  sent[1]!.answer(ok());
  await settle();
  assert.equal(sent.length, 2);
});

test("an update waits for the ACK to a re-INVITE of the recorder", async () => {
  const { recording, sent, handlers } = session(["UPDATE"]);
  const part = { mediaType: "application/sdp", contentType: "application/sdp", disposition: undefined };
  const answer = await handlers.onReinvite?.({} as never, [{ ...part, bytes: utf8Encode(ANSWER) }]);
  assert.equal(answer?.status, 200);
  recording.refresh();
  await settle();
  assert.equal(sent.length, 0);
  handlers.onAcknowledged?.({} as never, []);
  await settle();
  assert.equal(sent.length, 1);
});

test("an update that is refused for its label goes out again under the old one; another refusal is told of", async () => {
  const { recording, sent, warnings } = session(["UPDATE"]);
  recording.refresh();
  sent[0]!.answer(response(415, [["Accept", "application/rs-metadata, application/sdp"]]));
  await settle();
  assert.match(new TextDecoder().decode(sent[1]!.body!.bytes), /Content-Type: application\/rs-metadata\r\n/);
  sent[1]!.answer(response(488));
  await settle();
  assert.deepEqual([sent.length, warnings], [2, [31924]]);
});

test("[R3264-8-1] the version of o= rises with what is sent, a refused offer included, and never falls", async () => {
  const { recording, sent, handlers, local } = session(["UPDATE"]);
  const versionOf = (body: SipBody | undefined) =>
    /o=- 9 (\d+) /.exec(new TextDecoder().decode(body?.bytes ?? new Uint8Array()))?.[1];
  assert.match(formatSessionDescription(local), /o=- 9 1 /);
  const part = { mediaType: "application/sdp", contentType: "application/sdp", disposition: undefined };
  const inactive = { ...part, bytes: utf8Encode(ANSWER.replace("recvonly", "inactive")) };
  assert.equal(versionOf((await handlers.onUpdate?.({} as never, [inactive]))?.body), "2");
  recording.refresh(); // offers sendonly again
  assert.equal(versionOf(sent[0]!.body), "3");
  sent[0]!.answer(response(488));
  await settle();
  assert.equal(versionOf((await handlers.onUpdate?.({} as never, [inactive]))?.body), "4");
});
