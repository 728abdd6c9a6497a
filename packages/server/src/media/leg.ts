import {
  dtmfKey,
  formatRtcp,
  parseRtcp,
  parseTelephoneEvent,
  type ReportBlock,
  RTP_FIXED_HEADER_LENGTH,
  type RtcpPacket,
  randomSsrc,
  randomUint32,
  rewriteRtpHeader,
  rtpPayloadType,
  setRtpPayloadType,
  shortTermCname,
  TelephoneEventReceiver,
  writeRtpHeader,
} from "@callfork/protocol/rtp";
import type { PacketBatch, PortIndex } from "../net/index.ts";
import type { Fork } from "./fork.ts";
import { InboundPath } from "./inbound-path.ts";
import type { MediaContext } from "./media-context.ts";
import { firstSequence, OutgoingStream } from "./outgoing-stream.ts";
import { type Player, playableCodec } from "./player.ts";
import type { PortOwner } from "./port-owner.ts";
import { translateRtcp } from "./rtcp-relay.ts";
import { RtcpReporter } from "./rtcp-reporter.ts";
import { SilenceWatch } from "./silence-watch.ts";
import { sendProtected, sendProtectedCopy } from "./srtp-state.ts";
import {
  FLOW_FORKS,
  FLOW_FORKS_EACH,
  FLOW_RELAY,
  FLOW_RELAY_TYPE,
  FLOW_TYPE,
  SENT_PORT,
  SENT_TAKES,
} from "./steady-flows.ts";
import { receivedStats, sentStats } from "./stream-stats.ts";
import { isSameTone, type Law, lawOf, ToneMixer } from "./tone-mixer.ts";
import type { LegCodec, LegConnection, MediaId, MediaStats, MediaTone } from "./types.ts";

const UNREACHABLE_EVERY_MS = 1000;
const DEFAULT_PACKET_TIME_MS = 20;
const TELEPHONE_EVENT_RATE_HZ = 8000;
const DEFAULT_CLOCK_RATE_HZ = 8000;

/**
 * One party's port pair. What it sends goes to the bridged leg and to the forks of its inbound track; what is sent to
 * it – relayed or played – goes to the forks of its outbound track too.
 *
 * The stream towards the party is our own (SSRC, sequence, timestamps), so that it goes on without a break when its
 * source changes; payloads, markers, CSRC lists and extensions are passed on bit for bit.
 */
export class Leg implements PortOwner {
  readonly id: MediaId;
  readonly rtpPort: PortIndex;
  readonly rtcpPort: PortIndex;
  readonly inboundForks: Fork[] = [];
  readonly outboundForks: Fork[] = [];
  /** The block of what it sends: see `SteadyFlows`. */
  readonly #sent: number;
  readonly #context: MediaContext;
  readonly #inbound: InboundPath;
  readonly #silence: SilenceWatch;
  readonly #reporter: RtcpReporter;
  readonly #events = new TelephoneEventReceiver();
  readonly #outbound: OutgoingStream;
  #peer: Leg | undefined;
  /** Payload types as the peer's party knows them, by those of this leg. */
  readonly #toPeer = new Uint8Array(128);
  #codecs: readonly LegCodec[] = [];
  #maySend = false;
  /** Of the payload types that we send: those that a tone can be mixed into. */
  #laws: readonly (Law | undefined)[] = [];
  #tone: ToneMixer | undefined;
  #packetTimeMs = DEFAULT_PACKET_TIME_MS;
  #player: Player | undefined;
  #remoteReport: ReportBlock | undefined;
  #unreachableAt = Number.NEGATIVE_INFINITY;

  constructor(context: MediaContext, id: MediaId, rtpPort: PortIndex, rtcpPort: PortIndex) {
    this.#context = context;
    this.id = id;
    this.rtpPort = rtpPort;
    this.rtcpPort = rtcpPort;
    this.#inbound = new InboundPath(context, rtpPort, rtcpPort);
    this.#silence = new SilenceWatch(context, id, this.#inbound);
    this.#reporter = new RtcpReporter(context, shortTermCname(context.random));
    const { cells } = context.flows;
    const { numbers } = cells;
    this.#sent = cells.take();
    numbers[this.#sent + SENT_PORT] = rtpPort;
    this.#mayRelay(false);
    const options = {
      ssrc: randomSsrc(context.random),
      firstSequence: firstSequence(context.random),
      firstTimestamp: randomUint32(context.random),
      clockRateHz: DEFAULT_CLOCK_RATE_HZ,
      followsClock: false,
    };
    this.#outbound = new OutgoingStream(options, numbers, this.#sent);
  }

  connect(connection: LegConnection, now: number): void {
    const { direction, codecs, telephoneEventPayloadType: eventType } = connection;
    this.#mayRelay(false);
    this.#codecs = codecs;
    this.#packetTimeMs = connection.packetTimeMs ?? DEFAULT_PACKET_TIME_MS;
    this.#inbound.expect(connection.remote);
    const before = this.#inbound.srtp.update(this.#context.ciphers, connection.srtp);
    // Under a new key some peers keep the rollover counter, some start over: a new source leaves no doubt.
    if (before?.hasRolledOver(this.#outbound.ssrc) === true) {
      this.#outbound.changeSsrc(randomSsrc(this.#context.random, this.#outbound.ssrc));
    }
    const types = codecs.map(({ payloadType, clockRateHz }) => [payloadType, clockRateHz] as const);
    if (eventType === undefined) this.#inbound.agree(types);
    else this.#inbound.agree([[eventType, TELEPHONE_EVENT_RATE_HZ], ...types], eventType);
    if (codecs[0] !== undefined) this.#outbound.changeClockRate(codecs[0].clockRateHz);
    this.#mixTone(connection.tone);
    this.#maySend = direction === "sendrecv" || direction === "sendonly";
    this.#inbound.open = true;
    this.#inbound.listening = direction === "sendrecv" || direction === "recvonly";
    this.#silence.restart(now);
    this.#reporter.start(now, false);
  }

  #mixTone(tone: MediaTone | undefined): void {
    const laws: (Law | undefined)[] = [];
    for (const codec of this.#codecs) laws[codec.payloadType] = lawOf(codec);
    this.#laws = laws;
    if (tone === undefined) this.#tone = undefined;
    else if (this.#tone === undefined || !isSameTone(this.#tone.tone, tone)) this.#tone = new ToneMixer(tone);
  }

  bridge(peer: Leg, payloadTypes: ReadonlyMap<number, number>): void {
    this.#inbound.unsettle();
    this.#peer = peer;
    for (let type = 0; type < 128; type++) this.#toPeer[type] = payloadTypes.get(type) ?? type;
  }

  get peer(): Leg | undefined {
    return this.#peer;
  }

  unbridge(): void {
    this.#inbound.unsettle();
    this.#peer = undefined;
  }

  addFork(fork: Fork, track: "inbound" | "outbound"): void {
    this.#unsettle();
    (track === "inbound" ? this.inboundForks : this.outboundForks).push(fork);
  }

  removeFork(fork: Fork): void {
    this.#unsettle();
    for (const forks of [this.inboundForks, this.outboundForks]) {
      const at = forks.indexOf(fork);
      if (at >= 0) forks.splice(at, 1);
    }
  }

  /** What it knows of its party: see `EarlyPackets`. */
  get inbound(): InboundPath {
    return this.#inbound;
  }

  get player(): Player | undefined {
    return this.#player;
  }

  /** While there is a player, nothing is relayed to the party. */
  set player(player: Player | undefined) {
    this.#mayRelay(false);
    this.#player = player;
  }

  get packetTimeMs(): number {
    return this.#packetTimeMs;
  }

  onRtpPacket(batch: PacketBatch, index: number): void {
    const inbound = this.#inbound;
    const kind = inbound.classify(batch, index);
    if (kind === "rtcp") this.onRtcpPacket(batch, index);
    if (kind !== "rtp") return;
    if (inbound.verdict === "duplicate") return;
    if (inbound.verdict === "probation") {
      inbound.dropped++;
      return;
    }
    const bytes = batch.bytes;
    const at = batch.offset[index]!;
    const now = batch.receivedAt;
    this.#silence.onPacket();
    if (inbound.isTelephoneEvent) this.#readTelephoneEvent(bytes, at);
    for (const fork of this.inboundForks) {
      fork.forward(bytes, at, inbound.payloadStart, inbound.payloadEnd, now);
    }
    const peer = this.#peer;
    if (peer === undefined || !peer.#canRelay) return;
    setRtpPayloadType(bytes, at, this.#toPeer[inbound.payloadType]!);
    peer.#relay(bytes, at, batch.length[index]!, inbound, now);
    if (inbound.isOrdinary && batch.fromPeer[index] === 1) this.#settle(peer);
  }

  onRtcpPacket(batch: PacketBatch, index: number): void {
    if (!this.#inbound.admitsRtcp(batch, index)) return;
    const parsed = parseRtcp(batch.bytes, batch.offset[index]!, batch.length[index]!);
    if (!parsed.ok) {
      this.#inbound.dropped++;
      return;
    }
    this.#readReports(parsed.value, batch.receivedAt);
    const peer = this.#peer;
    if (peer !== undefined) peer.#relayRtcp(parsed.value, this.#outbound, batch.receivedAt);
  }

  onUnreachable(now: number): void {
    if (now - this.#unreachableAt < UNREACHABLE_EVERY_MS) return;
    this.#unreachableAt = now;
    this.#context.emit({ kind: "unreachable", id: this.id });
  }

  onTick(now: number): void {
    this.#silence.run(now);
    const source = this.#inbound.received.current;
    this.#reporter.run(now, this.#inbound.rtcp, this.#outbound.ssrc, this.#outbound, source);
  }

  /** Sends the player's frames that are due. Returns whether it has come to its end. */
  runPlayer(now: number): boolean {
    const player = this.#player;
    if (player === undefined) return false;
    player.catchUp(now);
    while (player.dueAt <= now) {
      if (player.finished) return true;
      this.#playFrame(player, now);
    }
    return false;
  }

  stats(): MediaStats {
    const { wallAt } = this.#context;
    return {
      received: receivedStats(this.#inbound.received, wallAt),
      sent: sentStats(this.#outbound, this.#remoteReport, wallAt),
      dropped: this.#inbound.dropped,
      rejected: this.#inbound.rejected,
    };
  }

  close(now: number): void {
    if (this.#outbound.packets === 0) return;
    this.#reporter.bye(now, this.#inbound.rtcp, this.#outbound.ssrc, this.#outbound);
  }

  release(): void {
    this.#inbound.release();
    this.#mayRelay(false);
    this.#context.flows.setSender(this.#sent, undefined);
    this.#context.flows.cells.release(this.#sent);
  }

  /** Packets like the one that was relayed last may go their way by themselves from now on. */
  #settle(peer: Leg): void {
    const forks = [this.inboundForks, peer.outboundForks];
    if (forks.some(({ length }) => length > FLOW_FORKS_EACH)) return;
    const { flow, payloadType, srtp } = this.#inbound;
    const { flows } = this.#context;
    const { numbers } = flows.cells;
    forks.forEach((those, side) => {
      for (let i = 0; i < FLOW_FORKS_EACH; i++) {
        numbers[flow + FLOW_FORKS + side * FLOW_FORKS_EACH + i] = those[i]?.block ?? -1;
      }
    });
    flows.setReceiver(flow, srtp.receiver);
    numbers[flow + FLOW_RELAY] = peer.#sent;
    numbers[flow + FLOW_RELAY_TYPE] = this.#toPeer[payloadType]!;
    numbers[flow + FLOW_TYPE] = payloadType;
  }

  /** Something about the forks has changed: packets of both parties are looked at again. */
  #unsettle(): void {
    this.#inbound.unsettle();
    this.#peer?.inbound.unsettle();
  }

  /** Whether packets may be relayed to this party just as they are. */
  #mayRelay(plainly: boolean): void {
    const { flows } = this.#context;
    flows.setSender(this.#sent, this.#inbound.srtp.sender);
    flows.cells.numbers[this.#sent + SENT_TAKES] = plainly ? 0 : -1;
  }

  get #canSend(): boolean {
    return this.#maySend && this.#inbound.latch.hasPeer;
  }

  get #canRelay(): boolean {
    return this.#player === undefined && this.#canSend;
  }

  /** Sends another leg's packet to this party, rewritten where it lies. */
  #relay(bytes: Uint8Array, at: number, length: number, from: InboundPath, now: number): void {
    const stream = this.#outbound;
    stream.map(from.ssrc, from.sequence, from.timestamp, now);
    rewriteRtpHeader(bytes, at, stream.sequence, stream.timestamp, stream.ssrc);
    const law = this.#tone && this.#laws[rtpPayloadType(bytes, at)];
    if (law !== undefined) {
      this.#tone?.mix(bytes, at + from.payloadStart, at + from.payloadEnd, law, stream.timestamp);
    }
    const { io } = this.#context;
    const { sender } = this.#inbound.srtp;
    if (sender === undefined) io.send(this.rtpPort, at, length);
    else if (!sendProtectedCopy(io, this.rtpPort, sender, bytes, at, length)) from.dropped++;
    stream.count(from.payloadEnd - from.payloadStart, now);
    this.#mayRelay(this.#tone === undefined);
    for (const fork of this.outboundForks) {
      fork.forward(bytes, at, from.payloadStart, from.payloadEnd, now);
    }
  }

  #playFrame(player: Player, now: number): void {
    const codec = playableCodec(this.#codecs);
    const length = RTP_FIXED_HEADER_LENGTH + player.frameLength;
    const { io } = this.#context;
    const { sender } = this.#inbound.srtp;
    const room = length + (sender?.rtpOverhead ?? 0);
    const at = codec === undefined || !this.#canSend ? -1 : io.reserve(room);
    if (at < 0) {
      player.skipFrame();
      return;
    }
    const bytes = io.slab;
    const stream = this.#outbound;
    // "The first packet after a silence period" carries the marker (RFC 3551 §4.1).
    const marker = stream.next(player.frameLength, now);
    writeRtpHeader(bytes, at, marker, codec!.payloadType, stream.sequence, stream.timestamp, stream.ssrc);
    player.writeFrame(codec!, bytes, at + RTP_FIXED_HEADER_LENGTH);
    const law = this.#tone && lawOf(codec!);
    if (law !== undefined) {
      this.#tone?.mix(bytes, at + RTP_FIXED_HEADER_LENGTH, at + length, law, stream.timestamp);
    }
    stream.count(player.frameLength, now);
    for (const fork of this.outboundForks) {
      fork.forward(bytes, at, RTP_FIXED_HEADER_LENGTH, length, now);
    }
    if (sender === undefined) io.send(this.rtpPort, at, length);
    else sendProtected(io, this.rtpPort, sender, bytes, at, length);
  }

  #readTelephoneEvent(bytes: Uint8Array, at: number): void {
    const { payloadStart, payloadEnd, timestamp } = this.#inbound;
    const packet = parseTelephoneEvent(bytes, at + payloadStart, payloadEnd - payloadStart);
    if (packet === undefined) return;
    const event = this.#events.receive(timestamp, packet);
    const digit = event && dtmfKey(event.event);
    if (event === undefined || digit === undefined) return;
    const durationMs = (event.duration * 1000) / TELEPHONE_EVENT_RATE_HZ;
    this.#context.emit({ kind: "telephone-event", id: this.id, digit, durationMs });
  }

  #readReports(packets: readonly RtcpPacket[], now: number): void {
    for (const packet of packets) {
      if (packet.kind === "sr") this.#reporter.onSenderReport(packet, now);
      if (packet.kind !== "sr" && packet.kind !== "rr") continue;
      for (const report of packet.reports) {
        if (report.ssrc === this.#outbound.ssrc) this.#remoteReport = report;
      }
    }
  }

  /** Passes the other party's reports on to this one; our own are put off meanwhile. */
  #relayRtcp(packets: readonly RtcpPacket[], fromStream: OutgoingStream, now: number): void {
    if (!this.#outbound.started) return;
    const translated = translateRtcp(packets, fromStream, this.#outbound);
    if (translated.length > 0 && this.#inbound.rtcp.send(formatRtcp(translated))) {
      this.#reporter.postpone(now);
    }
  }
}
