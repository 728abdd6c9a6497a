import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { SipMessage } from "@callfork/protocol/sip";
import { isUuidObjectId } from "@callfork/protocol/siprec";
import { loadVoice, TestPhone } from "@callfork/testkit";
import { Capture, rtpStreams, tshark } from "./support/capture.ts";
import { converse } from "./support/conversation.ts";
import { Customer } from "./support/customer.ts";
import { Owned } from "./support/owned.ts";
import { without, withoutCapture } from "./support/programs.ts";
import { openEars } from "./support/recorder-ears.ts";
import { voiceWithDigits } from "./support/rtp-pcap.ts";
import { schemaComplaints, withoutSchema } from "./support/schema.ts";
import { TestServer } from "./support/server.ts";
import { Sipp } from "./support/sipp.ts";
import { labelsOf, type SiprecBody, siprecBody } from "./support/siprec-message.ts";
import { encodedVoice } from "./support/voices.ts";
import { until, within } from "./support/waiting.ts";

const owned = new Owned();
let server: TestServer;
let customer: Customer;

interface Said {
  readonly method: string;
  readonly message: SipMessage;
  readonly body: SiprecBody;
}

/** The requests that a recorder got, with their bodies. */
function requestsTo(recorder: Sipp): Said[] {
  return recorder
    .messages()
    .flatMap(({ direction, message }) =>
      direction === "received" && message.kind === "request"
        ? [{ method: message.method, message, body: siprecBody(message) }]
        : [],
    );
}

/** Documents that the tests of this file made our client send. */
const emitted: Uint8Array[] = [];

function collect(said: readonly Said[]): void {
  emitted.push(...said.flatMap(({ body }) => body.xml ?? []));
}

describe("what our recording client puts on the wire", { skip: without("sipp") }, () => {
  before(async () => {
    server = await TestServer.start(owned, { flags: ["--rtp-ports", "22000-22999"] });
    customer = await Customer.open(owned);
  });
  after(() => owned.release());

  it("tshark reads INVITE and RTP of a fork and finds nothing malformed; digits are not forked", {
    skip: withoutCapture(),
  }, async (t) => {
    const ears = await openEars(t);
    const recorder = await Sipp.start(t, { scenario: "srs-records.xml", transport: "tcp", keys: ears.keys });
    // Packets that leave together are one on the loopback interface: a network card would cut them apart.
    await server.post("/v1/Connectors", {
      UniqueName: "wire",
      SipUri: `sip:recorder@127.0.0.1:${recorder.port};transport=tcp`,
      PacketBatching: "false",
    });
    const bob = await TestPhone.open({ user: "bob", voice: loadVoice("bob") });
    t.after(() => bob.close());
    const siprec = `<Start><Siprec connectorName="wire" statusCallback="${customer.url("/wire")}"/></Start>`;
    await server.number("wire", {
      twiml: `<Response>${siprec}<Dial answerOnBridge="true"><Sip>${bob.uri}</Sip></Dial></Response>`,
    });
    const capture = await Capture.start(t, `tcp port ${recorder.port} or udp portrange 22000-22999`);
    const caller = await Sipp.start(t, {
      scenario: "uac-presses-keys.xml",
      target: { port: server.sipPort, user: "wire" },
      files: { "voice-and-digits.pcap": voiceWithDigits(encodedVoice("alice"), 3) },
      pauseMs: 3_200,
    });
    await Promise.all([caller.succeeded(), recorder.succeeded()]);
    const file = await capture.stop();

    const asSip = ["-d", `tcp.port==${recorder.port},sip`];
    const bad = tshark(
      file,
      ...asSip,
      "-Y",
      "sip && (_ws.malformed || _ws.expert.severity >= Warning)",
      "-V",
    );
    assert.equal(bad, "");
    const invite = tshark(
      file,
      ...asSip,
      "-Y",
      'sip.Method == "INVITE" && sip.CSeq.method == "INVITE"',
      "-V",
    );
    assert.match(invite, /MIME Multipart Media Encapsulation, Type: multipart\/mixed/);
    assert.match(invite, /Media Description, name and address \(m\): audio \d+ RTP\/AVP 0/);
    assert.match(invite, /Media Attribute \(a\): label:inbound/);
    assert.match(invite, /Media Attribute \(a\): label:outbound/);
    assert.match(invite, /Media Attribute \(a\): sendonly/);
    assert.match(invite, /Content-Type: application\/rs-metadata\+xml/);
    assert.match(invite, /eXtensible Markup Language/);

    const streams = rtpStreams(file);
    const { inbound_port, outbound_port } = ears.keys;
    const forked = streams.filter(({ to }) => to === inbound_port || to === outbound_port);
    assert.deepEqual(
      forked.map(({ payload }) => payload),
      ["g711U", "g711U"],
    );
    assert.deepEqual(
      forked.map(({ lost }) => lost),
      [0, 0],
    );
    assert.equal(new Set(forked.map(({ ssrc }) => ssrc)).size, 2);
    assert.ok(forked.every(({ packets }) => packets >= 100));
    const others = new Set(streams.filter((stream) => !forked.includes(stream)).map(({ ssrc }) => ssrc));
    assert.ok(
      forked.every(({ ssrc }) => !others.has(ssrc)),
      "forks have SSRCs of their own",
    );
    // The digits did reach the server, and the callee.
    assert.ok(
      streams.some(({ to, payload }) => to >= 22_000 && to <= 22_999 && payload.includes("rtpevent")),
    );
    assert.ok(
      streams.some(({ from, payload }) => from >= 22_000 && from <= 22_999 && payload.includes("rtpevent")),
    );
    collect(requestsTo(recorder));
  });

  it("[R7866-7.1.1-3] a complete document with the INVITE, another when a party changes, last words with BYE", async (t) => {
    const ears = await openEars(t);
    const recorder = await Sipp.start(t, {
      scenario: "srs-takes-updates.xml",
      transport: "tcp",
      keys: ears.keys,
    });
    await server.connector("updates", `sip:recorder@127.0.0.1:${recorder.port};transport=tcp`);
    const call = await converse(t, server);
    const client = server.twilio();
    await client.calls(call.callSid).siprec.create({
      connectorName: "updates",
      "parameter1.name": "case",
      "parameter1.value": '<4711> & "more"',
      "parameter2.name": "päron",
      "parameter2.value": "åäö 🎧",
    } as Parameters<ReturnType<typeof client.calls>["siprec"]["create"]>[0]);
    await until("the INVITE", () => requestsTo(recorder).length > 0);
    const carol = await TestPhone.open({ user: "carol", displayName: "Carol", voice: loadVoice("bob") });
    t.after(() => carol.close());
    const answered = carol.nextCall();
    await client.calls(call.callSid).update({
      twiml: `<Response><Dial answerOnBridge="true"><Sip>${carol.uri}</Sip></Dial></Response>`,
    });
    await within("Carol answering", answered);
    await until("an UPDATE that names Carol", () =>
      requestsTo(recorder).some(
        ({ method, body }) => method === "UPDATE" && JSON.stringify(body.metadata).includes("carol"),
      ),
    );
    await call.alice.hangUp();
    await recorder.succeeded();

    const said = requestsTo(recorder);
    const invite = said.find(({ method }) => method === "INVITE")!;
    const { metadata, sdp = "" } = invite.body;
    assert.ok(metadata);
    assert.equal(metadata.dataMode, "complete");
    assert.deepEqual(labelsOf(sdp), ["inbound", "outbound"]);
    assert.deepEqual(
      metadata.streams.map(({ label }) => label),
      labelsOf(sdp),
    );
    const ids = [
      ...metadata.groups.map(({ groupId }) => groupId),
      ...metadata.sessions.map(({ sessionId }) => sessionId),
      ...metadata.participants.map(({ participantId }) => participantId),
      ...metadata.streams.map(({ streamId }) => streamId),
    ];
    assert.ok(ids.every((id) => isUuidObjectId(id)));
    assert.equal(new Set(ids).size, 1 + 1 + 2 + 2);
    const [alice, bob] = metadata.participants;
    const [inbound, outbound] = metadata.streams;
    assert.match(alice?.nameIds[0]?.aor ?? "", /^sip:alice@/);
    assert.match(bob?.nameIds[0]?.aor ?? "", /^sip:bob@/);
    const associations = metadata.participantStreamAssociations.map(({ participantId, send, recv }) => ({
      participantId,
      send,
      recv,
    }));
    assert.deepEqual(associations, [
      { participantId: alice?.participantId, send: [inbound?.streamId], recv: [outbound?.streamId] },
      { participantId: bob?.participantId, send: [outbound?.streamId], recv: [inbound?.streamId] },
    ]);
    assert.deepEqual(metadata.sessions[0]?.extensions[0]?.parameters, [
      { name: "case", value: '<4711> & "more"' },
      { name: "päron", value: "åäö 🎧" },
    ]);
    const updates = said.filter(({ method }) => method === "UPDATE");
    // A label means something only beside the session description that has it: streams never come without one.
    assert.ok(updates.every(({ body }) => body.metadata !== undefined));
    assert.ok(updates.every(({ body }) => body.metadata?.streams.length === 0 || body.sdp !== undefined));
    const bye = said.find(({ method }) => method === "BYE")!;
    assert.equal(bye.body.metadata?.dataMode, "partial");
    assert.ok(
      bye.body.metadata.sessions.every(
        ({ sessionId, stopTime }) => sessionId === metadata.sessions[0]?.sessionId && stopTime,
      ),
    );
    collect(said);
  });

  it("a single track has one line and one stream", async (t) => {
    const ears = await openEars(t);
    const recorder = await Sipp.start(t, {
      scenario: "srs-takes-one.xml",
      transport: "tcp",
      keys: ears.keys,
    });
    await server.connector("one", `sip:recorder@127.0.0.1:${recorder.port};transport=tcp`);
    const call = await converse(t, server);
    const siprec = server.twilio().calls(call.callSid).siprec;
    const { sid } = await siprec.create({ connectorName: "one", track: "inbound_track" });
    await until("audio", () => ears.inbound.heard().packets > 20);
    await siprec(sid).update({ status: "stopped" });
    await recorder.succeeded();
    const said = requestsTo(recorder);
    const { sdp = "", metadata } = said[0]!.body;
    assert.deepEqual(labelsOf(sdp), ["inbound"]);
    assert.deepEqual(
      metadata?.streams.map(({ label }) => label),
      ["inbound"],
    );
    collect(said);
  });

  it("[R7865-6.1-3] xmllint finds every document valid by the schema of RFC 7865", {
    skip: withoutSchema(),
  }, () => {
    assert.ok(emitted.length >= 5, `${emitted.length} documents`);
    assert.deepEqual(schemaComplaints(emitted), []);
  });
});
