import assert from "node:assert/strict";
import { after, before, describe, it, type TestContext } from "node:test";
import { readRecordingMetadata } from "@callfork/protocol/siprec";
import { RtpEndpoint } from "@callfork/testkit";
import { Owned } from "./support/owned.ts";
import { without } from "./support/programs.ts";
import { type RecordingJson, recordingOf, speakersOn } from "./support/recordings.ts";
import { TestServer } from "./support/server.ts";
import { Sipp } from "./support/sipp.ts";
import { assertIsVoice, encodedVoice, wavSamples } from "./support/voices.ts";

const owned = new Owned();
let server: TestServer;

interface Source {
  readonly sipp: Sipp;
  readonly callId: string;
}

/** Runs a scenario against a recorder; Alice speaks on its first stream and Bob on its second. */
async function record(
  t: TestContext,
  scenario: string,
  transport: "udp" | "tcp",
  port = server.sipPort,
): Promise<Source> {
  const mouths = [];
  for (const voice of ["alice", "bob"] as const) {
    const mouth = await RtpEndpoint.open({
      address: "127.0.0.1",
      payloadType: 0,
      audio: encodedVoice(voice),
    });
    t.after(() => mouth.close());
    mouths.push(mouth);
  }
  const [first, second] = mouths;
  const sipp = await Sipp.start(t, {
    scenario,
    transport,
    target: { port, user: "recorder" },
    keys: { inbound_port: first!.port, outbound_port: second!.port },
    pauseMs: 3_000,
  });
  const { message } = await sipp.message(
    "the recorder's answer",
    ({ direction, message }) =>
      direction === "received" && message.kind === "response" && message.status === 200,
  );
  const ports = [
    ...Buffer.from(message.body)
      .toString()
      .matchAll(/^m=audio (\d+) /gm),
  ].map(([, port]) => Number(port));
  assert.equal(ports.length, 2);
  for (const [index, mouth] of mouths.entries()) {
    mouth.setRemote("127.0.0.1", ports[index]!);
    mouth.speak();
  }
  return { sipp, callId: message.headers.get("Call-ID") ?? "" };
}

/** Every track is bit for bit one person's voice. */
async function assertVoices(
  recording: RecordingJson,
  voices: Readonly<Record<string, "alice" | "bob">>,
): Promise<void> {
  assert.deepEqual(recording.tracks.map(({ label }) => label).sort(), Object.keys(voices).sort());
  for (const track of recording.tracks) {
    assert.equal(track.lost, 0);
    assert.equal(track.codec, "PCMU");
    assert.ok(track.packets >= 50, `${track.packets} packets`);
    const path = `/v1/Recordings/${recording.sid}/Tracks/${encodeURIComponent(track.label)}.wav`;
    const { samples } = wavSamples(await server.bytes(path));
    assert.ok(samples.length >= 50 * 160);
    assertIsVoice(samples, voices[track.label]!, `track ${track.label}`);
  }
}

describe("SIPp as recording client", { skip: without("sipp"), concurrency: 4 }, () => {
  before(async () => {
    server = await TestServer.start(owned);
  });
  after(() => owned.release());

  for (const transport of ["tcp", "udp"] as const) {
    it(`[R6341-002] [R6341-010] one to the letter of RFC 7866 is recorded whole (${transport})`, async (t) => {
      const { sipp, callId } = await record(t, "src-rfc7866.xml", transport);
      await sipp.succeeded();
      const recording = await recordingOf(server, callId);
      assert.equal(recording.status, "completed");
      // The scenario names one session, and runs twice at a time.
      assert.deepEqual(
        recording.warnings.filter(({ code }) => code !== "TWIN_SESSION"),
        [],
      );
      assert.equal(recording.source.transport, transport);
      assert.deepEqual(recording.participants.map(({ aor, name }) => [aor, name]).sort(), [
        ["sip:alice@example.com", "Alice"],
        ["sip:bob@example.com", "Bob"],
      ]);
      assert.deepEqual(recording.sessions, [
        {
          session_id: "hVpd7YQgRW2nD22h7q60JQ==",
          group_id: "7+OTCyoxTmqmqyA/1weDAg==",
          sip_session_ids: ["ab30317f1a784dc48ff824d0d3715d86;remote=47755a9de7794ba387653f2099600ef2"],
        },
      ]);
      const speakers = Object.fromEntries(
        recording.tracks.map((track) => [track.label, speakersOn(recording, track)]),
      );
      assert.deepEqual(speakers, { 96: ["sip:alice@example.com"], 97: ["sip:bob@example.com"] });
      await assertVoices(recording, { 96: "alice", 97: "bob" });

      const { channels } = wavSamples(await server.bytes(`/v1/Recordings/${recording.sid}/Media.wav`));
      assert.equal(channels, 2);
      const xml = await server.bytes(`/v1/Recordings/${recording.sid}/Metadata.xml`);
      const sent = sipp.messages().find(({ direction }) => direction === "sent")!;
      assert.ok(
        Buffer.from(sent.bytes).includes(Buffer.from(xml)),
        "the metadata is kept as it came, octet for octet",
      );
      assert.equal(readRecordingMetadata(xml, {}).ok, true);
    });
  }

  it("one as Twilio sends it is recorded, with its parameters and who is who", async (t) => {
    const { sipp, callId } = await record(t, "src-twilio-like.xml", "tcp");
    await sipp.succeeded();
    const recording = await recordingOf(server, callId);
    assert.equal(recording.status, "completed");
    assert.equal(recording.source.user_agent, "Twilio Gateway");
    assert.deepEqual(recording.extension_data, { Role: "agent", CallerDisplayName: "Alice & Co" });
    const speakers = recording.tracks.map((track) => [track.label, ...speakersOn(recording, track)]);
    assert.match(JSON.stringify(speakers), /\["inbound","[^"]*\+15550100[^"]*"\]/);
    assert.match(JSON.stringify(speakers), /\["outbound","[^"]*client:bob[^"]*"\]/);
    await assertVoices(recording, { inbound: "alice", outbound: "bob" });
  });

  it("the recorder's BYE follows Record-Route, not a private Contact", async (t) => {
    const own = new Owned();
    t.after(() => own.release());
    const stopped = await TestServer.start(own, { command: "record" });
    const { sipp } = await record(t, "src-twilio-like-is-ended.xml", "tcp", stopped.sipPort);
    await sipp.message("the ACK", ({ message }) => message.kind === "request" && message.method === "ACK");
    const ended = stopped.child.stop("SIGTERM");
    await sipp.succeeded();
    assert.deepEqual(await ended, { code: 0, signal: null });
  });

  it("[V-02] [V-05] [V-06] [V-08] [V-10] [V-14] one as Oracle sends it is recorded, with who is who", async (t) => {
    const { sipp, callId } = await record(t, "src-oracle-like.xml", "tcp");
    await sipp.succeeded();
    const recording = await recordingOf(server, callId);
    assert.equal(recording.status, "completed");
    const speakers = Object.fromEntries(
      recording.tracks.map((track) => [track.label, speakersOn(recording, track)]),
    );
    assert.deepEqual(speakers, { 65804: ["sip:alice@10.1.0.1"], 65805: ["sip:bob@10.1.0.2"] });
    assert.deepEqual(
      recording.participants.map(({ name }) => name),
      ["Alice", null],
    );
    await assertVoices(recording, { 65804: "alice", 65805: "bob" });
  });

  it("[V-23] metadata may stand before the session description, beside parts that nobody knows", async (t) => {
    const { sipp, callId } = await record(t, "src-metadata-first.xml", "tcp");
    await sipp.succeeded();
    const recording = await recordingOf(server, callId);
    assert.equal(recording.status, "completed");
    await assertVoices(recording, { 96: "alice", 97: "bob" });
  });

  it("[V-20] streams without labels are told apart by the order of their lines", async (t) => {
    const { sipp, callId } = await record(t, "src-no-labels.xml", "udp");
    await sipp.succeeded();
    const recording = await recordingOf(server, callId);
    assert.equal(recording.status, "completed");
    assert.equal(recording.tracks.length, 2);
    const [first, second] = recording.tracks;
    assert.deepEqual(speakersOn(recording, first!), ["sip:alice@example.com"]);
    assert.deepEqual(speakersOn(recording, second!), ["sip:bob@example.com"]);
    await assertVoices(recording, { [first!.label]: "alice", [second!.label]: "bob" });
    assert.ok(recording.warnings.length > 0, "and there is a warning");
  });

  it("[V-19] one without metadata is recorded all the same", async (t) => {
    const { sipp, callId } = await record(t, "src-no-metadata.xml", "udp");
    await sipp.succeeded();
    const recording = await recordingOf(server, callId);
    assert.equal(recording.status, "completed");
    await assertVoices(recording, { 96: "alice", 97: "bob" });
    assert.ok(recording.warnings.length > 0, "and there is a warning");
  });

  it("a stranger's recording session is refused, and nothing is kept of it", async (t) => {
    const own = new Owned();
    t.after(() => own.release());
    const closed = await TestServer.start(own, {
      command: "record",
      flags: ["--recorder-allowed-addresses", "192.0.2.0/24"],
    });
    const sipp = await Sipp.start(t, {
      scenario: "src-refused.xml",
      target: { port: closed.sipPort, user: "recorder" },
      keys: { inbound_port: 40_000, outbound_port: 40_002 },
    });
    await sipp.succeeded();
    const { recordings } = await closed.get<{ recordings: unknown[] }>("/v1/Recordings");
    assert.deepEqual(recordings, []);
  });
});
