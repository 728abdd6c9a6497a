import { randomBytes } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { pcmOf } from "@callfork/protocol/audio";
import { writeRtpHeader } from "@callfork/protocol/rtp";
import { createMediaPlane } from "../../media/index.ts";
import { createResolver, createSipTransports, createSystemClock } from "../../net/index.ts";
import type { Log } from "../../observe/index.ts";
import { createUserAgent, type SipDialog } from "../../signalling/index.ts";
import { createRecordingServer, type RecordingServer, type RecordingServerOptions } from "../index.ts";
import type { MetadataVersion, RecordingRecord, RecordingStore } from "../ports.ts";

const silent: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };
const random = { bytes: (length: number) => new Uint8Array(randomBytes(length)) };
const ACCOUNT = "AC1";

/** A recording that runs over real sockets. */
export interface LiveRecording {
  readonly sid: string;
  readonly dialog: SipDialog;
  readonly ports: readonly number[];
}

/** A recorder with a real media plane, and a recording client that does what a test tells it. */
export class RealRecorder {
  readonly recorder: RecordingServer;
  readonly rows: ReadonlyMap<string, RecordingRecord>;
  readonly #call: (offer: string) => Promise<{ dialog: SipDialog; answer: string }>;

  private constructor(
    recorder: RecordingServer,
    rows: ReadonlyMap<string, RecordingRecord>,
    call: (offer: string) => Promise<{ dialog: SipDialog; answer: string }>,
  ) {
    this.recorder = recorder;
    this.rows = rows;
    this.#call = call;
  }

  static async start(
    t: TestContext,
    ports: { readonly first: number; readonly last: number },
    options: Partial<RecordingServerOptions> = {},
  ): Promise<RealRecorder> {
    const folder = mkdtempSync(join(tmpdir(), "callfork-real-"));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const media = await createMediaPlane({ ports, workers: 1, log: silent });
    t.after(() => media.stop());
    const rows = new Map<string, RecordingRecord>();
    const clock = createSystemClock();
    const recorder = createRecordingServer({
      media,
      store: storeOf(rows),
      folder: join(folder, "recordings"),
      accountSid: ACCOUNT,
      allowedAddresses: ["127.0.0.0/8"],
      strict: false,
      clock,
      random,
      log: silent,
      alerts: { raise: () => {} },
      ...options,
    });
    await recorder.start();
    t.after(() => recorder.stop());
    const agents = [];
    for (let at = 0; at < 2; at++) {
      const listen = [{ transport: "tcp" as const, address: "127.0.0.1", port: 0 }];
      const transports = await createSipTransports({ listen, log: silent, clock });
      const agent = createUserAgent({
        transports,
        resolver: createResolver(),
        clock,
        random,
        log: silent,
        userAgentName: "test",
      });
      agent.attach({
        onInvite: (invite) => (at === 0 ? recorder.accept(invite) : invite.reject(486)),
      });
      t.after(async () => {
        await agent.stop(1_000);
        await transports.close();
      });
      agents.push({ agent, port: transports.sentBy("tcp", "127.0.0.1").port });
    }
    const [server, client] = agents;
    const call = (offer: string) =>
      new Promise<{ dialog: SipDialog; answer: string }>((resolve, reject) =>
        client!.agent.invite(
          {
            requestUri: `sip:recorder@127.0.0.1:${server!.port};transport=tcp`,
            from: "sip:src@127.0.0.1",
            to: "sip:recorder@127.0.0.1",
            headers: [["Require", "siprec"]],
            contactParameters: ";+sip.src",
            body: { contentType: "application/sdp", bytes: new TextEncoder().encode(offer) },
          },
          {
            onAnswered: (dialog, _response, [part]) => {
              dialog.attach({ onEnded: () => {} });
              resolve({ dialog, answer: new TextDecoder().decode(part!.bytes) });
              return undefined;
            },
            onFailed: (failure) => reject(new Error(failure.message)),
          },
        ),
      );
    return new RealRecorder(recorder, rows, call);
  }

  /** One line a socket, that its media comes from. */
  async record(sockets: readonly Socket[]): Promise<LiveRecording> {
    const before = new Set(this.rows.keys());
    const lines = sockets.map(
      (socket, at) => `m=audio ${socket.address().port} RTP/AVP 0\r\na=label:${at + 1}\r\na=sendonly\r\n`,
    );
    const head = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n";
    const { dialog, answer } = await this.#call(head + lines.join(""));
    const ports = [...answer.matchAll(/^m=audio (\d+)/gm)].map(([, port]) => Number(port));
    const sid = [...this.rows.keys()].find((one) => !before.has(one))!;
    return { sid, dialog, ports };
  }

  async hangUp({ dialog, sid }: LiveRecording): Promise<RecordingRecord> {
    await dialog.bye();
    return this.ended(sid);
  }

  async ended(sid: string): Promise<RecordingRecord> {
    for (;;) {
      const row = this.rows.get(sid);
      if (row !== undefined && row.status !== "in-progress") return row;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /** Resolves when so many packets have been written. */
  async heard(sid: string, packets: readonly number[]): Promise<void> {
    const deadline = performance.now() + 20_000;
    for (;;) {
      const { tracks } = (await this.recorder.library.find(ACCOUNT, sid))!;
      if (packets.every((count, at) => tracks[at]!.packets >= count)) return;
      if (performance.now() > deadline) {
        throw new Error(`of ${packets} packets ${tracks.map((track) => track.packets)} were written`);
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  async samples(sid: string, label: string): Promise<Int16Array> {
    const file = (await this.recorder.library.track(ACCOUNT, sid, label))!;
    const chunks: Uint8Array[] = [];
    for await (const chunk of file.open(0, file.length - 1)) chunks.push(chunk);
    const pcm = pcmOf(Buffer.concat(chunks));
    if (!pcm.ok) throw new Error(pcm.error.message);
    return pcm.value;
  }
}

export async function boundSocket(t: TestContext): Promise<Socket> {
  const socket = createSocket("udp4");
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  t.after(() => socket.close());
  return socket;
}

/** A packet of 20 ms. */
export function rtpPacket(index: number, payload: Uint8Array, ssrc = 4711, payloadType = 0): Uint8Array {
  const packet = new Uint8Array(12 + payload.length);
  writeRtpHeader(packet, 0, index === 0, payloadType, index & 0xffff, (160 * index) >>> 0, ssrc);
  packet.set(payload, 12);
  return packet;
}

/** Octets that tell where they belong. */
export function speechAt(index: number, seed = 0): Uint8Array {
  return Uint8Array.from({ length: 160 }, (_, at) => (index * 31 + at * 7 + seed * 101 + 1) & 0xff);
}

function storeOf(rows: Map<string, RecordingRecord>): RecordingStore {
  const versions: MetadataVersion[] = [];
  return {
    saveRecording: async (record) => void rows.set(record.sid, record),
    addMetadataVersion: async (version) => void versions.push(version),
    findRecording: async (sid) => rows.get(sid),
    listRecordings: async () => [...rows.values()],
    listMetadataVersions: async () => versions,
    listUnfinishedRecordings: async () => [],
    deleteRecording: async (sid) => void rows.delete(sid),
  };
}
