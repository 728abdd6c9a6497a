import {
  isRtcp,
  Reception,
  rtpPayloadEnd,
  rtpPayloadStart,
  rtpSequenceNumber,
  rtpSsrc,
  rtpTimestamp,
} from "@callfork/protocol/rtp";
import type { PacketBatch, PacketIo, PortIndex } from "../net/index.ts";
import { InboundPath } from "./inbound-path.ts";
import type { MediaContext } from "./media-context.ts";
import type { PortOwner } from "./port-owner.ts";
import { REOPEN_MS } from "./silence-watch.ts";
import { sendProtectedCopy } from "./srtp-state.ts";
import { NO_PACKETS } from "./stream-stats.ts";
import type { LegConnection, MediaId, MediaStats, StreamStats } from "./types.ts";

/** Video sends a stream, its repairs and a few layers; sources beyond are passed on and counted together. */
const MAXIMUM_SOURCES = 16;
const VIDEO_CLOCK_RATE_HZ = 90_000;
const UNREACHABLE_EVERY_MS = 1000;

/**
 * One party's port pair for a line that is passed through: every packet goes to the other side as it came, RTP and
 * RTCP, whatever codec, payload type, SSRC or header extension it has. Both parties see each other's streams, so
 * reports, requests for pictures and repairs mean what they say from end to end (RFC 7667 §3.2.1: a transport relay).
 * Addresses are latched, and SRTP is undone and done anew, as on any leg. Nothing of it is ever forked.
 */
export class Passage implements PortOwner {
  readonly id: MediaId;
  readonly rtpPort: PortIndex;
  readonly rtcpPort: PortIndex;
  readonly #context: MediaContext;
  readonly #inbound: InboundPath;
  readonly #sources = new Map<number, Reception>();
  #peer: Passage | undefined;
  #maySend = false;
  #clockRateHz = VIDEO_CLOCK_RATE_HZ;
  /** Packets of sources that there was no room to watch. */
  #unwatched = { packets: 0, octets: 0 };
  #sent = { packets: 0, octets: 0, firstAt: -1, lastAt: -1 };
  #unreachableAt = Number.NEGATIVE_INFINITY;

  constructor(context: MediaContext, id: MediaId, rtpPort: PortIndex, rtcpPort: PortIndex) {
    this.#context = context;
    this.id = id;
    this.rtpPort = rtpPort;
    this.rtcpPort = rtcpPort;
    this.#inbound = new InboundPath(context, rtpPort, rtcpPort);
  }

  connect({ remote, direction, codecs, srtp }: LegConnection): void {
    this.#inbound.expect(remote);
    this.#inbound.srtp.update(this.#context.ciphers, srtp);
    this.#inbound.open = direction !== "inactive" || remote !== null;
    this.#inbound.listening = direction === "sendrecv" || direction === "recvonly";
    this.#maySend = direction === "sendrecv" || direction === "sendonly";
    this.#clockRateHz = codecs[0]?.clockRateHz ?? VIDEO_CLOCK_RATE_HZ;
  }

  bridge(peer: Passage): void {
    this.#peer = peer;
  }

  get peer(): Passage | undefined {
    return this.#peer;
  }

  /** What it knows of its party: see `EarlyPackets`. */
  get inbound(): InboundPath {
    return this.#inbound;
  }

  unbridge(): void {
    this.#peer = undefined;
  }

  onRtpPacket(batch: PacketBatch, index: number): void {
    const { bytes } = batch;
    const at = batch.offset[index]!;
    if (isRtcp(bytes, at, batch.length[index]!)) {
      this.onRtcpPacket(batch, index);
      return;
    }
    const inbound = this.#inbound;
    const { receiver } = inbound.srtp;
    if (receiver !== undefined) {
      const clear = receiver.unprotectRtp(bytes, at, batch.length[index]!);
      if (clear < 0) {
        inbound.rejected++;
        return;
      }
      batch.length[index] = clear;
    }
    const length = batch.length[index]!;
    const start = rtpPayloadStart(bytes, at, length);
    if (start < 0 || !inbound.listening || !this.#isOfParty(batch, index)) {
      inbound.dropped++;
      return;
    }
    inbound.lastPacketAt = batch.receivedAt;
    const octets = rtpPayloadEnd(bytes, at, length) - start;
    this.#count(bytes, at, octets, batch.receivedAt);
    const peer = this.#peer;
    if (peer !== undefined) peer.#pass(bytes, at, length, octets, batch.receivedAt);
  }

  onRtcpPacket(batch: PacketBatch, index: number): void {
    const inbound = this.#inbound;
    const at = batch.offset[index]!;
    const { receiver } = inbound.srtp;
    if (receiver !== undefined) {
      const clear = receiver.unprotectRtcp(batch.bytes, at, batch.length[index]!);
      if (clear < 0) {
        inbound.rejected++;
        return;
      }
      batch.length[index] = clear;
    }
    // Also what is no compound packet: a lone request for a picture (RFC 5506 §3.4.1).
    const isValid = batch.length[index]! % 4 === 0 && isRtcp(batch.bytes, at, batch.length[index]!);
    if (!isValid || !inbound.open || !inbound.rtcp.admits(batch, index)) {
      inbound.dropped++;
      return;
    }
    const peer = this.#peer;
    if (peer !== undefined) peer.#inbound.rtcp.send(batch.bytes.subarray(at, at + batch.length[index]!));
  }

  onUnreachable(now: number): void {
    if (now - this.#unreachableAt < UNREACHABLE_EVERY_MS) return;
    this.#unreachableAt = now;
    this.#context.emit({ kind: "unreachable", id: this.id });
  }

  /** Silence is no fault of a camera that is off; the latch opens for a party whose NAT has moved it. */
  onTick(now: number): void {
    const { lastPacketAt } = this.#inbound;
    if (lastPacketAt >= 0 && now - lastPacketAt > REOPEN_MS) this.#inbound.reopen();
  }

  stats(): MediaStats {
    return {
      received: this.#received(),
      sent: this.#sentStats(),
      dropped: this.#inbound.dropped,
      rejected: this.#inbound.rejected,
    };
  }

  /** The parties' own BYEs pass through; we are no source that could say one. */
  close(): void {}

  release(): void {
    this.#inbound.release();
  }

  #isOfParty(batch: PacketBatch, index: number): boolean {
    const { latch, rtcp } = this.#inbound;
    const at = batch.offset[index]!;
    const wasLatched = latch.latched;
    if (!latch.admits(batch, index, rtpSsrc(batch.bytes, at), rtpSequenceNumber(batch.bytes, at)))
      return false;
    if (!wasLatched) rtcp.followRtp(latch.address, latch.remotePort);
    return true;
  }

  #count(bytes: Uint8Array, at: number, octets: number, now: number): void {
    const ssrc = rtpSsrc(bytes, at);
    let source = this.#sources.get(ssrc);
    if (source === undefined && this.#sources.size < MAXIMUM_SOURCES) {
      source = new Reception(ssrc, this.#clockRateHz);
      this.#sources.set(ssrc, source);
    }
    if (source === undefined) {
      this.#unwatched.packets++;
      this.#unwatched.octets += octets;
    } else source.receive(rtpSequenceNumber(bytes, at), rtpTimestamp(bytes, at), now, octets);
  }

  #pass(bytes: Uint8Array, at: number, length: number, octets: number, now: number): void {
    const inbound = this.#inbound;
    if (!this.#maySend || !inbound.latch.hasPeer) return;
    const io: PacketIo = this.#context.io;
    const { sender } = inbound.srtp;
    if (sender === undefined) io.send(this.rtpPort, at, length);
    else if (!sendProtectedCopy(io, this.rtpPort, sender, bytes, at, length)) {
      inbound.dropped++;
      return;
    }
    const sent = this.#sent;
    sent.packets++;
    sent.octets += octets;
    if (sent.firstAt < 0) sent.firstAt = now;
    sent.lastAt = now;
  }

  /** All sources together; jitter and SSRC are those of the one that was heard last. */
  #received(): StreamStats {
    const sources = [...this.#sources.values()];
    const last = sources.reduce<Reception | undefined>(
      (latest, one) => (latest === undefined || one.lastPacketAt >= latest.lastPacketAt ? one : latest),
      undefined,
    );
    if (last === undefined) return NO_PACKETS;
    const sum = (of: (source: Reception) => number) => sources.reduce((total, one) => total + of(one), 0);
    const { wallAt } = this.#context;
    return {
      ssrc: last.ssrc,
      packets: sum((one) => one.packets) + this.#unwatched.packets,
      octets: sum((one) => one.octets) + this.#unwatched.octets,
      expected: sum((one) => one.expected) + this.#unwatched.packets,
      lost: sum((one) => one.lost),
      duplicates: sum((one) => one.duplicates),
      late: sum((one) => one.late),
      jitterMs: last.jitterMs,
      firstPacketTime: wallAt(
        Math.min(...sources.map((one) => one.firstPacketAt).filter((time) => time >= 0)),
      ),
      lastPacketTime: wallAt(last.lastPacketAt),
    };
  }

  #sentStats(): StreamStats {
    const { packets, octets, firstAt, lastAt } = this.#sent;
    if (packets === 0) return NO_PACKETS;
    const { wallAt } = this.#context;
    return {
      ...NO_PACKETS,
      packets,
      octets,
      expected: packets,
      firstPacketTime: wallAt(firstAt),
      lastPacketTime: wallAt(lastAt),
    };
  }
}
