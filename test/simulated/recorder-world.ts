import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { formatRtcp, ntpFromEpochMs, SDES_CNAME, writeRtpHeader } from "@callfork/protocol/rtp";
import { formatMultipart, SipHeaders, type SipResponse } from "@callfork/protocol/sip";
import { newObjectId, RECORDING_NAMESPACE } from "@callfork/protocol/siprec";
import type {
  DialogHandlers,
  HeaderLine,
  InviteFailure,
  ReceivedPart,
  SipBody,
  SipDialog,
} from "@callfork/server/signalling";
import { SeededRandom } from "@callfork/testkit";
import type {
  MediaEvent,
  MediaId,
  MediaPlane,
  MediaSrtp,
  MediaTarget,
  ReceiverOptions,
} from "../../packages/server/src/media/index.ts";
import {
  END_OF_BATCH,
  KIND_RTCP,
  KIND_RTP,
  RECORD_HEAD_BYTES,
  recordLength,
} from "../../packages/server/src/media/received-batch.ts";
import { PortsExhaustedError } from "../../packages/server/src/net/index.ts";
import type { Alert, Log } from "../../packages/server/src/observe/index.ts";
import {
  createRecordingServer,
  type MetadataVersion,
  type RecordingRecord,
  type RecordingServer,
  type RecordingServerOptions,
  type RecordingStore,
} from "../../packages/server/src/recording-server/index.ts";
import type { RecordingFilter } from "../../packages/server/src/recording-server/search.ts";
import { TrackWriter } from "../../packages/server/src/recording-server/tracks/writer.ts";
import { memoryLog, World } from "./pair.ts";

export const ACCOUNT = "AC00000000000000000000000000000001";

interface OpenReceiver extends ReceiverOptions {
  readonly port: number;
  remote: MediaTarget | null;
  payloadTypes: readonly number[];
  srtp?: MediaSrtp | undefined;
  handlers: ((event: MediaEvent) => void)[];
  closed: boolean;
}

/** A media plane that only has receivers: no sockets, but the same batches over the same ports, and the same rules. */
export class FakeReceivers {
  readonly receivers = new Map<MediaId, OpenReceiver>();
  /** Ports that are left. */
  free = 1_000;
  #lastId = 0;

  get plane(): MediaPlane {
    const absent = (): never => {
      throw new Error("this media plane has receivers only");
    };
    return {
      openLeg: absent,
      connectLeg: absent,
      bridge: absent,
      unbridge: absent,
      play: absent,
      stopPlay: absent,
      openFork: absent,
      startFork: absent,
      stats: async () => undefined,
      implementation: { io: "none", workers: 1 },
      stop: async () => {},
      openReceiver: async (options) => {
        if (this.free === 0) throw new PortsExhaustedError(20_000, 20_001);
        this.free--;
        const id = ++this.#lastId;
        const port = 20_000 + 2 * id;
        this.receivers.set(id, {
          ...options,
          port,
          remote: null,
          payloadTypes: [],
          handlers: [],
          closed: false,
        });
        // Receivers may share a sink, as in the real plane.
        if (options.sink.listenerCount("message") === 0) options.sink.on("message", () => {});
        return { id, address: "10.0.0.9", rtpPort: port, rtcpPort: port + 1 };
      },
      connectReceiver: (id, remote, payloadTypes, srtp) => {
        const receiver = this.receivers.get(id);
        if (receiver !== undefined) Object.assign(receiver, { remote, payloadTypes, srtp });
      },
      onEvent: (id, handler) => void this.receivers.get(id)?.handlers.push(handler),
      close: async (id) => {
        const receiver = this.receivers.get(id);
        if (receiver !== undefined && !receiver.closed) {
          receiver.closed = true;
          this.free++;
        }
        return undefined;
      },
    };
  }

  onPort(port: number): OpenReceiver {
    const found = [...this.receivers.values()].find((each) => each.port === port && !each.closed);
    if (found === undefined) throw new Error(`nobody receives on port ${port}`);
    return found;
  }

  /** Packets arrive at a port: those of types that nobody agreed on are dropped, the others go on in one batch. */
  arrive(
    port: number,
    packets: readonly { readonly bytes: Uint8Array; readonly arrivalTime: number }[],
  ): void {
    const receiver = this.onPort(port);
    const [id] = [...this.receivers].find(([, each]) => each === receiver)!;
    const isRtcp = (packet: Uint8Array): boolean => packet[1]! >= 192 && packet[1]! <= 223;
    const taken = packets.filter(
      ({ bytes }) => isRtcp(bytes) || receiver.payloadTypes.includes(bytes[1]! & 0x7f),
    );
    const length = taken.reduce((sum, { bytes }) => sum + recordLength(bytes.length), RECORD_HEAD_BYTES);
    const buffer = new ArrayBuffer(length);
    const view = new DataView(buffer);
    let at = 0;
    for (const { bytes, arrivalTime } of taken) {
      view.setUint32(at, id, true);
      view.setUint16(at + 4, bytes.length, true);
      view.setUint8(at + 6, isRtcp(bytes) ? KIND_RTCP : KIND_RTP);
      view.setFloat64(at + 8, arrivalTime, true);
      new Uint8Array(buffer).set(bytes, at + RECORD_HEAD_BYTES);
      at += recordLength(bytes.length);
    }
    view.setUint16(at + 4, END_OF_BATCH, true);
    if (taken.length > 0) receiver.sink.postMessage(buffer, [buffer]);
  }

  tell(port: number, event: (id: MediaId) => MediaEvent): void {
    for (const [id, receiver] of this.receivers) {
      if (receiver.port === port) for (const handler of receiver.handlers) handler(event(id));
    }
  }
}

/** Rows in memory, with the moments when they were written, and failures on demand. */
/** The conditions that the recorder itself asks for. */
function meets(row: RecordingRecord, filter: RecordingFilter): boolean {
  const { status, sessionId, groupId, partOf, startedFrom, extensionData, ...others } = filter;
  const asked = Object.values(others).filter((value) => value !== undefined);
  if (asked.length > 0) throw new Error(`not in this store: ${Object.keys(others).join(", ")}`);
  const { sessions } = row;
  return (
    (status === undefined || row.status === status) &&
    (startedFrom === undefined || row.startTime >= startedFrom) &&
    (partOf === undefined || row.partOf === partOf) &&
    (groupId === undefined || sessions.some((session) => session.groupId === groupId)) &&
    (sessionId === undefined ||
      sessions.some((session) => [session.sessionId, ...session.sipSessionIds].includes(sessionId))) &&
    Object.entries(extensionData ?? {}).every(([name, value]) => row.extensionData[name] === value)
  );
}

export class MemoryRecordings implements RecordingStore {
  readonly rows = new Map<string, RecordingRecord>();
  readonly versions: MetadataVersion[] = [];
  /** Names of operations, in order. */
  readonly journal: string[] = [];
  /** Operations that fail, and how often. */
  readonly failing = new Map<keyof RecordingStore, number>();

  async saveRecording(record: RecordingRecord): Promise<void> {
    this.#work("saveRecording");
    this.rows.set(record.sid, structuredClone(record));
  }

  async addMetadataVersion(version: MetadataVersion): Promise<void> {
    this.#work("addMetadataVersion");
    const same = (one: MetadataVersion) =>
      one.recordingSid === version.recordingSid && one.version === version.version;
    if (this.versions.some(same)) throw new Error("that version is there");
    this.versions.push({ ...version });
  }

  async findRecording(sid: string): Promise<RecordingRecord | undefined> {
    return this.rows.get(sid);
  }

  async listRecordings({
    accountSid,
    offset,
    limit,
    ...filter
  }: Parameters<RecordingStore["listRecordings"]>[0]) {
    const rows = [...this.rows.values()].reverse();
    return rows
      .filter((row) => row.accountSid === accountSid && meets(row, filter))
      .slice(offset, offset + limit);
  }

  async listMetadataVersions(sid: string): Promise<readonly MetadataVersion[]> {
    return this.versions.filter(({ recordingSid }) => recordingSid === sid);
  }

  async listUnfinishedRecordings(): Promise<readonly RecordingRecord[]> {
    return [...this.rows.values()].filter(({ status }) => status === "in-progress");
  }

  async deleteRecording(sid: string): Promise<void> {
    this.#work("deleteRecording");
    this.rows.delete(sid);
  }

  #work(operation: keyof RecordingStore): void {
    const left = this.failing.get(operation) ?? 0;
    if (left > 0) {
      this.failing.set(operation, left - 1);
      throw new Error(`${operation} fails`);
    }
    this.journal.push(operation);
  }
}

export interface Line {
  readonly label?: string | undefined;
  readonly kind?: string;
  readonly port?: number;
  readonly formats?: string;
  /** "" leaves it out. */
  readonly direction?: string;
  readonly address?: string;
  readonly attributes?: readonly string[];
}

/** A recording client's description, made here by hand so that it does not rest on the code under test. */
export function sdp(lines: readonly Line[], version = 1): string {
  const media = lines.map(
    ({
      label,
      kind = "audio",
      port = 4_000,
      formats = "0 8",
      direction = "sendonly",
      address,
      attributes = [],
    }) =>
      [
        `m=${kind} ${port} RTP/AVP ${formats}`,
        ...(address === undefined ? [] : [`c=IN IP4 ${address}`]),
        ...(label === undefined ? [] : [`a=label:${label}`]),
        ...(direction === "" ? [] : [`a=${direction}`]),
        ...attributes.map((each) => `a=${each}`),
      ].join("\r\n"),
  );
  return `v=0\r\no=SRC 7 ${version} IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\n${media.join("\r\n")}\r\n`;
}

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
export const text = (octets: Uint8Array): string => new TextDecoder().decode(octets);

/** Ids that RFC 7865 §6.10 wants: base64 of a UUID. */
const random = new SeededRandom(7865);
export const newId = (): string => newObjectId(random);

export interface Cast {
  readonly session: string;
  readonly alice: string;
  readonly bob: string;
  readonly inbound: string;
  readonly outbound: string;
}

export const newCast = (): Cast => ({
  session: newId(),
  alice: newId(),
  bob: newId(),
  inbound: newId(),
  outbound: newId(),
});

export function recordingXml(mode: "complete" | "partial", content: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<recording xmlns="${RECORDING_NAMESPACE}"><datamode>${mode}</datamode>${content}</recording>`;
}

/** Alice speaks on the first label, Bob on the second. */
export function completeXml(cast: Cast, labels: readonly [string, string] = ["inbound", "outbound"]): string {
  return recordingXml(
    "complete",
    `<session session_id="${cast.session}"><sipSessionID>ab30317f1a784dc48ff824d0d3715d86;remote=47755a9de7794ba387653f2099600ef2</sipSessionID>` +
      `<ExtensionParameters xmlns="urn:example:parameters"><Parameter name="case" value="42"/></ExtensionParameters></session>` +
      `<participant participant_id="${cast.alice}"><nameID aor="sip:alice@example.com"><name>Alice</name></nameID></participant>` +
      `<participant participant_id="${cast.bob}"><nameID aor="tel:+15550100"><name>Bob</name></nameID></participant>` +
      `<stream stream_id="${cast.inbound}" session_id="${cast.session}"><label>${labels[0]}</label></stream>` +
      `<stream stream_id="${cast.outbound}" session_id="${cast.session}"><label>${labels[1]}</label></stream>` +
      `<participantsessionassoc participant_id="${cast.alice}" session_id="${cast.session}"/>` +
      `<participantsessionassoc participant_id="${cast.bob}" session_id="${cast.session}"/>` +
      `<participantstreamassoc participant_id="${cast.alice}"><send>${cast.inbound}</send><recv>${cast.outbound}</recv></participantstreamassoc>` +
      `<participantstreamassoc participant_id="${cast.bob}"><send>${cast.outbound}</send><recv>${cast.inbound}</recv></participantstreamassoc>`,
  );
}

export interface Part {
  readonly type: string;
  readonly body: string | Uint8Array;
  readonly disposition?: string;
}

export const sdpPart = (body: string): Part => ({ type: "application/sdp", body });
export const metadataPart = (body: string | Uint8Array, type = "application/rs-metadata+xml"): Part => ({
  type,
  body,
  disposition: "recording-session",
});

export function body(...parts: readonly Part[]): SipBody {
  const [first] = parts;
  const octets = (part: Part) => (typeof part.body === "string" ? bytes(part.body) : part.body);
  if (parts.length === 1) {
    return {
      contentType: first!.type,
      bytes: octets(first!),
      ...(first!.disposition !== undefined && { disposition: first!.disposition }),
    };
  }
  return {
    contentType: 'multipart/mixed;boundary="a-boundary"',
    bytes: formatMultipart(
      parts.map((part) => ({
        headers: new SipHeaders([
          ["Content-Type", part.type],
          ...(part.disposition === undefined ? [] : [["Content-Disposition", part.disposition] as const]),
        ]),
        body: octets(part),
      })),
      "a-boundary",
    ),
  };
}

export interface Invited {
  dialog?: SipDialog;
  response?: SipResponse;
  answer: readonly ReceivedPart[];
  failure?: InviteFailure;
  ended?: string;
}

/** A log that remembers what its children are bound to. */
function childLog(): Log & { readonly lines: string[]; readonly children: object[] } {
  const log = memoryLog();
  const children: object[] = [];
  return {
    ...log,
    children,
    child: (fields) => {
      children.push(fields);
      return log;
    },
  };
}

/** A recorder on the virtual network, and a recording client that does what a test tells it. */
export class RecorderWorld {
  readonly world: World;
  readonly media = new FakeReceivers();
  readonly store = new MemoryRecordings();
  readonly alerts: Alert[] = [];
  readonly refused: string[] = [];
  readonly ended: RecordingRecord[] = [];
  readonly folder = mkdtempSync(join(tmpdir(), "callfork-recorder-"));
  readonly log = childLog();
  readonly #writers: TrackWriter[] = [];
  readonly recorder: RecordingServer;
  readonly agent: ReturnType<World["party"]>["agent"];

  constructor(options: Partial<RecordingServerOptions> = {}, world = new World()) {
    this.world = world;
    this.recorder = createRecordingServer(
      {
        media: this.media.plane,
        store: this.store,
        folder: join(this.folder, "recordings"),
        accountSid: ACCOUNT,
        allowedAddresses: ["10.0.0.0/8"],
        strict: false,
        clock: this.world.clock,
        random: new SeededRandom(1),
        log: this.log,
        alerts: { raise: (alert) => void this.alerts.push(alert) },
        onEnded: (record) => void this.ended.push(record),
        onRefused: (reason) => void this.refused.push(reason),
        ...options,
      },
      (...args) => {
        const writer = new TrackWriter(...args);
        this.#writers.push(writer);
        return writer;
      },
    );
    this.agent = this.world.party("10.0.0.1", { onInvite: (invite) => invite.reject(486) }).agent;
    this.world.party("10.0.0.2", { onInvite: (invite) => this.recorder.accept(invite) });
  }

  /** A running recorder that stops with the test. */
  static async start(
    test: TestContext,
    options: Partial<RecordingServerOptions> = {},
  ): Promise<RecorderWorld> {
    const world = new RecorderWorld(options);
    test.after(() => world.stop());
    await world.recorder.start();
    return world;
  }

  /** Lets time pass until `done`, virtual and real alike: files and threads know no virtual time. */
  async until(done: () => boolean, what = "it"): Promise<void> {
    const deadline = performance.now() + 10_000;
    while (!done()) {
      if (performance.now() > deadline)
        throw new Error(`${what} did not happen\n${[...this.log.lines, ...this.world.wire].join("\n")}`);
      await this.world.clock.advance(1);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  async settle<T>(promise: Promise<T>): Promise<T> {
    let settled = false;
    const mark = (): void => {
      settled = true;
    };
    promise.then(mark, mark);
    await this.until(() => settled, "a promise");
    return promise;
  }

  /** Sends an INVITE and waits for its final answer. */
  async invite(
    with_: SipBody | undefined,
    options: {
      readonly headers?: readonly HeaderLine[];
      readonly contactParameters?: string;
      readonly to?: string;
      readonly from?: string;
      /** In the ACK: to the recorder's offer. */
      readonly answer?: SipBody;
      readonly handlers?: Partial<DialogHandlers>;
    } = {},
  ): Promise<Invited> {
    const invited: Invited = { answer: [] };
    this.agent.invite(
      {
        requestUri: options.to ?? "sip:recorder@10.0.0.2;transport=tcp",
        from: options.from ?? "sip:src@10.0.0.1",
        to: options.to ?? "sip:recorder@10.0.0.2",
        headers: options.headers ?? [["Require", "siprec"]],
        contactParameters: options.contactParameters ?? ";+sip.src",
        ...(with_ !== undefined && { body: with_ }),
      },
      {
        onAnswered: (dialog, response, parts) => {
          Object.assign(invited, { dialog, response, answer: parts });
          dialog.attach({
            onEnded: ({ cause }) => {
              invited.ended = cause;
            },
            ...options.handlers,
          });
          return options.answer;
        },
        onFailed: (failure) => Object.assign(invited, { failure }),
      },
    );
    await this.until(() => invited.dialog !== undefined || invited.failure !== undefined, "an answer");
    return invited;
  }

  /** An ordinary recording of two tracks. */
  async record(
    cast = newCast(),
  ): Promise<Invited & { readonly dialog: SipDialog; readonly ports: number[] }> {
    const offer = sdp([
      { label: "inbound", port: 4_000 },
      { label: "outbound", port: 4_002 },
    ]);
    const invited = await this.invite(body(sdpPart(offer), metadataPart(completeXml(cast))));
    if (invited.dialog === undefined) throw new Error(`refused: ${invited.failure?.status}`);
    return { ...invited, dialog: invited.dialog, ports: portsOf(invited.answer) };
  }

  get onlyRow(): RecordingRecord {
    const [row] = this.store.rows.values();
    if (row === undefined) throw new Error("no row");
    return row;
  }

  async now(): Promise<RecordingRecord> {
    return (await this.recorder.library.find(ACCOUNT, this.onlyRow.sid))!;
  }

  /** Sends BYE and waits for the row. */
  async hangUp(dialog: SipDialog, with_?: SipBody): Promise<RecordingRecord> {
    await this.settle(dialog.bye(with_ === undefined ? {} : { body: with_ }));
    await this.until(() => this.recorder.liveCount === 0, "the recording's end");
    return this.onlyRow;
  }

  /** Ends the writer's thread as a defect in it would. */
  async killWriter(): Promise<void> {
    await this.#writers.at(-1)!.kill();
  }

  async stop(): Promise<void> {
    await this.settle(this.recorder.stop()).finally(() =>
      rmSync(this.folder, { recursive: true, force: true }),
    );
  }
}

export function answerText(answer: readonly ReceivedPart[]): string {
  return text(answer.find(({ mediaType }) => mediaType === "application/sdp")?.bytes ?? new Uint8Array());
}

export function portsOf(answer: readonly ReceivedPart[]): number[] {
  return [...answerText(answer).matchAll(/^m=\S+ (\d+)/gm)].map(([, port]) => Number(port));
}

/** 20 ms of G.711 as packets. */
export function stream(options: {
  readonly packets: number;
  readonly payload: (index: number) => Uint8Array;
  readonly startTime: number;
  readonly ssrc?: number;
  readonly sequence?: number;
  readonly timestamp?: number;
  readonly payloadType?: number;
}): { bytes: Uint8Array; arrivalTime: number }[] {
  const {
    packets,
    payload,
    startTime,
    ssrc = 0xcafe,
    sequence = 65_530,
    timestamp = 0xffff_ff00,
    payloadType = 0,
  } = options;
  return Array.from({ length: packets }, (_, index) => {
    const audio = payload(index);
    const packet = new Uint8Array(12 + audio.length);
    writeRtpHeader(
      packet,
      0,
      index === 0,
      payloadType,
      (sequence + index) & 0xffff,
      (timestamp + 160 * index) >>> 0,
      ssrc,
    );
    packet.set(audio, 12);
    return { bytes: packet, arrivalTime: startTime + 20 * index };
  });
}

/** A compound packet that says when the sender took a sample. */
export function senderReport(ssrc: number, ntpMs: number, rtpTimestamp: number, cname: string): Uint8Array {
  const ntp = ntpFromEpochMs(ntpMs);
  return formatRtcp([
    { kind: "sr", ssrc, ntp, rtpTimestamp: rtpTimestamp >>> 0, packets: 1, octets: 160, reports: [] },
    { kind: "sdes", chunks: [{ source: ssrc, items: [{ type: SDES_CNAME, value: cname }] }] },
  ]);
}

/** Octets that tell where they belong. */
export function speech(index: number, seed = 0): Uint8Array {
  return Uint8Array.from({ length: 160 }, (_, at) => (index * 31 + at * 7 + seed * 101 + 1) & 0xff);
}

export async function drainFile(
  file: { length: number; open(start: number, end: number): NodeJS.ReadableStream },
  start = 0,
  end = file.length - 1,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of file.open(start, end)) chunks.push(chunk as unknown as Uint8Array);
  return Buffer.concat(chunks);
}
