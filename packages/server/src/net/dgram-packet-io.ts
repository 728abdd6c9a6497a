import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { once } from "node:events";
import { isIP } from "node:net";
import type { MessagePort } from "node:worker_threads";
import type { Millis } from "@callfork/protocol/text";
import {
  MAX_PACKET_BYTES,
  NO_TIME,
  newPacketIoCounters,
  type PacketBatch,
  type PacketIo,
  type PacketIoHandlers,
  type PortIndex,
} from "./packet-io.ts";
import { ListenError } from "./transport-error.ts";

/** Packets of one batch; when more come in one turn of the loop, there are more batches. */
const BATCH_PACKETS = 512;
const RECEIVE_BYTES = 1024 * 1024;
const SEND_BYTES = 3 * 1024 * 1024;

export interface DgramPacketIoOptions {
  /** SO_RCVBUF of each port; the system's default when absent. */
  readonly receiveBufferBytes?: number;
}

/** The batch face over `node:dgram`: works everywhere, two system calls for each packet received. */
export function createDgramPacketIo(options: DgramPacketIoOptions = {}): PacketIo {
  return new DgramPacketIo(options);
}

interface Port {
  readonly index: PortIndex;
  readonly socket: Socket;
  address: string;
  remotePort: number;
  hasPeer: boolean;
  connected: boolean;
  closed: boolean;
  /** The kernel took no more: what it was given still lies in the slab. */
  blocked: boolean;
  /** Listed in `#touched`. */
  touched: boolean;
}

class DgramPacketIo implements PacketIo {
  readonly name = "dgram";
  readonly joinsSegments = false;
  readonly counters = newPacketIoCounters();
  slab: Buffer = newSlab();
  readonly #options: DgramPacketIoOptions;
  readonly #ports: (Port | undefined)[] = [];
  readonly #freeIndexes: PortIndex[] = [];
  readonly #messagePorts = new Set<MessagePort>();
  readonly #batch: DgramBatch;
  #handlers: PacketIoHandlers | undefined;
  #batchScheduled = false;
  #receiveAt = 0;
  #sendAt = RECEIVE_BYTES;
  /** Ports that sent in this turn. */
  #touched: Port[] = [];
  #flushScheduled = false;
  #wakeAt = Number.POSITIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: DgramPacketIoOptions) {
    this.#options = options;
    this.#batch = new DgramBatch(this.slab);
  }

  attach(handlers: PacketIoHandlers): void {
    this.#handlers = handlers;
  }

  async open(address: string, portNumber: number): Promise<PortIndex> {
    const ipv6 = isIP(address) === 6;
    const socket = createSocket({
      type: ipv6 ? "udp6" : "udp4",
      ipv6Only: ipv6,
      ...(this.#options.receiveBufferBytes === undefined
        ? {}
        : { recvBufferSize: this.#options.receiveBufferBytes }),
      // Peers are literals; answering at once makes bind, connect and send complete before they return.
      lookup: (host, _options, callback) => callback(null, host, ipv6 ? 6 : 4),
    });
    try {
      const listening = once(socket, "listening");
      socket.bind({ address, port: portNumber, exclusive: true });
      await listening;
    } catch (cause) {
      socket.close();
      throw new ListenError(`udp:${address}:${portNumber}`, cause);
    }
    const port: Port = {
      index: this.#freeIndexes.pop() ?? this.#ports.length,
      socket,
      address: "",
      remotePort: 0,
      hasPeer: false,
      connected: false,
      closed: false,
      blocked: false,
      touched: false,
    };
    this.#ports[port.index] = port;
    socket.on("message", (message, from) => this.#onMessage(port, message, from));
    socket.on("error", (error: NodeJS.ErrnoException) => this.#onError(port, error));
    return port.index;
  }

  localPort(index: PortIndex): number {
    return this.#open(index).socket.address().port;
  }

  setPeer(index: PortIndex, address: string, remotePort: number, exclusive: boolean): void {
    const port = this.#open(index);
    if (
      port.hasPeer &&
      port.connected === exclusive &&
      port.address === address &&
      port.remotePort === remotePort
    ) {
      return;
    }
    this.#disconnect(port);
    port.hasPeer = remotePort > 0 && remotePort <= 0xffff;
    port.address = address;
    port.remotePort = remotePort;
    this.#markAgain(port);
    if (!exclusive || !port.hasPeer) return;
    try {
      port.socket.connect(remotePort, address, () => {});
      // Throws when the kernel refused: then packets are sent, and lost, one by one.
      port.socket.remoteAddress();
      port.connected = true;
    } catch {
      port.connected = false;
    }
  }

  clearPeer(index: PortIndex): void {
    const port = this.#open(index);
    this.#disconnect(port);
    port.hasPeer = false;
    this.#markAgain(port);
  }

  reserve(length: number): number {
    const offset = this.#sendAt;
    if (offset + length > this.slab.length) {
      this.counters.slabOverflow++;
      return -1;
    }
    this.#sendAt = offset + length;
    this.#scheduleFlush();
    return offset;
  }

  send(index: PortIndex, offset: number, length: number): void {
    const port = this.#ports[index];
    if (port === undefined || port.closed || !port.hasPeer) return;
    if (port.blocked) {
      if (port.socket.getSendQueueCount() > 0) {
        this.counters.sendOverflow++;
        return;
      }
      port.blocked = false;
    }
    if (!port.touched) {
      port.touched = true;
      this.#touched.push(port);
    }
    this.#scheduleFlush();
    this.counters.sent++;
    if (port.connected) port.socket.send(this.slab, offset, length);
    else port.socket.send(this.slab, offset, length, port.remotePort, port.address);
  }

  /** The slab changes places: nothing in it outlasts a turn. */
  hold(): number {
    return -1;
  }

  release(): void {}

  sendSegments(index: PortIndex, offset: number, length: number, segmentLength: number): void {
    for (let at = 0; at < length; at += segmentLength) this.send(index, offset + at, segmentLength);
  }

  async close(index: PortIndex): Promise<void> {
    const port = this.#ports[index];
    if (port === undefined || port.closed) return;
    port.closed = true;
    const closed = once(port.socket, "close");
    // What this turn has queued leaves by process.nextTick; closing waits for it.
    process.nextTick(() => port.socket.close());
    await closed;
    // The loop closes handles after it has run immediates: no batch names this port any more.
    this.#ports[index] = undefined;
    this.#freeIndexes.push(index);
  }

  wakeAt(at: Millis): void {
    if (at === this.#wakeAt) return;
    this.#wakeAt = at;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (at === Number.POSITIVE_INFINITY) return;
    this.#timer = setTimeout(() => this.#onTimer(), Math.max(0, at - performance.now()));
  }

  listen(port: MessagePort, handler: (message: unknown) => void): void {
    this.#messagePorts.add(port);
    port.on("message", handler);
    port.on("close", () => this.#messagePorts.delete(port));
  }

  async stop(): Promise<void> {
    this.wakeAt(Number.POSITIVE_INFINITY);
    for (const port of this.#messagePorts) port.close();
    await Promise.all(this.#ports.map((port) => port && this.close(port.index)));
  }

  #onMessage(port: Port, message: Buffer, from: RemoteInfo): void {
    if (port.closed) return;
    const length = message.length;
    if (length > MAX_PACKET_BYTES) {
      this.counters.oversized++;
      return;
    }
    const fromPeer = isFromPeer(port, from);
    if (port.connected && fromPeer === 0) {
      // It waited in the socket's queue since before the peer was made exclusive.
      this.counters.strangers++;
      return;
    }
    this.counters.received++;
    const batch = this.#batch;
    const at = batch.count++;
    this.slab.set(message, this.#receiveAt);
    batch.offset[at] = this.#receiveAt;
    batch.length[at] = length;
    batch.port[at] = port.index;
    batch.fromPeer[at] = fromPeer;
    batch.sources[at] = from;
    this.#receiveAt += length;
    if (batch.count === BATCH_PACKETS || this.#receiveAt + MAX_PACKET_BYTES > RECEIVE_BYTES) {
      this.#runBatch();
    } else if (!this.#batchScheduled) {
      this.#batchScheduled = true;
      setImmediate(this.#runScheduledBatch);
    }
  }

  readonly #runScheduledBatch = (): void => {
    this.#batchScheduled = false;
    this.#runBatch();
  };

  #runBatch(): void {
    const batch = this.#batch;
    if (batch.count === 0) return;
    batch.receivedAt = performance.now();
    try {
      this.#handlers?.onBatch(batch);
    } finally {
      batch.count = 0;
      this.#receiveAt = 0;
    }
  }

  #onTimer(): void {
    this.#timer = undefined;
    const now = performance.now();
    if (now < this.#wakeAt) {
      // setTimeout counts whole milliseconds and may be early by a part of one.
      this.#timer = setTimeout(() => this.#onTimer(), 1);
      return;
    }
    this.#wakeAt = Number.POSITIVE_INFINITY;
    this.#handlers?.onWake(now);
  }

  #onError(port: Port, { syscall }: NodeJS.ErrnoException): void {
    if (!port.closed && port.connected) this.#handlers?.onUnreachable(port.index, syscall === "send");
  }

  /** `Socket.send` defers its system call by process.nextTick: what is queued here comes after all of this turn's. */
  #scheduleFlush(): void {
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    process.nextTick(this.#deferFlushed);
  }

  // The first tick may have been queued before the turn's last send; the second cannot.
  readonly #deferFlushed = (): void => process.nextTick(this.#flushed);

  readonly #flushed = (): void => {
    this.#flushScheduled = false;
    this.#sendAt = RECEIVE_BYTES;
    let retire = false;
    for (const port of this.#touched) {
      port.touched = false;
      if (!port.closed && port.socket.getSendQueueCount() > 0) {
        port.blocked = true;
        retire = true;
      }
    }
    this.#touched.length = 0;
    if (retire) {
      // The kernel's queue was full and libuv keeps pointers into the slab: it must not be written again.
      const fresh = newSlab();
      fresh.set(this.slab.subarray(0, this.#receiveAt));
      this.slab = fresh;
      this.#batch.bytes = fresh;
    }
  };

  /** Packets of the batch that is being dealt with are from the peer, or not, as of now. */
  #markAgain(port: Port): void {
    const batch = this.#batch;
    for (let i = 0; i < batch.count; i++) {
      if (batch.port[i] === port.index) batch.fromPeer[i] = isFromPeer(port, batch.sources[i]!);
    }
  }

  #disconnect(port: Port): void {
    if (!port.connected) return;
    port.connected = false;
    try {
      port.socket.disconnect();
    } catch {
      // It never was: connecting failed in the kernel.
    }
  }

  #open(index: PortIndex): Port {
    const port = this.#ports[index];
    if (port === undefined) throw new RangeError(`no such port: ${index}`);
    return port;
  }
}

class DgramBatch implements PacketBatch {
  bytes: Uint8Array;
  count = 0;
  readonly offset = new Uint32Array(BATCH_PACKETS);
  readonly length = new Uint16Array(BATCH_PACKETS);
  readonly port = new Uint32Array(BATCH_PACKETS);
  readonly fromPeer = new Uint8Array(BATCH_PACKETS);
  readonly sources: RemoteInfo[] = new Array(BATCH_PACKETS);
  receivedAt: Millis = NO_TIME;

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

function isFromPeer(port: Port, from: RemoteInfo): 0 | 1 {
  return port.hasPeer && from.port === port.remotePort && from.address === port.address ? 1 : 0;
}

/** Never pooled: regions of it are handed to the kernel. */
function newSlab(): Buffer {
  return Buffer.allocUnsafeSlow(RECEIVE_BYTES + SEND_BYTES);
}
