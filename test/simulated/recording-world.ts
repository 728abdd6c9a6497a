import assert from "node:assert/strict";
import { after } from "node:test";
import { parseSessionDescription, type SessionDescription } from "@callfork/protocol/sdp";
import type { SipRequest, SipResponse } from "@callfork/protocol/sip";
import {
  isMetadataMediaType,
  type RecordingMetadata,
  readRecordingMetadata,
  writeSnapshotRequest,
} from "@callfork/protocol/siprec";
import type {
  DialogAnswer,
  DialogEnd,
  IncomingInvite,
  InviteOptions,
  OutgoingInvite,
  ReceivedPart,
  SipBody,
  SipDialog,
} from "@callfork/server/signalling";
import { SeededRandom, type VirtualNetworkOptions, type VirtualNodeOptions } from "@callfork/testkit";
import {
  type CallbackRequest,
  type CallControl,
  type CallParty,
  type CallRecord,
  type CallTap,
  NO_PEER_CERTIFICATE,
  type SiprecRecord,
  type SiprecStart,
} from "../../packages/server/src/calls/index.ts";
import type {
  ForkConnection,
  ForkOptions,
  MediaEvent,
  MediaPlane,
  MediaPort,
  MediaStats,
} from "../../packages/server/src/media/index.ts";
import type { Alert } from "../../packages/server/src/observe/index.ts";
import {
  type ConnectorRecord,
  createRecordingClient,
  DEFAULT_CONNECTOR_SETTINGS,
  type RecordingClient,
  type RecordingClientOptions,
  type SiprecStore,
} from "../../packages/server/src/recording-client/index.ts";
import {
  schemaComplaints,
  schemaMissing,
} from "../../packages/server/src/recording-client/testing/schema.ts";
import { memoryLog, type Party, World } from "./pair.ts";

/** Every document that any recorder of this test file was sent: at the end all are held against the schema. */
const written: Uint8Array[] = [];

after(() => {
  if (schemaMissing === false) assert.deepEqual(schemaComplaints(written), []);
});

export const ACCOUNT = `AC${"1".repeat(32)}`;
export const CALL = `CA${"2".repeat(32)}`;
export const RECORDER = "10.0.0.9";
const PLATFORM = "192.0.2.1";
const LEG = 7;

export interface OpenFork {
  readonly id: number;
  readonly options: ForkOptions;
  readonly port: MediaPort;
  /** What it was told, in order. */
  readonly connections: ForkConnection[];
  closed: boolean;
  sent: number;
  withheld: number;
}

function statsOf({ sent, withheld }: OpenFork): MediaStats {
  const nothing = {
    ssrc: null,
    packets: 0,
    octets: 0,
    expected: 0,
    lost: 0,
    duplicates: 0,
    late: 0,
    jitterMs: 0,
    firstPacketTime: null,
    lastPacketTime: null,
  };
  return {
    received: nothing,
    sent: { ...nothing, packets: sent, octets: sent * 160 },
    dropped: 0,
    rejected: 0,
    withheld,
  };
}

/** A media plane that carries nothing and remembers its forks. */
export class ForkingMedia implements MediaPlane {
  readonly implementation = { io: "none", workers: 1 };
  readonly forks: OpenFork[] = [];
  readonly #handlers = new Map<number, (event: MediaEvent) => void>();
  fails = false;
  /** Questions are not answered any more. */
  isDeaf = false;
  /** Ports that are asked for come when this resolves. */
  slow: Promise<void> | undefined;
  onClose: (() => void) | undefined;

  async openFork(options: ForkOptions): Promise<MediaPort> {
    await this.slow;
    if (this.fails) throw new Error("no port is free");
    const id = this.forks.length + 1;
    const port = { id, address: PLATFORM, rtpPort: 20_000 + 2 * id, rtcpPort: 20_001 + 2 * id };
    this.forks.push({ id, options, port, connections: [], closed: false, sent: 0, withheld: 0 });
    return port;
  }

  startFork(id: number, connection: ForkConnection): void {
    this.forks.find((fork) => fork.id === id)?.connections.push(connection);
  }

  async close(id: number): Promise<MediaStats | undefined> {
    const fork = this.forks.find((each) => each.id === id && !each.closed);
    if (fork) fork.closed = true;
    this.onClose?.();
    return fork && statsOf(fork);
  }

  /** One packet of every track, from the call: sent, withheld, or without a way yet. */
  packet(): void {
    for (const fork of this.forks) {
      const connection = fork.connections.at(-1);
      if (fork.closed || connection === undefined) continue;
      if (connection.withhold) fork.withheld += 1;
      else fork.sent += 1;
    }
  }

  onEvent(id: number, handler: (event: MediaEvent) => void): void {
    this.#handlers.set(id, handler);
  }

  tell(id: number, event: MediaEvent): void {
    this.#handlers.get(id)?.(event);
  }

  get openCount(): number {
    return this.forks.filter((fork) => !fork.closed).length;
  }

  /** Where the packets of a track go now; undefined: nowhere. */
  flows(track: "inbound" | "outbound"): ForkConnection | undefined {
    const fork = this.forks.findLast((each) => each.options.track === track && !each.closed);
    const connection = fork?.connections.at(-1);
    return connection && connection.payloadTypes.size > 0 && !connection.withhold ? connection : undefined;
  }

  async openLeg(): Promise<MediaPort> {
    throw new Error("the recording client opens no legs");
  }
  connectLeg(): void {}
  bridge(): void {}
  unbridge(): void {}
  async play(): Promise<boolean> {
    return false;
  }
  stopPlay(): void {}
  async openReceiver(): Promise<MediaPort> {
    throw new Error("the recording client receives nothing");
  }
  connectReceiver(): void {}
  async stats(id: number): Promise<MediaStats | undefined> {
    if (this.isDeaf) await new Promise(() => {});
    const fork = this.forks.find((each) => each.id === id && !each.closed);
    return fork && statsOf(fork);
  }
  async stop(): Promise<void> {}
}

/** The store in memory: each save with what it owed. */
export class MemorySiprecStore implements SiprecStore {
  readonly rows = new Map<string, SiprecRecord>();
  readonly saves: { readonly record: SiprecRecord; readonly callbacks: readonly CallbackRequest[] }[] = [];
  readonly pastCalls = new Set<string>();
  failures = 0;

  async saveSiprec(record: SiprecRecord, callbacks: readonly CallbackRequest[]): Promise<void> {
    if (this.failures > 0) {
      this.failures -= 1;
      throw new Error("the disk is full");
    }
    this.rows.set(record.sid, record);
    this.saves.push({ record, callbacks });
  }

  async findSiprec(callSid: string, sidOrName: string): Promise<SiprecRecord | undefined> {
    const rows = [...this.rows.values()].filter((row) => row.callSid === callSid);
    return rows.find(({ sid }) => sid === sidOrName) ?? rows.findLast(({ name }) => name === sidOrName);
  }

  async closeOrphanedSiprecs(now: number): Promise<readonly SiprecRecord[]> {
    const live = [...this.rows.values()].filter(({ status }) => status !== "stopped");
    const closed = live.map((row) => ({
      ...row,
      status: "stopped" as const,
      endTime: now,
      dateUpdated: now,
    }));
    for (const row of closed) this.rows.set(row.sid, row);
    return closed;
  }

  readonly calls = new Map<string, CallRecord>();

  async findCall(callSid: string): Promise<CallRecord | undefined> {
    return this.calls.get(callSid);
  }

  async callExists(_accountSid: string | undefined, callSid: string): Promise<boolean> {
    return this.pastCalls.has(callSid);
  }

  get callbacks(): CallbackRequest[] {
    return this.saves.flatMap(({ callbacks }) => callbacks);
  }

  /** SiprecEvent of each callback, in order. */
  get events(): (string | undefined)[] {
    return this.callbacks.map((callback) => parameterOf(callback, "SiprecEvent"));
  }
}

export const parameterOf = (callback: CallbackRequest | undefined, name: string): string | undefined =>
  callback?.parameters.find(([key]) => key === name)?.[1];

type TapCodec = ReturnType<CallTap["codecs"]>[number];

export const PCMU: TapCodec = { name: "PCMU", clockRateHz: 8000, payloadType: 0 };
export const PCMA: TapCodec = { name: "PCMA", clockRateHz: 8000, payloadType: 8 };
const EVENTS: TapCodec = { name: "telephone-event", clockRateHz: 8000, payloadType: 101, fmtp: "0-16" };

/** A live call as forks see it, changed by hand. */
export class FakeCall implements CallTap {
  readonly callSid = CALL;
  readonly accountSid = ACCOUNT;
  leg: number | undefined = LEG;
  list: readonly TapCodec[] = [PCMU, EVENTS];
  other: CallParty = { aor: "sip:bob@example.com", displayName: "Bob <B> & Sons" };
  session: string | undefined = "ab".repeat(16);
  way: ReturnType<CallTap["direction"]> = "sendrecv";
  ended = false;
  hangups = 0;
  readonly #change = new Set<() => void>();
  readonly #end = new Set<() => void>();

  mediaLeg = (): number | undefined => this.leg;
  codecs = (): readonly TapCodec[] => this.list;
  party = (): CallParty => ({ aor: "sip:alice@example.com", displayName: "Alice" });
  counterpart = (): CallParty => this.other;
  direction = (): ReturnType<CallTap["direction"]> => this.way;
  suite: ReturnType<CallTap["encryption"]>;
  encryption = (): ReturnType<CallTap["encryption"]> => this.suite;
  readonly indicated: string[] = [];
  recordingChanged = (_siprecSid: string, state: string): void => void this.indicated.push(state);
  recordingPreference = (): "nopreference" => "nopreference";
  sipSessionId = (): string | undefined => this.session;
  reasonLines: readonly string[] = [];
  reasons = (): readonly string[] => this.reasonLines;

  onChange(handler: () => void): () => void {
    this.#change.add(handler);
    return () => void this.#change.delete(handler);
  }

  onEnded(handler: () => void): () => void {
    this.#end.add(handler);
    return () => void this.#end.delete(handler);
  }

  change(): void {
    for (const handler of [...this.#change]) handler();
  }

  end(): void {
    this.ended = true;
    for (const handler of [...this.#end]) handler();
  }

  get listeners(): number {
    return this.#change.size;
  }
}

export interface RecordingWorldOptions extends Partial<VirtualNetworkOptions> {
  readonly client?: Partial<RecordingClientOptions>;
}

/** The recording client on the real user agent, on a virtual network; call, media and store are played by hand. */
export class RecordingWorld {
  readonly world: World;
  readonly media = new ForkingMedia();
  readonly store = new MemorySiprecStore();
  readonly call = new FakeCall();
  readonly alerts: Alert[] = [];
  readonly results: string[] = [];
  readonly connectors = new Map<string, ConnectorRecord>();
  readonly log = memoryLog();
  readonly platform: Party;
  readonly client: RecordingClient;

  constructor({ client, ...conditions }: RecordingWorldOptions = {}) {
    this.world = new World(conditions);
    this.platform = this.world.party(PLATFORM, {
      onInvite: (invite) => {
        if (this.client.isRecorderInvite(invite)) this.client.accept(invite);
        else invite.reject(603);
      },
    });
    this.connector({});
    const live = () => !this.call.ended;
    this.client = createRecordingClient({
      calls: {
        tap: (sid) => (sid === CALL && live() ? this.call : undefined),
        find: (sid) => (sid === CALL && live() ? this.#control : undefined),
      },
      userAgent: this.platform.agent,
      media: this.media,
      connectors: {
        find: async (_account, name) => this.connectors.get(name),
        starters: async () => [...this.connectors.values()].filter(({ settings }) => settings.recorderStarts),
      },
      store: this.store,
      clock: this.world.clock,
      random: new SeededRandom(99),
      log: this.log,
      alerts: { raise: (alert) => void this.alerts.push(alert) },
      sipHost: "platform.example.com",
      defaultTrack: "both_tracks",
      extensionNamespace: "http://callfork.example/siprec",
      onStarted: () => this.results.push("started"),
      onEnded: (result, wasStarted) => this.results.push(`${result} ${wasStarted}`),
      ...client,
    });
  }

  connector(change: Partial<ConnectorRecord>): void {
    const connector: ConnectorRecord = {
      sid: `XE${"3".repeat(32)}`,
      accountSid: ACCOUNT,
      uniqueName: "recorder",
      sipUris: [`sip:srs@${RECORDER}`],
      credentialsHeaderName: null,
      credentials: null,
      username: null,
      password: null,
      ...NO_PEER_CERTIFICATE,
      settings: DEFAULT_CONNECTOR_SETTINGS,
      dateCreated: 0,
      dateUpdated: 0,
      ...change,
    };
    this.connectors.set(connector.uniqueName, connector);
  }

  start(change: Partial<SiprecStart> = {}): Promise<SiprecRecord> {
    return this.client.start(CALL, {
      name: null,
      connectorName: "recorder",
      track: null,
      statusCallback: "http://app.example.com/siprec",
      statusCallbackMethod: "POST",
      parameters: [],
      origin: "rest",
      ...change,
    });
  }

  recorder(address = RECORDER, options: VirtualNodeOptions = {}): Recorder {
    return new Recorder(this.world, address, options);
  }

  advance(ms: number): Promise<void> {
    return this.world.clock.advance(ms);
  }

  /** The only row there is. */
  get row(): SiprecRecord {
    const rows = [...this.store.rows.values()];
    if (rows.length !== 1) throw new Error(`${rows.length} rows`);
    return rows[0]!;
  }

  /** Everything a failing test wants to show. */
  get story(): string {
    return [
      ...this.world.network.sent.map(({ at, from, to, startLine }) => `${at} ${from} > ${to} ${startLine}`),
      ...this.log.lines,
      ...this.platform.log.lines,
    ].join("\n");
  }

  readonly #control = {
    hangup: async () => {
      this.call.hangups += 1;
    },
    record: () =>
      ({
        sid: CALL,
        accountSid: ACCOUNT,
        direction: "inbound",
        from: "+15550001",
        to: "+15550002",
        phoneNumberSid: null,
        trunkSid: "TK1",
        startTime: 1_767_225_600_000,
        dateCreated: 1,
        sipCallId: "leg-1",
      }) as CallRecord,
    requestParameters: () => [
      ["CallSid", CALL],
      ["AccountSid", ACCOUNT],
      ["From", "+15550001"],
      ["To", "+15550002"],
      ["CallStatus", "in-progress"],
    ],
  } as unknown as CallControl;
}

/** What a recorder does with an INVITE. */
export type Answering = (invite: IncomingInvite, recorder: Recorder) => void;

/** Changes lines of the recorder's own description. */
export type Edit = (line: string, index: number) => string | undefined;

/** A recorder on the virtual network; it answers as it is told and remembers what it was sent. */
export class Recorder {
  readonly address: string;
  readonly party: Party;
  readonly invites: IncomingInvite[] = [];
  readonly documents: RecordingMetadata[] = [];
  readonly offers: SessionDescription[] = [];
  readonly requests: { readonly method: string; readonly request: SipRequest }[] = [];
  answering: Answering = (invite) => this.accept(invite);
  /** Answers what comes in the dialog. */
  reoffered: (body: readonly ReceivedPart[]) => DialogAnswer = (body) => {
    const offer = sdpIn(body);
    return offer ? { status: 200, body: this.answerTo(offer) } : { status: 200 };
  };
  dialog: SipDialog | undefined;
  end: DialogEnd | undefined;
  canceled = false;
  /** 2xx to INVITEs of its own, and statuses of those that failed. */
  readonly responses: SipResponse[] = [];
  readonly failures: number[] = [];

  constructor(world: World, address: string, options: VirtualNodeOptions) {
    this.address = address;
    this.party = world.party(
      address,
      {
        onInvite: (invite) => {
          this.invites.push(invite);
          this.#take("INVITE", invite.request, invite.body);
          invite.attach({
            onCanceled: () => {
              this.canceled = true;
            },
          });
          this.answering(invite, this);
        },
      },
      options,
    );
  }

  accept(invite: IncomingInvite, edit: Edit = (line) => line, allow?: string): void {
    const offer = sdpIn(invite.body)!;
    this.attach(
      invite.answer({
        body: this.answerTo(offer, edit),
        contactParameters: ";+sip.srs",
        ...(allow !== undefined && { headers: [["Allow", allow]] }),
      }),
    );
  }

  attach(dialog: SipDialog): void {
    this.dialog = dialog;
    dialog.attach({
      onReinvite: (request, body) => {
        this.#take("INVITE", request, body);
        return this.reoffered(body);
      },
      onUpdate: (request, body) => {
        this.#take("UPDATE", request, body);
        return this.reoffered(body);
      },
      onEnded: (why) => {
        this.end = why;
        if (why.request) this.#take("BYE", why.request, why.body ?? []);
      },
    });
  }

  /** A recorder's answer, or offer, line for line as the offer: recvonly, ports from 30000, G.711 µ- and A-law taken. */
  answerTo(offer: SessionDescription, edit: Edit = (line) => line): SipBody {
    return this.description(
      offer.media.map((media, index) => ({
        port: media.port === 0 ? 0 : 30_000 + 2 * index,
        formats: media.formats,
        label: media.attributes.find(({ name }) => name === "label")?.value,
        direction: media.attributes.some(({ name }) => name === "inactive") ? "inactive" : "recvonly",
      })),
      edit,
    );
  }

  description(
    media: readonly {
      readonly port: number;
      readonly formats?: readonly string[];
      readonly label?: string | undefined;
      readonly direction?: string;
    }[],
    edit: Edit = (line) => line,
  ): SipBody {
    const lines = [
      "v=0",
      `o=- 5 ${this.requests.length + 1} IN IP4 ${this.address}`,
      "s=-",
      `c=IN IP4 ${this.address}`,
      "t=0 0",
      ...media.flatMap(({ port, formats = ["0"], label, direction = "recvonly" }) => [
        `m=audio ${port} RTP/AVP ${formats.join(" ")}`,
        ...formats.flatMap((format) => (format === "96" ? ["a=rtpmap:96 opus/48000/2"] : [])),
        `a=${direction}`,
        ...(label === undefined ? [] : [`a=label:${label}`]),
      ]),
    ];
    const edited = lines.flatMap((line, index) => edit(line, index) ?? []);
    return { contentType: "application/sdp", bytes: new TextEncoder().encode(`${edited.join("\r\n")}\r\n`) };
  }

  /** Calls the platform for a session of its own: `siprec` required, `+sip.srs`, no SDP; the ACK has the answer. */
  call(
    requestUri: string,
    change: Partial<InviteOptions> = {},
    answer: (offer: SessionDescription) => SipBody | undefined = (offer) => this.answerTo(offer),
  ): OutgoingInvite {
    return this.party.agent.invite(
      {
        requestUri,
        from: `<sip:srs@${this.address}>`,
        to: `<${requestUri}>`,
        headers: [["Require", "siprec"]],
        contactUser: "srs",
        contactParameters: ";+sip.srs",
        ...change,
      },
      {
        onAnswered: (dialog, response, body) => {
          this.responses.push(response);
          this.#take("200", undefined, body);
          this.attach(dialog);
          const offer = sdpIn(body);
          return offer && answer(offer);
        },
        onFailed: ({ status }) => void this.failures.push(status),
      },
    );
  }

  askForSnapshot(): ReturnType<SipDialog["update"]> {
    const bytes = new TextEncoder().encode(writeSnapshotRequest({ reason: "lost state" }));
    return this.dialog!.update({
      body: { contentType: "application/rs-metadata+xml", bytes, disposition: "recording-session" },
    });
  }

  #take(method: string, request: SipRequest | undefined, body: readonly ReceivedPart[]): void {
    if (request !== undefined) this.requests.push({ method, request });
    const offer = sdpIn(body);
    if (offer) this.offers.push(offer);
    const part = body.find(({ mediaType }) => isMetadataMediaType(mediaType));
    if (part) written.push(part.bytes);
    const document = part && readRecordingMetadata(part.bytes);
    if (document?.ok) this.documents.push(document.value.metadata);
  }
}

export function sdpIn(body: readonly ReceivedPart[]): SessionDescription | undefined {
  const part = body.find(({ mediaType }) => mediaType === "application/sdp");
  const parsed = part && parseSessionDescription(part.bytes);
  return parsed?.ok ? parsed.value : undefined;
}
