import { randomBytes } from "node:crypto";
import { EventEmitter, once } from "node:events";
import type { Direction } from "@callfork/protocol/sdp";
import {
  createResolver,
  createSipTransports,
  createSystemClock,
  type SipTransports,
} from "@callfork/server/net";
import type { Log } from "@callfork/server/observe";
import {
  createUserAgent,
  type IncomingInvite,
  type ReceivedPart,
  type SipBody,
  type SipDialog,
  type UserAgent,
} from "@callfork/server/signalling";
import { decodeVoice, encodeVoice } from "./phone-codec.ts";
import { RtpEndpoint, type RtpSpeech } from "./rtp-endpoint.ts";
import {
  answerTo,
  type EncodedVoice,
  formatOf,
  type PhoneCodec,
  phoneDescription,
  type RemoteAudio,
  remoteAudio,
} from "./session-description.ts";

export interface TestPhoneOptions {
  /** User part of the phone's URI. */
  readonly user: string;
  readonly displayName?: string;
  /** What it says, over and over: 16 bit PCM at 8 kHz. */
  readonly voice: Int16Array;
  /** Default PCMU. With an `EncodedVoice` that is what it says, in place of `voice`. */
  readonly codec?: PhoneCodec | EncodedVoice;
  /** What it takes besides when the other side changes to it in mid-call. */
  readonly otherCodecs?: readonly (PhoneCodec | EncodedVoice)[];
  /** Local address for SIP and RTP. Default 127.0.0.1. */
  readonly address?: string;
  /** Default 0: any free port, the same for UDP and TCP. */
  readonly sipPort?: number;
  /** What it does when called: answer (after ringing `ringMs`), or refuse with a status. Default: answer at once. */
  readonly whenCalled?: { readonly ringMs?: number } | { readonly refuse: number };
  readonly log?: Log;
}

/** One call of a test phone. */
export interface PhoneCall {
  readonly callId: string;
  /** The other side, as From or To named it. */
  readonly remoteUri: string;
  /**
   * What came so far, decoded: 8 kHz PCM in sequence order, silence for packets that never came. No samples of a codec
   * that the phone does not speak by itself.
   */
  heard(): { readonly samples: Int16Array; readonly packets: number; readonly lost: number };
  /** The payloads that came so far, in sequence order, `undefined` for packets that never came. */
  heardPackets(): readonly (Uint8Array | undefined)[];
  readonly packetsSent: number;
  /** Stops or goes on speaking; a new call speaks at once. */
  mute(): void;
  speak(): void;
  /**
   * Puts the other side on hold by re-INVITE, or takes it back. Rejects with `CallRefusedError`.
   * @returns the direction that the answer gives the audio: `recvonly` to a hold that was understood
   */
  hold(on: boolean): Promise<Direction>;
  /** Offers another codec, and nothing else, by re-INVITE; speaks it once answered. Rejects with `CallRefusedError`. */
  changeCodec(codec: PhoneCodec | EncodedVoice): Promise<void>;
  hangUp(): Promise<void>;
  /** Resolves when the dialog is over. */
  readonly ended: Promise<"local" | "remote">;
}

export class CallRefusedError extends Error {
  override readonly name = "CallRefusedError";
  /** SIP status of the refusal; 408 and 503 also stand for time-out and transport failure. */
  readonly status: number;

  constructor(status: number, reason: string) {
    super(`call refused: ${status} ${reason}`);
    this.status = status;
  }
}

const SILENT_LOG: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => SILENT_LOG };

/** A telephone for tests and demonstrations: real SIP, real RTP, a real voice. */
export class TestPhone {
  readonly #options: TestPhoneOptions;
  readonly #transports: SipTransports;
  readonly #userAgent: UserAgent;
  readonly #address: string;
  readonly #port: number;
  readonly #speeches = new Map<PhoneCodec | EncodedVoice, RtpSpeech>();
  readonly #arrivals = new EventEmitter();
  readonly #calls = new Set<LivePhoneCall>();

  private constructor(options: TestPhoneOptions, transports: SipTransports, address: string, port: number) {
    const log = options.log ?? SILENT_LOG;
    this.#options = options;
    this.#transports = transports;
    this.#address = address;
    this.#port = port;
    this.#userAgent = createUserAgent({
      transports,
      resolver: createResolver(),
      clock: createSystemClock(),
      random: { bytes: (length) => randomBytes(length) },
      log,
      userAgentName: "callfork-test-phone",
    });
    this.#userAgent.attach({
      onInvite: (invite) => {
        this.#ring(invite).catch((error: unknown) =>
          log.error({ err: error, callId: invite.callId }, "test phone"),
        );
      },
    });
  }

  static async open(options: TestPhoneOptions): Promise<TestPhone> {
    const address = options.address ?? "127.0.0.1";
    const transports = await openTransports(options, address);
    return new TestPhone(options, transports, address, transports.sentBy("udp", address).port);
  }

  get #codec(): PhoneCodec | EncodedVoice {
    return this.#options.codec ?? "PCMU";
  }

  /** The SIP URI that calls this phone. */
  get uri(): string {
    const host = this.#address.includes(":") ? `[${this.#address}]` : this.#address;
    return `sip:${this.#options.user}@${host}:${this.#port}`;
  }

  /** Calls a SIP URI; resolves when answered, speaking from then on. Rejects with `CallRefusedError`. */
  async call(to: string, options: { readonly timeoutMs?: number } = {}): Promise<PhoneCall> {
    const endpoint = await this.#openEndpoint();
    const name = this.#options.displayName === undefined ? "" : `"${this.#options.displayName}" `;
    return await new Promise<PhoneCall>((resolve, reject) => {
      this.#userAgent.invite(
        {
          requestUri: to,
          from: `${name}<${this.uri}>`,
          to: `<${to}>`,
          contactUser: this.#options.user,
          body: this.#describe(endpoint, 1),
          ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
        },
        {
          onAnswered: (dialog, _response, body) => {
            resolve(this.#converse(dialog, endpoint, body));
            return undefined;
          },
          onFailed: (failure) => {
            endpoint.close();
            reject(new CallRefusedError(failure.status, failure.reason));
          },
        },
      );
    });
  }

  /** The next call that comes in and is answered. */
  async nextCall(): Promise<PhoneCall> {
    const [call] = (await once(this.#arrivals, "call")) as [PhoneCall];
    return call;
  }

  async close(): Promise<void> {
    await this.#userAgent.stop(1_000);
    for (const call of this.#calls) call.release();
    await this.#transports.close();
  }

  async #ring(invite: IncomingInvite): Promise<void> {
    const plan = this.#options.whenCalled ?? {};
    if ("refuse" in plan) {
      invite.reject(plan.refuse);
      return;
    }
    let canceled = false;
    invite.attach({ onCanceled: () => (canceled = true) });
    const endpoint = await this.#openEndpoint();
    invite.provisional(180);
    if (plan.ringMs !== undefined) await new Promise((resolve) => setTimeout(resolve, plan.ringMs));
    if (canceled) {
      endpoint.close();
      return;
    }
    const dialog = invite.answer({ body: this.#describe(endpoint, 1) });
    this.#arrivals.emit("call", this.#converse(dialog, endpoint, invite.body));
  }

  #converse(dialog: SipDialog, endpoint: RtpEndpoint, body: readonly ReceivedPart[]): LivePhoneCall {
    let version = 1;
    let codec = this.#codec;
    const call = new LivePhoneCall(
      dialog,
      endpoint,
      () => codec,
      (direction, next = codec) => this.#describe(endpoint, ++version, direction, next),
      (next) => {
        codec = next;
        endpoint.change(this.#speech(next));
      },
      () => this.#calls.delete(call),
    );
    this.#calls.add(call);
    const follow = (parts: readonly ReceivedPart[]): RemoteAudio | undefined => {
      const description = parts.find((part) => part.mediaType === "application/sdp");
      for (const one of [codec, this.#codec, ...(this.#options.otherCodecs ?? [])]) {
        const remote = description && remoteAudio(description.bytes, formatOf(one));
        if (remote === undefined) continue;
        if (one !== codec) {
          codec = one;
          endpoint.change(this.#speech(one));
        }
        endpoint.setRemote(remote.address, remote.port, remote.payloadType);
        return remote;
      }
      return undefined;
    };
    dialog.attach({
      onReinvite: (_request, parts) => {
        const remote = follow(parts);
        if (remote === undefined) return { status: 488 };
        return { status: 200, body: this.#describe(endpoint, ++version, answerTo(remote.direction), codec) };
      },
      onEnded: (why) => call.end(why.by),
    });
    if (follow(body) !== undefined) endpoint.speak();
    return call;
  }

  async #openEndpoint(): Promise<RtpEndpoint> {
    return await RtpEndpoint.open({ address: this.#address, ...this.#speech(this.#codec) });
  }

  /** Encoded once: calls of one phone say the same. */
  #speech(codec: PhoneCodec | EncodedVoice): RtpSpeech {
    const known = this.#speeches.get(codec);
    if (known !== undefined) return known;
    const { payloadType, clockRateHz } = formatOf(codec);
    const audio = typeof codec === "string" ? encodeVoice(this.#options.voice, codec) : codec.packets;
    const speech = { payloadType, audio, packetUnits: clockRateHz / 50 };
    this.#speeches.set(codec, speech);
    return speech;
  }

  #describe(
    endpoint: RtpEndpoint,
    version: number,
    direction: Direction = "sendrecv",
    codec: PhoneCodec | EncodedVoice = this.#codec,
  ): SipBody {
    const bytes = phoneDescription({
      address: this.#address,
      port: endpoint.port,
      format: formatOf(codec),
      version,
      direction,
    });
    return { contentType: "application/sdp", bytes };
  }
}

class LivePhoneCall implements PhoneCall {
  readonly ended: Promise<"local" | "remote">;
  readonly #dialog: SipDialog;
  readonly #endpoint: RtpEndpoint;
  readonly #codec: () => PhoneCodec | EncodedVoice;
  readonly #describe: (direction: Direction, codec?: PhoneCodec | EncodedVoice) => SipBody;
  readonly #change: (codec: PhoneCodec | EncodedVoice) => void;
  readonly #onReleased: () => void;
  #resolveEnded: (by: "local" | "remote") => void = () => {};
  #released = false;

  constructor(
    dialog: SipDialog,
    endpoint: RtpEndpoint,
    codec: () => PhoneCodec | EncodedVoice,
    describe: (direction: Direction, codec?: PhoneCodec | EncodedVoice) => SipBody,
    change: (codec: PhoneCodec | EncodedVoice) => void,
    onReleased: () => void,
  ) {
    this.#dialog = dialog;
    this.#endpoint = endpoint;
    this.#codec = codec;
    this.#describe = describe;
    this.#change = change;
    this.#onReleased = onReleased;
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
  }

  get callId(): string {
    return this.#dialog.callId;
  }

  get remoteUri(): string {
    return this.#dialog.remoteUri;
  }

  get packetsSent(): number {
    return this.#endpoint.packetsSent;
  }

  heard(): { samples: Int16Array; packets: number; lost: number } {
    const { payload, packets, lost } = this.#endpoint.heard();
    const codec = this.#codec();
    const samples = typeof codec === "string" ? decodeVoice(payload, codec) : new Int16Array(0);
    return { samples, packets, lost };
  }

  heardPackets(): readonly (Uint8Array | undefined)[] {
    return this.#endpoint.heardPackets();
  }

  mute(): void {
    this.#endpoint.mute();
  }

  speak(): void {
    this.#endpoint.speak();
  }

  async hold(on: boolean): Promise<Direction> {
    return await this.#reoffer(on ? "sendonly" : "sendrecv", this.#codec());
  }

  async changeCodec(codec: PhoneCodec | EncodedVoice): Promise<void> {
    await this.#reoffer("sendrecv", codec);
    this.#change(codec);
  }

  async #reoffer(direction: Direction, codec: PhoneCodec | EncodedVoice): Promise<Direction> {
    const response = await this.#dialog.reinvite({ body: this.#describe(direction, codec) });
    if (response.status >= 300) throw new CallRefusedError(response.status, response.reason);
    const answer = remoteAudio(response.body, formatOf(codec));
    if (answer === undefined) throw new CallRefusedError(488, "an answer without audio");
    this.#endpoint.setRemote(answer.address, answer.port, answer.payloadType);
    return answer.direction;
  }

  async hangUp(): Promise<void> {
    this.#endpoint.mute();
    await this.#dialog.bye();
    this.release();
  }

  end(by: "local" | "remote"): void {
    this.#resolveEnded(by);
    this.release();
  }

  /** Frees the ports; what was heard stays. */
  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#endpoint.close();
    this.#onReleased();
  }
}

/** UDP and TCP on one port. A free port of the one may be taken in the other: then the next is tried. */
async function openTransports(options: TestPhoneOptions, address: string): Promise<SipTransports> {
  const log = options.log ?? SILENT_LOG;
  const clock = createSystemClock();
  for (let attempt = 1; ; attempt++) {
    const probe = await createSipTransports({
      listen: [{ transport: "udp", address, port: options.sipPort ?? 0 }],
      log,
      clock,
    });
    const { port } = probe.sentBy("udp", address);
    await probe.close();
    try {
      const listen = (["udp", "tcp"] as const).map((transport) => ({ transport, address, port }));
      return await createSipTransports({ listen, log, clock });
    } catch (error) {
      if (options.sipPort || attempt === 20) throw error;
    }
  }
}
