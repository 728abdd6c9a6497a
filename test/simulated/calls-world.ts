import { parseSessionDescription, type SessionDescription } from "@callfork/protocol/sdp";
import type { SipResponse } from "@callfork/protocol/sip";
import {
  createAuthenticator,
  type DialogEnd,
  type HeaderLine,
  type IncomingInvite,
  type InviteFailure,
  type InviteOptions,
  type OutgoingInvite,
  type ReceivedPart,
  type SipBody,
  type SipDialog,
  type TurnedAway,
} from "@callfork/server/signalling";
import { SeededRandom, type VirtualNetworkOptions } from "@callfork/testkit";
import {
  type CallbackRequest,
  type CallRecord,
  type CallRoom,
  type CallStore,
  createCalls,
  type Forks,
  NO_PEER_CERTIFICATE,
  type NumberRecord,
  type RecordingPolicy,
  type Refusal,
  type SiprecStart,
  type TrunkRecord,
} from "../../packages/server/src/calls/index.ts";
import type {
  BridgeOptions,
  LegConnection,
  LegOptions,
  MediaEvent,
  MediaPlane,
  MediaPort,
  PlayOptions,
} from "../../packages/server/src/media/index.ts";
import { type Alert, PlatformError } from "../../packages/server/src/observe/index.ts";
import {
  createDirector,
  type DocumentFetcher,
  type FetchedDocument,
} from "../../packages/server/src/verbs/index.ts";
import { memoryLog, type Party, World } from "./pair.ts";

export const ACCOUNT = `AC${"0".repeat(32)}`;
const PLATFORM = "192.0.2.1";

class NoPortError extends PlatformError {
  readonly code = "NO_PORT";
  readonly fault = "operator";
  override readonly sipStatus = 503;
}

/** A media plane that carries nothing and remembers what it was told. */
export class RememberingMedia implements MediaPlane {
  readonly implementation = { io: "none", workers: 1 };
  readonly open = new Map<number, LegOptions>();
  readonly connections = new Map<number, LegConnection>();
  readonly bridges = new Map<number, { readonly to: number; readonly options: BridgeOptions }>();
  readonly plays: { leg: number; options: PlayOptions; stopped: boolean }[] = [];
  readonly #handlers = new Map<number, (event: MediaEvent) => void>();
  readonly #playing = new Map<number, (whole: boolean) => void>();
  portsLeft = 1000;
  #next = 1;

  async openLeg(options: LegOptions): Promise<MediaPort> {
    if (this.portsLeft-- <= 0) throw new NoPortError("no port is free");
    const id = this.#next++;
    this.open.set(id, options);
    return { id, address: PLATFORM, rtpPort: 10_000 + 2 * id, rtcpPort: 10_001 + 2 * id };
  }

  connectLeg(leg: number, connection: LegConnection): void {
    this.connections.set(leg, connection);
  }

  bridge(a: number, b: number, options: BridgeOptions = {}): void {
    this.bridges.set(a, { to: b, options });
  }

  unbridge(a: number): void {
    for (const [from, { to }] of this.bridges) if (from === a || to === a) this.bridges.delete(from);
  }

  play(leg: number, options: PlayOptions): Promise<boolean> {
    this.plays.push({ leg, options, stopped: false });
    if (options.loop !== 0) return Promise.resolve(true);
    return new Promise((resolve) => this.#playing.set(leg, resolve));
  }

  stopPlay(leg: number): void {
    const play = this.plays.findLast((each) => each.leg === leg);
    if (play) play.stopped = true;
    this.#playing.get(leg)?.(false);
    this.#playing.delete(leg);
  }

  async close(id: number): Promise<undefined> {
    this.open.delete(id);
    this.unbridge(id);
    this.stopPlay(id);
  }

  onEvent(id: number, handler: (event: MediaEvent) => void): void {
    this.#handlers.set(id, handler);
  }

  tell(event: Exclude<MediaEvent, { readonly kind: "worker-lost" }>): void {
    this.#handlers.get(event.id)?.(event);
  }

  async openFork(): Promise<MediaPort> {
    throw new Error("calls hang no forks");
  }
  startFork(): void {}
  async openReceiver(): Promise<MediaPort> {
    throw new Error("calls receive nothing");
  }
  connectReceiver(): void {}
  async stats(): Promise<undefined> {}
  async stop(): Promise<void> {}
}

/** The store in memory: every save in order, and what it owed. */
export class MemoryCallStore implements CallStore {
  readonly saves: CallRecord[] = [];
  readonly callbacks: CallbackRequest[] = [];
  readonly numbers = new Map<string, NumberRecord>();
  trunks: TrunkRecord[] = [];
  fails = false;

  async saveCall(call: CallRecord, callbacks: readonly CallbackRequest[]): Promise<void> {
    if (this.fails) throw new Error("the disk is full");
    this.saves.push(call);
    this.callbacks.push(...callbacks);
  }

  async findNumber(user: string): Promise<NumberRecord | undefined> {
    if (this.fails) throw new Error("the disk is full");
    return this.numbers.get(user);
  }

  async listTrunks(): Promise<readonly TrunkRecord[]> {
    return this.trunks;
  }

  async closeOrphanedCalls(
    now: number,
    owed: (call: CallRecord) => readonly CallbackRequest[] = () => [],
  ): Promise<readonly CallRecord[]> {
    const live = this.calls.filter(({ endTime }) => endTime === null);
    const closed = live.map((call): CallRecord => ({ ...call, status: "failed", endTime: now }));
    for (const call of closed) await this.saveCall({ ...call, reporting: null }, owed(call));
    return closed;
  }

  /** The last saved row of each call, in the order they were made. */
  get calls(): CallRecord[] {
    return [...new Map(this.saves.map((call) => [call.sid, call])).values()];
  }
}

export function trunkOf(change: Partial<TrunkRecord> = {}): TrunkRecord {
  return {
    sid: `TK${"0".repeat(32)}`,
    accountSid: ACCOUNT,
    uniqueName: "pbx",
    sipUri: "sip:10.0.0.3:5060",
    allowedAddresses: ["10.0.0.0/24"],
    allowedCertificateNames: [],
    username: null,
    password: null,
    ...NO_PEER_CERTIFICATE,
    dateCreated: 0,
    dateUpdated: 0,
    ...change,
  };
}

export function numberOf(phoneNumber: string, change: Partial<NumberRecord>): NumberRecord {
  return {
    sid: `PN${"0".repeat(32)}`,
    accountSid: ACCOUNT,
    phoneNumber,
    friendlyName: phoneNumber,
    voiceUrl: null,
    voiceMethod: "POST",
    voiceFallbackUrl: null,
    voiceFallbackMethod: "POST",
    voiceTwiml: null,
    statusCallback: null,
    statusCallbackMethod: "POST",
    dateCreated: 0,
    dateUpdated: 0,
    ...change,
  };
}

export interface CallsWorldOptions extends Partial<VirtualNetworkOptions> {
  readonly liveCalls?: number;
  /** Meets unknown addresses so; without it everybody is heard. */
  readonly strangers?: "refuse" | "drop";
  /** Lets trunks without addresses prove who they are. */
  readonly authenticates?: boolean;
  readonly transfers?: "none" | "phones" | "all";
  /** How parties hear that they are recorded. */
  readonly recording?: RecordingPolicy;
}

/** The B2BUA and the interpreter on the real user agent, on a virtual network; media and store only remember. */
export class CallsWorld {
  readonly world: World;
  readonly media = new RememberingMedia();
  readonly store = new MemoryCallStore();
  readonly alerts: Alert[] = [];
  readonly refusals: Refusal[] = [];
  readonly forks: { readonly callSid: string; readonly options: SiprecStart }[] = [];
  readonly documents = new Map<string, Partial<FetchedDocument>>();
  readonly fetched: { readonly url: string; readonly parameters: Readonly<Record<string, string>> }[] = [];
  readonly log = memoryLog();
  readonly platform: Party;
  readonly room: CallRoom;

  readonly turnedAway: TurnedAway[] = [];
  overloaded = false;

  constructor({
    liveCalls,
    strangers,
    authenticates,
    transfers,
    recording,
    ...conditions
  }: CallsWorldOptions = {}) {
    this.world = new World(conditions);
    this.store.trunks.push(trunkOf());
    this.platform = this.world.party(
      PLATFORM,
      { onInvite: (invite) => this.room.accept(invite) },
      {
        isOverloaded: () => this.overloaded,
        onTurnedAway: (why) => this.turnedAway.push(why),
        ...(strangers && {
          strangers: {
            mode: strangers,
            isKnown: (peer) => this.room.knows(peer),
            mayAuthenticate: () => this.room.authenticates,
          },
        }),
      },
    );
    const { clock } = this.world;
    const alerts = { raise: (alert: Alert) => void this.alerts.push(alert) };
    this.room = createCalls({
      userAgent: this.platform.agent,
      media: this.media,
      store: this.store,
      director: createDirector({
        fetcher: this.#fetcher(),
        forks: () => this.#forks(),
        clock,
        alerts,
        log: this.log,
      }),
      clock,
      random: new SeededRandom(7),
      log: this.log,
      alerts,
      sipHost: "platform.example.com",
      onRefused: (refusal) => this.refusals.push(refusal),
      ...(transfers && { transfers }),
      ...(recording && { recording }),
      ...(authenticates && {
        authenticator: createAuthenticator({ realm: "platform", clock, random: new SeededRandom(8) }),
      }),
      ...(liveCalls !== undefined && { limits: { liveCalls } }),
    });
  }

  /** A number whose calls are handled by this document. */
  number(phoneNumber: string, twiml: string, change: Partial<NumberRecord> = {}): void {
    const voiceTwiml = `<?xml version="1.0" encoding="UTF-8"?><Response>${twiml}</Response>`;
    this.store.numbers.set(phoneNumber, numberOf(phoneNumber, { voiceTwiml, ...change }));
  }

  phone(address: string): Phone {
    return new Phone(this.world, address);
  }

  advance(ms: number): Promise<void> {
    return this.world.clock.advance(ms);
  }

  /** Everything a failing test wants to show. */
  get story(): string {
    return [
      ...this.world.network.sent.map(({ at, from, to, startLine }) => `${at} ${from} > ${to} ${startLine}`),
      ...this.log.lines,
      ...this.platform.log.lines,
    ].join("\n");
  }

  #fetcher(): DocumentFetcher {
    return {
      fetch: async ({ url, parameters }) => {
        this.fetched.push({ url, parameters: Object.fromEntries(parameters) });
        const found = this.documents.get(url) ?? { status: 404 };
        return {
          status: 200,
          contentType: "text/xml",
          body: new Uint8Array(0),
          truncated: false,
          url,
          ...found,
        };
      },
    };
  }

  #forks(): Forks {
    return {
      start: async (callSid, options) => {
        this.forks.push({ callSid, options });
        return undefined as never;
      },
      stop: async () => undefined as never,
      pause: async () => undefined as never,
      resume: async () => undefined as never,
      inspect: async () => undefined,
    };
  }
}

export interface SdpOptions {
  readonly port?: number;
  readonly codecs?: readonly string[];
  readonly direction?: string;
  readonly address?: string;
  readonly version?: number;
  /** Lines of the session, before the first m-line. */
  readonly session?: readonly string[];
  /** Lines of the audio, then whole m-lines after it. */
  readonly more?: readonly string[];
}

/** What a phone does with a call that comes to it. */
export type Answering = (invite: IncomingInvite, phone: Phone) => void;

/** A phone on the virtual network: it speaks SIP by hand, for tests that look at what it was told. */
export class Phone {
  readonly address: string;
  readonly party: Party;
  readonly invites: IncomingInvite[] = [];
  readonly provisionals: { readonly status: number; readonly sdp: SessionDescription | undefined }[] = [];
  /** Bodies of NOTIFY with their Subscription-State. */
  readonly notified: string[] = [];
  readonly offers: { readonly method: string; readonly sdp: SessionDescription | undefined }[] = [];
  answering: Answering = (invite) => invite.reject(480);
  /** Answers offers in the dialog; the status, or the answer. */
  reoffered: (offer: SessionDescription | undefined) => SdpOptions | number = () => ({});
  invite: OutgoingInvite | undefined;
  dialog: SipDialog | undefined;
  answer: SessionDescription | undefined;
  answeredWith: SipResponse | undefined;
  failure: InviteFailure | undefined;
  end: DialogEnd | undefined;
  canceled = false;

  constructor(world: World, address: string) {
    this.address = address;
    this.party = world.party(address, {
      onInvite: (invite) => {
        this.invites.push(invite);
        invite.attach({
          onCanceled: () => {
            this.canceled = true;
          },
        });
        this.answering(invite, this);
      },
    });
  }

  /** Calls a user of the platform. */
  call(
    user: string,
    {
      sdp = {},
      headers,
      from = "alice",
      credentials,
    }: {
      sdp?: SdpOptions | null;
      headers?: readonly HeaderLine[];
      from?: string;
      credentials?: InviteOptions["credentials"];
    } = {},
  ): void {
    this.invite = this.party.agent.invite(
      {
        requestUri: `sip:${user}@${PLATFORM}`,
        from: `"Alice A." <sip:${from}@phones.example.com>`,
        to: `sip:${user}@${PLATFORM}`,
        ...(headers && { headers }),
        ...(credentials && { credentials }),
        ...(sdp && { body: this.sdp(sdp) }),
      },
      {
        onProvisional: (response, body) =>
          this.provisionals.push({ status: response.status, sdp: sdpIn(body) }),
        onAnswered: (dialog, response, body) => {
          this.#take(dialog);
          this.answeredWith = response;
          this.answer = sdpIn(body);
          return sdp === null ? this.sdp({}) : undefined;
        },
        onFailed: (failure) => {
          this.failure = failure;
        },
      },
    );
  }

  /** Answers a call that came in. */
  pickUp(invite: IncomingInvite, sdp: SdpOptions = {}, headers: readonly HeaderLine[] = []): void {
    this.#take(invite.answer({ body: this.sdp(sdp), headers }));
  }

  offerOf(invite: IncomingInvite | undefined): SessionDescription {
    const offer = invite && sdpIn(invite.body);
    if (!offer) throw new Error("no offer came");
    return offer;
  }

  sdp({
    port = 4000,
    codecs = ["0 PCMU/8000", "101 telephone-event/8000"],
    direction = "sendrecv",
    address = this.address,
    version = 1,
    session = [],
    more = [],
  }: SdpOptions): SipBody {
    const formats = codecs.map((codec) => codec.split(" ", 1)[0]).join(" ");
    const lines = [
      "v=0",
      `o=- 1 ${version} IN IP4 ${this.address}`,
      "s=-",
      `c=IN IP4 ${address}`,
      "t=0 0",
      ...session,
      `m=audio ${port} RTP/AVP ${formats}`,
      ...codecs.map((codec) => `a=rtpmap:${codec}`),
      `a=${direction}`,
      ...more,
    ];
    return { contentType: "application/sdp", bytes: new TextEncoder().encode(`${lines.join("\r\n")}\r\n`) };
  }

  #take(dialog: SipDialog): void {
    this.dialog = dialog;
    const take = (method: string, body: readonly ReceivedPart[]) => {
      const offer = sdpIn(body);
      this.offers.push({ method, sdp: offer });
      const answer = this.reoffered(offer);
      return typeof answer === "number" ? { status: answer } : { status: 200, body: this.sdp(answer) };
    };
    dialog.attach({
      onReinvite: (_request, body) => take("INVITE", body),
      onUpdate: (_request, body) => take("UPDATE", body),
      onRequest: (request, body) => {
        if (request.method === "NOTIFY") {
          const text = new TextDecoder().decode(body[0]?.bytes);
          const { headers } = request;
          this.notified.push(`${text.trim()} ${headers.get("Event")} ${headers.get("Subscription-State")}`);
        }
        return { status: 200 };
      },
      onEnded: (why) => {
        this.end = why;
      },
    });
  }
}

export function sdpIn(body: readonly ReceivedPart[]): SessionDescription | undefined {
  const part = body.find(({ mediaType }) => mediaType === "application/sdp");
  const parsed = part && parseSessionDescription(part.bytes);
  return parsed?.ok ? parsed.value : undefined;
}
