import { classifyMediaPacket, RTP_FIXED_HEADER_LENGTH } from "@callfork/protocol/rtp";
import type { Millis } from "@callfork/protocol/text";
import { NO_TIME, type PacketBatch, type PortIndex } from "../net/index.ts";
import type { Leg } from "./leg.ts";
import type { MediaContext } from "./media-context.ts";
import { Passage } from "./passage.ts";

/** What is older is dropped: a listener's jitter buffer would not take it, and who knows whose it was. */
const DEFAULT_EARLY_MS = 200;
/** So many are kept, the newest: 200 ms of audio in packets of 10 ms. */
const LEG_PACKETS = 20;
/** Pictures come in more packets than words. */
const PASSAGE_PACKETS = 64;
/** A bridge follows a connection at once, or a callee has not answered yet. */
const BRIDGE_WAIT_MS = 50;

type EarlyLeg = Leg | Passage;

/**
 * RTP packets that come before their leg is connected. Who offers has to be ready to receive as soon as the offer has
 * left (RFC 3264 §5.1), and who is answered may speak before we have carried out what the answer means: the first words
 * wait here, as they came.
 *
 * A leg waits from the opening of its port until it is connected **and** bridged with one that is connected too, so
 * that forks and the other party get everything; where no bridge follows within 50 ms, that is not waited for, and
 * where its party is not to send (hold), nothing is. Then the leg takes what was kept as if it had just come, at the
 * times when it did, and all that comes later by itself: no packet overtakes another. A leg waits once in its life.
 *
 * Packets of ports that do not wait pass by here; those that do are bounded in number and age, and take memory only
 * when there are any.
 */
export class EarlyPackets {
  readonly #context: MediaContext;
  readonly #admit: (leg: EarlyLeg) => void;
  /** By RTP port. */
  readonly #waiting = new Map<PortIndex, Waiting>();
  /** Of those: the ones that wait for a bridge alone, in the order in which their time is up. */
  readonly #connected = new Set<Waiting>();
  readonly #batch = new EarlyBatch();

  /** @param admit - called when a leg waits no longer: from now on its RTP port is its own */
  constructor(context: MediaContext, admit: (leg: EarlyLeg) => void) {
    this.#context = context;
    this.#admit = admit;
  }

  /** When `run` has something to do. */
  get dueAt(): Millis {
    if (this.#connected.size > 0) for (const { dueAt } of this.#connected) return dueAt;
    return Number.POSITIVE_INFINITY;
  }

  /** The leg's port is open. */
  open(leg: EarlyLeg): void {
    this.#waiting.set(leg.rtpPort, new Waiting(leg));
  }

  /** Takes a packet that came to an RTP port which is nobody's yet. What is no RTP the leg may drop, or read, at once. */
  take(batch: PacketBatch, index: number): void {
    const waiting = this.#waiting.get(batch.port[index]!);
    if (waiting === undefined) return;
    const length = batch.length[index]!;
    const kind = classifyMediaPacket(batch.bytes, batch.offset[index]!, length);
    const isRtp = kind === "rtp" && length >= RTP_FIXED_HEADER_LENGTH;
    // No bridge is worth a packet of a party that is known.
    const isOverdue = isRtp && waiting.isConnected && waiting.isFull;
    if (isOverdue) this.#end(waiting, batch.receivedAt);
    if (isRtp && !isOverdue) waiting.keep(batch, index);
    else waiting.leg.onRtpPacket(batch, index);
  }

  /** The leg knows its party. */
  connected(leg: EarlyLeg, now: Millis): void {
    const waiting = this.#waiting.get(leg.rtpPort);
    if (waiting !== undefined && !waiting.isConnected) {
      waiting.dueAt = now + BRIDGE_WAIT_MS;
      this.#connected.add(waiting);
    }
    if (waiting !== undefined && !leg.inbound.listening) this.#end(waiting, now);
    this.bridged(leg, now);
  }

  /** The leg has a peer, or may have. */
  bridged(leg: EarlyLeg, now: Millis): void {
    const { peer } = leg;
    if (peer === undefined) return;
    const both = [this.#waiting.get(leg.rtpPort), this.#waiting.get(peer.rtpPort)];
    if (both.some((waiting) => waiting?.isConnected === false)) return;
    for (const waiting of both) if (waiting !== undefined) this.#end(waiting, now);
  }

  /** Those that have waited for a bridge long enough. */
  run(now: Millis): void {
    for (const waiting of this.#connected) {
      if (waiting.dueAt > now) return;
      this.#end(waiting, now);
    }
  }

  /** The leg is over: what was kept for it has come in vain. */
  close(leg: EarlyLeg): void {
    const waiting = this.#waiting.get(leg.rtpPort);
    if (waiting === undefined) return;
    this.#forget(waiting);
    leg.inbound.dropped += waiting.packets.length;
  }

  #end(waiting: Waiting, now: Millis): void {
    this.#forget(waiting);
    const { leg, packets } = waiting;
    this.#admit(leg);
    // The party's own first: strangers that were here before it must not take its place.
    const { address, remotePort } = leg.inbound.latch;
    const isSignalled = (packet: EarlyPacket) => packet.address === address && packet.port === remotePort;
    const others = packets.filter((packet) => !isSignalled(packet));
    for (const packet of [...packets.filter(isSignalled), ...others]) this.#dealWith(leg, packet, now);
  }

  /** In the slab, where packets are changed and sent on. */
  #dealWith(leg: EarlyLeg, packet: EarlyPacket, now: Millis): void {
    const { io, earlyMs = DEFAULT_EARLY_MS } = this.#context;
    const { inbound } = leg;
    const at = now - packet.receivedAt > earlyMs ? -1 : io.reserve(packet.length);
    if (at < 0) {
      inbound.dropped++;
      return;
    }
    io.slab.set(packet.room.subarray(0, packet.length), at);
    const { address, remotePort } = inbound.latch;
    const fromPeer = packet.address === address && packet.port === remotePort;
    this.#batch.set(io.slab, at, leg.rtpPort, packet, fromPeer);
    leg.onRtpPacket(this.#batch, 0);
  }

  #forget(waiting: Waiting): void {
    this.#waiting.delete(waiting.leg.rtpPort);
    this.#connected.delete(waiting);
  }
}

interface EarlyPacket {
  /** Its octets, and what is left of a longer one before it. */
  room: Uint8Array;
  length: number;
  address: string;
  port: number;
  receivedAt: Millis;
}

/** One leg's packets. */
class Waiting {
  readonly leg: EarlyLeg;
  readonly packets: EarlyPacket[] = [];
  /** When it waits for a bridge no longer; `Infinity`: it is not connected. */
  dueAt: Millis = Number.POSITIVE_INFINITY;
  readonly #limit: number;

  constructor(leg: EarlyLeg) {
    this.leg = leg;
    this.#limit = leg instanceof Passage ? PASSAGE_PACKETS : LEG_PACKETS;
  }

  get isConnected(): boolean {
    return this.dueAt !== Number.POSITIVE_INFINITY;
  }

  /** What comes between the connection and the bridge has as much room again. */
  get isFull(): boolean {
    return this.packets.length >= (this.isConnected ? 2 * this.#limit : this.#limit);
  }

  /** The oldest makes room for it, and leaves it its memory: a flood of them is copied, and that is all. */
  keep(batch: PacketBatch, index: number): void {
    const { packets } = this;
    let oldest: EarlyPacket | undefined;
    if (this.isFull) {
      oldest = packets.shift();
      this.leg.inbound.dropped++;
    }
    const length = batch.length[index]!;
    const at = batch.offset[index]!;
    const room = oldest !== undefined && oldest.room.length >= length ? oldest.room : new Uint8Array(length);
    room.set(batch.bytes.subarray(at, at + length));
    packets.push({
      room,
      length,
      address: batch.sourceAddress(index),
      port: batch.sourcePort(index),
      receivedAt: batch.receivedAt,
    });
  }
}

/** A batch of one. */
class EarlyBatch implements PacketBatch {
  bytes: Uint8Array = new Uint8Array(0);
  readonly count = 1;
  readonly offset = new Uint32Array(1);
  readonly length = new Uint16Array(1);
  readonly port = new Uint32Array(1);
  readonly fromPeer = new Uint8Array(1);
  receivedAt: Millis = NO_TIME;
  #address = "";
  #port = 0;

  set(slab: Uint8Array, at: number, port: PortIndex, packet: EarlyPacket, fromPeer: boolean): void {
    this.bytes = slab;
    this.offset[0] = at;
    this.length[0] = packet.length;
    this.port[0] = port;
    this.fromPeer[0] = fromPeer ? 1 : 0;
    this.receivedAt = packet.receivedAt;
    this.#address = packet.address;
    this.#port = packet.port;
  }

  sourceAddress(): string {
    return this.#address;
  }

  sourcePort(): number {
    return this.#port;
  }
}
