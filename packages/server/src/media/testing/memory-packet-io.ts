import type { MessagePort } from "node:worker_threads";
import {
  NO_TIME,
  newPacketIoCounters,
  type PacketBatch,
  type PacketIo,
  type PacketIoHandlers,
  type PortIndex,
} from "../../net/index.ts";

export interface ReceivedDatagram {
  /** The number that was bound. */
  readonly to: number;
  readonly from: { readonly address: string; readonly port: number };
  readonly bytes: Uint8Array;
}

export interface SentDatagram {
  readonly from: number;
  readonly to: number;
  readonly bytes: Uint8Array;
}

interface Port {
  readonly number: number;
  address: string;
  remotePort: number;
  exclusive: boolean;
}

const RECEIVE_BYTES = 1 << 18;
const SEND_BYTES = 1 << 18;
const HOLD_BYTES = 1 << 16;

/** Packets without sockets and without time: a test says what comes, and when. */
export class MemoryPacketIo implements PacketIo {
  readonly name = "dgram";
  readonly joinsSegments: boolean;
  readonly counters = newPacketIoCounters();
  readonly slab = new Uint8Array(RECEIVE_BYTES + SEND_BYTES + HOLD_BYTES);
  readonly sent: SentDatagram[] = [];
  /** What `wakeAt` asked for last. */
  wakesAt = Number.POSITIVE_INFINITY;
  /** Octets that may be reserved in one turn. */
  room = SEND_BYTES;
  readonly #ports: (Port | undefined)[] = [];
  readonly #batch = new MemoryBatch(this.slab);
  #handlers: PacketIoHandlers | undefined;
  #sendAt = RECEIVE_BYTES;
  #holdAt = RECEIVE_BYTES + SEND_BYTES;

  constructor({ joinsSegments = false } = {}) {
    this.joinsSegments = joinsSegments;
  }

  attach(handlers: PacketIoHandlers): void {
    this.#handlers = handlers;
  }

  /** One batch; strangers' packets to a port that has its peer never arrive. */
  receive(datagrams: readonly ReceivedDatagram[], receivedAt: number): void {
    const batch = this.#batch;
    let at = 0;
    for (const { to, from, bytes } of datagrams) {
      const index = this.#ports.findIndex((port) => port?.number === to);
      const port = this.#ports[index];
      if (port === undefined || (port.exclusive && !isFrom(port, from))) continue;
      const place = batch.count++;
      this.slab.set(bytes, at);
      batch.offset[place] = at;
      batch.length[place] = bytes.length;
      batch.port[place] = index;
      batch.fromPeer[place] = isFrom(port, from) ? 1 : 0;
      batch.sources[place] = from;
      at += bytes.length;
    }
    batch.receivedAt = receivedAt;
    this.turn(() => this.#handlers?.onBatch(batch));
    batch.count = 0;
    // Whoever still looked at it would see.
    this.slab.fill(0xee, 0, at);
  }

  /** What is done in it has the slab for itself. */
  turn(run: () => void): void {
    this.#sendAt = RECEIVE_BYTES;
    run();
  }

  async open(_address: string, number: number): Promise<PortIndex> {
    const free = this.#ports.indexOf(undefined);
    const index = free < 0 ? this.#ports.length : free;
    this.#ports[index] = { number, address: "", remotePort: 0, exclusive: false };
    return index;
  }

  localPort(index: PortIndex): number {
    return this.#ports[index]!.number;
  }

  setPeer(index: PortIndex, address: string, remotePort: number, exclusive: boolean): void {
    Object.assign(this.#ports[index]!, { address, remotePort, exclusive });
    const batch = this.#batch;
    for (let i = 0; i < batch.count; i++) {
      if (batch.port[i] === index) batch.fromPeer[i] = isFrom(this.#ports[index]!, batch.sources[i]!) ? 1 : 0;
    }
  }

  clearPeer(index: PortIndex): void {
    this.setPeer(index, "", 0, false);
  }

  reserve(length: number): number {
    const at = this.#sendAt;
    if (at + length > RECEIVE_BYTES + this.room) {
      this.counters.slabOverflow++;
      return -1;
    }
    this.#sendAt += length;
    return at;
  }

  /** Never the same place twice. */
  hold(length: number): number {
    const at = this.#holdAt;
    if (!this.joinsSegments || at + length > this.slab.length) return -1;
    this.#holdAt += length;
    return at;
  }

  release(): void {}

  send(index: PortIndex, offset: number, length: number): void {
    const port = this.#ports[index];
    if (port === undefined || port.remotePort === 0) return;
    const bytes = this.slab.slice(offset, offset + length);
    this.sent.push({ from: port.number, to: port.remotePort, bytes });
  }

  sendSegments(index: PortIndex, offset: number, length: number, segmentLength: number): void {
    for (let at = 0; at < length; at += segmentLength) this.send(index, offset + at, segmentLength);
  }

  async close(index: PortIndex): Promise<void> {
    this.#ports[index] = undefined;
  }

  wakeAt(at: number): void {
    this.wakesAt = at;
  }

  listen(_port: MessagePort): void {}

  async stop(): Promise<void> {
    this.#ports.length = 0;
  }
}

class MemoryBatch implements PacketBatch {
  readonly bytes: Uint8Array;
  count = 0;
  readonly offset = new Uint32Array(512);
  readonly length = new Uint16Array(512);
  readonly port = new Uint32Array(512);
  readonly fromPeer = new Uint8Array(512);
  readonly sources: ReceivedDatagram["from"][] = [];
  receivedAt = NO_TIME;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  sourceAddress(index: number): string {
    return this.sources[index]!.address;
  }

  sourcePort(index: number): number {
    return this.sources[index]!.port;
  }
}

function isFrom(port: Port, from: ReceivedDatagram["from"]): boolean {
  return port.remotePort !== 0 && port.remotePort === from.port && port.address === from.address;
}
