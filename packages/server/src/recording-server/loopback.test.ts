import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { encodePcmu, PCMU_TO_LINEAR, pcmOf } from "@callfork/protocol/audio";
import { parseRtcp, writeRtpHeader } from "@callfork/protocol/rtp";
import { loadVoice } from "../../../testkit/src/phone/voices.ts";
import { createMediaPlane } from "../media/index.ts";
import { createResolver, createSipTransports, createSystemClock } from "../net/index.ts";
import type { Log } from "../observe/index.ts";
import { createUserAgent, type SipDialog, type UserAgentHandlers } from "../signalling/index.ts";
import { createRecordingServer } from "./index.ts";
import type { MetadataVersion, RecordingRecord, RecordingStore } from "./ports.ts";

const silent: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };
const clock = createSystemClock();
const random = { bytes: (length: number) => new Uint8Array(randomBytes(length)) };
const ACCOUNT = "AC1";

function memoryStore(): RecordingStore & { readonly rows: Map<string, RecordingRecord> } {
  const rows = new Map<string, RecordingRecord>();
  const versions: MetadataVersion[] = [];
  return {
    rows,
    saveRecording: async (record) => void rows.set(record.sid, record),
    addMetadataVersion: async (version) => void versions.push(version),
    findRecording: async (sid) => rows.get(sid),
    listRecordings: async () => [...rows.values()],
    listMetadataVersions: async () => versions,
    listUnfinishedRecordings: async () => [],
    deleteRecording: async (sid) => void rows.delete(sid),
  };
}

async function userAgent(t: TestContext, handlers: UserAgentHandlers) {
  const listen = [{ transport: "tcp" as const, address: "127.0.0.1", port: 0 }];
  const transports = await createSipTransports({ listen, log: silent, clock });
  const resolver = createResolver();
  const agent = createUserAgent({ transports, resolver, clock, random, log: silent, userAgentName: "test" });
  agent.attach(handlers);
  t.after(async () => {
    await agent.stop(1_000);
    await transports.close();
  });
  return { agent, port: transports.sentBy("tcp", "127.0.0.1").port };
}

async function boundSocket(t: TestContext): Promise<Socket> {
  const socket = createSocket("udp4");
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  t.after(() => socket.close());
  return socket;
}

/** What happens to a packet on its way. */
type Fate = "sent" | "lost" | "doubled" | { readonly late: number };

/** Sends 20 ms packets in real time; resolves when all have gone. */
async function speak(
  socket: Socket,
  port: number,
  audio: Uint8Array,
  fateOf: (index: number) => Fate,
): Promise<void> {
  const packets = audio.length / 160;
  const slots = new Map<number, number[]>();
  const put = (slot: number, index: number) => void slots.set(slot, [...(slots.get(slot) ?? []), index]);
  for (let index = 0; index < packets; index++) {
    const fate = fateOf(index);
    if (fate === "lost") continue;
    put(typeof fate === "object" ? index + fate.late : index, index);
    if (fate === "doubled") put(index + 3, index);
  }
  const started = performance.now();
  const last = Math.max(...slots.keys());
  for (let slot = 0; slot <= last; slot++) {
    while (performance.now() - started < slot * 20) await new Promise((resolve) => setTimeout(resolve, 5));
    for (const index of slots.get(slot) ?? []) {
      const packet = new Uint8Array(172);
      writeRtpHeader(
        packet,
        0,
        index === 0,
        0,
        (65_500 + index) & 0xffff,
        (0xffff_f000 + 160 * index) >>> 0,
        4711,
      );
      packet.set(audio.subarray(160 * index, 160 * index + 160), 12);
      socket.send(packet, port, "127.0.0.1");
    }
  }
}

test("two voices over real sockets, with loss, reordering and duplicates, are recorded to the sample; reports go back", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "callfork-loopback-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const media = await createMediaPlane({ ports: { first: 40_000, last: 49_999 }, workers: 1, log: silent });
  t.after(() => media.stop());
  const store = memoryStore();
  const recorder = createRecordingServer({
    media,
    store,
    folder,
    accountSid: ACCOUNT,
    allowedAddresses: ["127.0.0.0/8"],
    strict: true,
    clock,
    random,
    log: silent,
    alerts: { raise: () => {} },
  });
  await recorder.start();
  t.after(() => recorder.stop());
  const server = await userAgent(t, { onInvite: (invite) => recorder.accept(invite) });
  const client = await userAgent(t, { onInvite: (invite) => invite.reject(486) });

  const sockets = [await boundSocket(t), await boundSocket(t)];
  const reports: string[] = [];
  const rtcp = await boundSocket(t);
  rtcp.on("message", (bytes) => {
    const parsed = parseRtcp(bytes, 0, bytes.length);
    if (parsed.ok) reports.push(...parsed.value.map(({ kind }) => kind));
  });
  const lines = sockets.map((socket, index) =>
    [
      `m=audio ${socket.address().port} RTP/AVP 0`,
      `a=label:${["inbound", "outbound"][index]}`,
      "a=sendonly",
      `a=rtcp:${rtcp.address().port}`,
    ].join("\r\n"),
  );
  const offer = `v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n${lines.join("\r\n")}\r\n`;
  const answered = new Promise<{ dialog: SipDialog; ports: number[] }>((resolve, reject) =>
    client.agent.invite(
      {
        requestUri: `sip:recorder@127.0.0.1:${server.port};transport=tcp`,
        from: "sip:src@127.0.0.1",
        to: "sip:recorder@127.0.0.1",
        headers: [["Require", "siprec"]],
        contactParameters: ";+sip.src",
        body: { contentType: "application/sdp", bytes: new TextEncoder().encode(offer) },
      },
      {
        onAnswered: (dialog, _response, [part]) => {
          dialog.attach({ onEnded: () => {} });
          const answer = new TextDecoder().decode(part!.bytes);
          resolve({
            dialog,
            ports: [...answer.matchAll(/^m=audio (\d+)/gm)].map(([, port]) => Number(port)),
          });
          return undefined;
        },
        onFailed: (failure) => reject(new Error(failure.message)),
      },
    ),
  );
  const { dialog, ports } = await answered;

  const samples = 160 * 150; // three seconds
  const voices = (["alice", "bob"] as const).map((name) => {
    const octets = new Uint8Array(samples);
    encodePcmu(loadVoice(name).subarray(8_000, 8_000 + samples), octets);
    return octets;
  });
  const isLost = (index: number) => index >= 60 && index < 65;
  await Promise.all([
    speak(sockets[0]!, ports[0]!, voices[0]!, (index) =>
      isLost(index) ? "lost" : index % 20 === 7 ? "doubled" : index % 15 === 4 ? { late: 6 } : "sent",
    ),
    speak(sockets[1]!, ports[1]!, voices[1]!, () => "sent"),
  ]);
  // What is on its way still arrives: the recorder is asked until it knows.
  const { sid } = [...store.rows.values()][0]!;
  const deadline = performance.now() + 20_000;
  while (performance.now() < deadline) {
    const tracks = (await recorder.library.find(ACCOUNT, sid))!.tracks;
    if (tracks[0]!.packets === 145 && tracks[1]!.packets === 150) break;
    await new Promise((again) => setTimeout(again, 10));
  }
  await dialog.bye();
  while (recorder.liveCount > 0) await new Promise((again) => setTimeout(again, 5));

  const row = store.rows.get(sid)!;
  assert.equal(row.status, "completed");
  assert.deepEqual(
    row.tracks.map(({ packets, expected, lost, late, longestGapMs }) => [
      packets,
      expected,
      lost,
      late,
      longestGapMs,
    ]),
    [
      [145, 150, 5, 0, 100],
      [150, 150, 0, 0, 0],
    ],
  );
  assert.equal(row.tracks[0]!.duplicates, 8);
  for (const [at, label] of ["inbound", "outbound"].entries()) {
    const file = (await recorder.library.track(ACCOUNT, sid, label))!;
    const chunks: Uint8Array[] = [];
    for await (const chunk of file.open(0, file.length - 1)) chunks.push(chunk);
    const pcm = pcmOf(Buffer.concat(chunks));
    assert.ok(pcm.ok);
    const expected = Int16Array.from(voices[at]!, (code, sample) =>
      at === 0 && isLost(Math.floor(sample / 160)) ? 0 : PCMU_TO_LINEAR[code]!,
    );
    assert.deepEqual(pcm.value, expected, label);
  }
  assert.ok(reports.includes("rr") && reports.includes("sdes"), `RTCP: ${reports}`);
});
