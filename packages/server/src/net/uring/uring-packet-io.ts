import { isIP } from "node:net";
import type { MessagePort } from "node:worker_threads";
import type { Millis } from "@callfork/protocol/text";
import { newPacketIoCounters, type PacketIo, type PacketIoHandlers, type PortIndex } from "../packet-io.ts";
import { ListenError } from "../transport-error.ts";
import * as abi from "./abi.ts";
import { type HeldResources, MAX_PORTS } from "./held-resources.ts";
import type { Kernel } from "./kernel.ts";
import { BUFFER_STRIDE, PACKET_AT, ReceiveBuffers, SOURCE_AT } from "./receive-buffers.ts";
import { Ring, WORD } from "./ring.ts";
import { SOCKADDR_BYTES, sameSocketAddress, writeSocketAddress } from "./socket-address.ts";
import { SystemCallError } from "./system-call-error.ts";
import { BATCH_PACKETS, UringBatch } from "./uring-batch.ts";

export interface UringPacketIoOptions {
  /** SO_RCVBUF of each port; the system's default when absent. */
  readonly receiveBufferBytes?: number | undefined;
  /** Packets that may lie received and not yet dealt with: a power of two. */
  readonly receiveBuffers?: number | undefined;
  /** Entries that may be written before they are handed over, and completions that may lie ready: powers of two. */
  readonly ringEntries?: { readonly submissions: number; readonly completions: number } | undefined;
  /** Ports are known to the ring by their place in its own table of files: see `UringAbilities`. */
  readonly fixedFiles?: boolean | undefined;
  /** Where it notes what has to be given back when this thread dies. */
  readonly held?: HeldResources | undefined;
}

const RECEIVE_BUFFERS = 4096;
const SEND_BYTES = 1024 * 1024;
/** What can be held beyond a turn: places of equal size. */
const HOLD_BYTES = 1536;
const HOLDS = 8192;
const RING_ENTRIES = { submissions: 1024, completions: 16_384 };
/** A thread that has nothing to do looks up this often. */
const MAX_WAIT_MS = 250;
/** Going back to the event loop costs as much as several packets: it waits so long, unless it has something to do. */
const MAX_STAY_MS = 10;
/** So many packets are worth a turn at once; fewer wait for company: 1 ms, or 2 while few come in that time. */
const COMPANY = 64;
const COMPANY_MS = 1;
const FEW = 24;
/** After the kernel had no memory for a receive. */
const RETRY_MS = 10;

const SEND_FLAGS = abi.MSG_DONTWAIT | abi.MSG_NOSIGNAL;
/** msghdr, iovec and a control message of one 16-bit number. */
const SEGMENTS_HEAD_BYTES = abi.MSGHDR_BYTES + 16 + 24;

/** What a completion is about: the high word of its user data. The low word is the port. */
const RECEIVE = 1;
const SEND = 2;
const SEGMENTS = 3;
const CANCEL = 4;
const LOOP = 5;

interface Port {
  readonly index: PortIndex;
  readonly descriptor: number;
  readonly number: number;
  address: string;
  remotePort: number;
  hasPeer: boolean;
  connected: boolean;
  /** A receive is with the kernel. */
  armed: boolean;
  closed: boolean;
  /** The kernel was asked to give up the receive. */
  cancelled: boolean;
  /** The turn of its last send. */
  sentIn: number;
  /** Segments have been refused on the way to its peer. */
  segmentsRefused: boolean;
  onClosed: (() => void)[];
}

/**
 * The batch face over io_uring: one receive for the life of a port, packets put by the kernel where they are worked on,
 * and one system call a turn that hands over all sends and waits for more.
 *
 * That call is where the thread waits, not the event loop; but the loop's own descriptor is in the ring and its timers
 * bound the wait, so that everything else that runs in the thread does so as ever. Each turn is an immediate.
 *
 * @throws SystemCallError - the kernel does not let us
 */
export class UringPacketIo implements PacketIo {
  readonly name = "uring";
  readonly joinsSegments: boolean;
  readonly counters = newPacketIoCounters();
  slab: Uint8Array;
  readonly #kernel: Kernel;
  readonly #options: UringPacketIoOptions;
  readonly #ring: Ring;
  readonly #buffers: ReceiveBuffers;
  readonly #batch: UringBatch;
  /** Of `slab`. */
  readonly #base: number;
  readonly #sendFrom: number;
  readonly #sendTo: number;
  #sendAt: number;
  /** Counts how often the room for sends was used anew. */
  #generation = 0;
  #holds = 0;
  readonly #freeHolds: number[] = [];
  /** Addresses of the ports' peers. */
  readonly #peers = new DataView(new ArrayBuffer(MAX_PORTS * SOCKADDR_BYTES));
  readonly #peersAt: number;
  readonly #bindAddress = new DataView(new ArrayBuffer(SOCKADDR_BYTES));
  /** The msghdr of all receives: only how much room an address has. */
  readonly #receiveHead = new DataView(new ArrayBuffer(abi.MSGHDR_BYTES));
  readonly #receiveHeadAt: number;
  readonly #fixedFiles: number;
  readonly #ports: (Port | undefined)[] = [];
  readonly #freeIndexes: PortIndex[] = [];
  readonly #messagePorts = new Set<MessagePort>();
  /** Ports whose receive has ended and is to be started again. */
  #unarmed: Port[] = [];
  #retries: Port[] = [];
  #retryAt = Number.POSITIVE_INFINITY;
  readonly #closing = new Set<Port>();
  /** Buffers whose packets may still be on their way out. */
  readonly #used = new Uint16Array(1 << 16);
  #usedCount = 0;
  #turns = 1;
  /** Completions of the last turn. */
  #lastCompleted = 0;
  #handlers: PacketIoHandlers | undefined;
  #loopWatched = false;
  /** The loop had something to do in the last turn: it is let through before we wait again. */
  #loopReady = true;
  #wakeAt = Number.POSITIVE_INFINITY;
  #running = false;
  #stopped = false;

  constructor(kernel: Kernel, options: UringPacketIoOptions = {}) {
    this.#kernel = kernel;
    this.#options = options;
    const { submissions, completions } = options.ringEntries ?? RING_ENTRIES;
    const ring = new Ring(kernel, submissions, completions);
    this.#ring = ring;
    try {
      const count = options.receiveBuffers ?? RECEIVE_BUFFERS;
      const receiveBytes = count * BUFFER_STRIDE;
      const slabBytes = receiveBytes + SEND_BYTES + HOLDS * HOLD_BYTES;
      // Never touched, never there: the kernel gives pages when they are first written.
      const room = new ArrayBuffer(slabBytes + 64);
      const start = 64 - (kernel.addressOf(room) % 64);
      this.slab = new Uint8Array(room, start, slabBytes);
      this.#base = kernel.addressOf(room) + start;
      this.#sendFrom = receiveBytes;
      this.#sendAt = receiveBytes;
      this.#sendTo = receiveBytes + SEND_BYTES;
      this.#batch = new UringBatch(this.slab);
      this.#buffers = new ReceiveBuffers(kernel, ring, this.#base, count);
      this.#peersAt = kernel.addressOf(this.#peers.buffer);
      this.#receiveHead.setUint32(8, SOCKADDR_BYTES, true);
      this.#receiveHeadAt = kernel.addressOf(this.#receiveHead.buffer);
      this.#fixedFiles = options.fixedFiles === false ? 0 : registerFiles(ring);
      this.joinsSegments = this.#testSegments();
    } catch (error) {
      ring.close();
      throw error;
    }
    options.held?.holdRing(ring.descriptor, ring.mappings);
  }

  attach(handlers: PacketIoHandlers): void {
    this.#handlers = handlers;
    if (this.#running) return;
    this.#running = true;
    setImmediate(this.#turn);
  }

  async open(address: string, portNumber: number): Promise<PortIndex> {
    const index = this.#freeIndexes.pop() ?? this.#ports.length;
    const what = `udp:${address}:${portNumber}`;
    let descriptor = -1;
    try {
      if (this.#stopped) throw new SystemCallError("open", abi.EBADF);
      if (index >= MAX_PORTS) throw new SystemCallError("open", abi.EMFILE);
      descriptor = this.#bind(address, portNumber);
      if (index < this.#fixedFiles) this.#ring.updateFile(index, descriptor);
    } catch (cause) {
      if (descriptor >= 0) this.#kernel.close(descriptor);
      // The list of ports has no holes but those in #freeIndexes.
      if (index < this.#ports.length) this.#freeIndexes.push(index);
      if (cause instanceof SystemCallError && SCARCE.has(cause.code)) this.counters.openFailed++;
      throw new ListenError(what, cause);
    }
    this.#options.held?.holdPort(index, descriptor);
    const port: Port = {
      index,
      descriptor,
      number: portNumber,
      address: "",
      remotePort: 0,
      hasPeer: false,
      connected: false,
      armed: false,
      closed: false,
      cancelled: false,
      sentIn: 0,
      segmentsRefused: false,
      onClosed: [],
    };
    this.#ports[index] = port;
    this.#arm(port);
    return index;
  }

  localPort(index: PortIndex): number {
    return this.#open(index).number;
  }

  setPeer(index: PortIndex, address: string, remotePort: number, exclusive: boolean): void {
    const port = this.#open(index);
    const same = port.hasPeer && port.address === address && port.remotePort === remotePort;
    if (same && port.connected === exclusive) return;
    // What was sent in this turn goes where it was meant to.
    if (port.sentIn === this.#turns) this.#submit();
    if (!same) port.segmentsRefused = false;
    port.hasPeer = remotePort > 0 && remotePort <= 0xffff && isIP(address) !== 0;
    port.address = address;
    port.remotePort = remotePort;
    if (port.connected && !(exclusive && port.hasPeer)) this.#disconnect(port);
    if (!port.hasPeer) {
      this.#markAgain(port);
      return;
    }
    const at = index * SOCKADDR_BYTES;
    const length = writeSocketAddress(this.#peers, at, address, remotePort);
    // When the kernel refuses, packets are sent, and lost, one by one.
    if (exclusive) port.connected = this.#kernel.connect(port.descriptor, this.#peersAt + at, length) >= 0;
    this.#markAgain(port);
  }

  clearPeer(index: PortIndex): void {
    const port = this.#open(index);
    if (port.sentIn === this.#turns) this.#submit();
    if (port.connected) this.#disconnect(port);
    port.hasPeer = false;
    this.#markAgain(port);
  }

  reserve(length: number): number {
    const offset = this.#sendAt;
    if (offset + length > this.#sendTo) {
      this.counters.slabOverflow++;
      return -1;
    }
    this.#sendAt = offset + length;
    return offset;
  }

  hold(length: number): number {
    if (length > HOLD_BYTES) return -1;
    const free = this.#freeHolds.pop();
    if (free !== undefined) return free;
    return this.#holds === HOLDS ? -1 : this.#sendTo + this.#holds++ * HOLD_BYTES;
  }

  release(offset: number): void {
    this.#freeHolds.push(offset);
  }

  send(index: PortIndex, offset: number, length: number): void {
    const port = this.#ports[index];
    if (port === undefined || port.closed || !port.hasPeer) return;
    const at = this.#next();
    if (at < 0) {
      this.counters.sendOverflow++;
      return;
    }
    port.sentIn = this.#turns;
    this.counters.sent++;
    this.#writeSend(at, port, offset, length);
  }

  sendSegments(index: PortIndex, offset: number, length: number, segmentLength: number): void {
    const port = this.#ports[index];
    if (port === undefined || port.closed || !port.hasPeer) return;
    const head = (this.#sendAt + 7) & ~7;
    const room = head + SEGMENTS_HEAD_BYTES <= this.#sendTo;
    const at =
      length > segmentLength && this.joinsSegments && !port.segmentsRefused && room ? this.#next() : -1;
    if (at < 0) {
      for (let from = 0; from < length; from += segmentLength) this.send(index, offset + from, segmentLength);
      return;
    }
    this.#sendAt = head + SEGMENTS_HEAD_BYTES;
    this.#writeSegmentsHead(port, head, offset, length, segmentLength);
    port.sentIn = this.#turns;
    this.counters.sent += length / segmentLength;
    // The head's place comes back when the kernel refuses: from it the segments can be sent one by one.
    this.#write(
      at,
      abi.OP_SENDMSG,
      abi.SQE_CQE_SKIP_SUCCESS,
      port,
      this.#base + head,
      1,
      SEND_FLAGS,
      SEGMENTS,
    );
    this.#ring.words[at + WORD.userLow] = head;
    this.#ring.words[at + WORD.userHigh] = SEGMENTS | (this.#generation << 8);
  }

  close(index: PortIndex): Promise<void> {
    const port = this.#ports[index];
    if (port === undefined) return Promise.resolve();
    if (!port.closed) {
      port.closed = true;
      this.#closing.add(port);
    }
    return new Promise((resolve) => port.onClosed.push(resolve));
  }

  wakeAt(at: number): void {
    this.#wakeAt = at;
  }

  listen(port: MessagePort, handler: (message: unknown) => void): void {
    this.#messagePorts.add(port);
    port.on("message", (message: unknown) => {
      handler(message);
      // A turn of its own: what it sent has left before whoever asks for the next one hears of it.
      if (this.#ring.pending > 0) this.#submit();
    });
    port.on("close", () => this.#messagePorts.delete(port));
  }

  async stop(): Promise<void> {
    this.wakeAt(Number.POSITIVE_INFINITY);
    for (const port of this.#messagePorts) port.close();
    // Closing takes turns.
    if (!this.#running) this.attach({ onBatch() {}, onWake() {}, onUnreachable() {} });
    // Whoever is in the middle of opening ports may open another meanwhile.
    while (this.#ports.some((port) => port !== undefined)) {
      await Promise.all(this.#ports.map((port) => port && this.close(port.index)));
    }
    if (this.#stopped) return;
    this.#stopped = true;
    this.#options.held?.forgetRing();
    this.#ring.close();
  }

  readonly #turn = (): void => {
    if (this.#stopped) return;
    // Pending immediates keep the loop from waiting; without its reference, ours does not hide what else there is.
    const next = setImmediate(this.#turn).unref();
    // A timer that is due sooner is waited for no longer than it says.
    const loopMs = this.#kernel.loopTimeoutMs();
    const leaveAt = performance.now() + (loopMs < 0 ? MAX_STAY_MS : Math.min(MAX_STAY_MS, loopMs));
    try {
      let now: number;
      do {
        now = this.#round();
      } while (now < leaveAt && !this.#loopReady && this.#closing.size === 0 && !this.#stopped);
    } finally {
      next.ref();
    }
  };

  /** @returns when it was over */
  #round(): Millis {
    if (this.#closing.size > 0) this.#runClosing();
    this.#armAgain();
    if (!this.#loopWatched) this.#watchLoop();
    const loopMs = this.#kernel.loopTimeoutMs();
    const waitMs = this.#waitMs(loopMs);
    const companyMs = this.#lastCompleted < FEW ? 2 * COMPANY_MS : COMPANY_MS;
    if (waitMs > 0) this.#handOver(COMPANY, waitMs, waitMs > companyMs ? companyMs : 0);
    else this.#handOver(0, 0, 0);
    this.#loopReady = loopMs === 0;
    this.#lastCompleted = this.#ring.completed;
    this.#takeCompletions();
    const now = performance.now();
    if (now >= this.#wakeAt) {
      this.#wakeAt = Number.POSITIVE_INFINITY;
      this.#handlers?.onWake(now);
    }
    return now;
  }

  /** How long nothing else has to be done. */
  #waitMs(loopMs: number): number {
    if (this.#loopReady || this.#closing.size > 0 || this.#ring.completed > 0) return 0;
    const now = performance.now();
    const ownMs = Math.min(MAX_WAIT_MS, this.#wakeAt - now, this.#retryAt - now);
    return loopMs < 0 ? ownMs : Math.min(ownMs, loopMs);
  }

  #submit(): void {
    this.#handOver(0, 0, 0);
  }

  /** One system call. When the kernel has taken all entries, all their packets have left: their places are free. */
  #handOver(minComplete: number, timeoutMs: number, companyMs: number): void {
    const ring = this.#ring;
    const result = ring.enter(minComplete, timeoutMs, companyMs);
    if (result < 0 && result !== -abi.ETIME && result !== -abi.EINTR) {
      if (result !== -abi.EAGAIN && result !== -abi.EBUSY && result !== -abi.ENOMEM) {
        throw new SystemCallError("io_uring_enter", -result);
      }
      this.counters.retried++;
    }
    if (ring.overflowed) this.counters.completionOverflow++;
    if (ring.pending > 0) return;
    this.#turns++;
    const count = this.#usedCount;
    // Packets of the batch that is being collected or dealt with are still needed.
    if (count === 0 || this.#batch.count > 0) return;
    for (let i = 0; i < count; i++) this.#buffers.giveBack(this.#used[i]!);
    this.#buffers.publish();
    this.#usedCount = 0;
  }

  #takeCompletions(): void {
    const ring = this.#ring;
    const words = ring.completions;
    const batch = this.#batch;
    this.#freeSendRoom();
    for (let left = ring.completed; left > 0; left--) {
      const at = ring.oldest;
      const user = words[at]!;
      const result = words[at + 2]!;
      const flags = words[at + 3]!;
      const kind = words[at + 1]! & 0xff;
      const generation = words[at + 1]! >>> 8;
      ring.taken();
      if (kind === RECEIVE) {
        this.#onReceived(user, result, flags);
        if (batch.count === BATCH_PACKETS) this.#runBatch();
      } else if (kind === SEND) this.#onSendFailed(this.#ports[user], result);
      else if (kind === SEGMENTS) this.#onSegmentsRefused(user, generation, result);
      else if (kind === LOOP) {
        this.#loopWatched = false;
        this.#loopReady = true;
      }
    }
    if (batch.count > 0) this.#runBatch();
  }

  #runBatch(): void {
    const batch = this.#batch;
    batch.receivedAt = performance.now();
    try {
      this.#handlers?.onBatch(batch);
    } finally {
      batch.count = 0;
    }
    if (this.#ring.completed === 0) return;
    this.#submit();
    this.#freeSendRoom();
  }

  /** What was reserved is sent or given up, unless the kernel still has to take it. */
  #freeSendRoom(): void {
    if (this.#ring.pending > 0) return;
    this.#sendAt = this.#sendFrom;
    this.#generation = (this.#generation + 1) & 0xffffff;
  }

  #onReceived(index: PortIndex, result: number, flags: number): void {
    const port = this.#ports[index]!;
    const { counters } = this;
    if ((flags & abi.CQE_F_MORE) === 0) {
      port.armed = false;
      if (!port.closed && result !== -abi.ENOMEM) this.#unarmed.push(port);
    }
    if ((flags & abi.CQE_F_BUFFER) !== 0) {
      const buffer = flags >>> abi.CQE_BUFFER_SHIFT;
      this.#used[this.#usedCount++] = buffer;
      if (port.closed || result < PACKET_AT) return;
      const at = buffer * BUFFER_STRIDE;
      const { view } = this.#batch;
      if ((view.getUint32(at + 12, true) & abi.MSG_TRUNC) !== 0) {
        counters.oversized++;
        return;
      }
      const fromPeer = this.#isFromPeer(port, at);
      if (port.connected && fromPeer === 0) {
        // It waited in the socket's queue since before the peer was made exclusive.
        counters.strangers++;
        return;
      }
      counters.received++;
      const batch = this.#batch;
      const place = batch.count++;
      batch.offset[place] = at + PACKET_AT;
      batch.length[place] = result - PACKET_AT;
      batch.port[place] = index;
      batch.fromPeer[place] = fromPeer;
      return;
    }
    if (port.closed || result >= 0 || result === -abi.ECANCELED) return;
    if (result === -abi.ENOBUFS) counters.receiveStarved++;
    else if (result === -abi.ENOMEM) this.#retryLater(port);
    else if (result !== -abi.EINTR && result !== -abi.EAGAIN && port.connected) {
      this.#handlers?.onUnreachable(index, false);
    }
  }

  #onSendFailed(port: Port | undefined, result: number): void {
    if (result === -abi.EAGAIN || result === -abi.ENOBUFS) this.counters.sendOverflow++;
    else if (result === -abi.ECONNREFUSED && port?.connected === true) {
      if (!port.closed) this.#handlers?.onUnreachable(port.index, true);
    } else this.counters.sendFailed++;
  }

  /** The way to that peer cannot do it, or its queue is full: from now on one by one, these packets too. */
  #onSegmentsRefused(head: number, generation: number, result: number): void {
    // `#takeCompletions` has just begun another.
    if (generation !== ((this.#generation - 1) & 0xffffff)) {
      this.counters.sendFailed++;
      return;
    }
    const view = this.#batch.view;
    const index = view.getUint32(head + SEGMENTS_HEAD_BYTES - 4, true);
    const port = this.#ports[index];
    if (result === -abi.EAGAIN || result === -abi.ENOBUFS || result === -abi.ECONNREFUSED) {
      this.#onSendFailed(port, result);
      return;
    }
    this.counters.sendFailed++;
    if (port === undefined || port.closed) return;
    port.segmentsRefused = true;
    const iov = head + abi.MSGHDR_BYTES;
    const offset = view.getUint32(iov, true) + view.getUint32(iov + 4, true) * 0x1_0000_0000 - this.#base;
    const length = view.getUint32(iov + 8, true);
    const segmentLength = view.getUint16(iov + 32, true);
    this.#sendAt = Math.max(this.#sendAt, head + SEGMENTS_HEAD_BYTES, offset + length);
    this.counters.sent -= length / segmentLength;
    this.sendSegments(index, offset, length, segmentLength);
  }

  #arm(port: Port): void {
    const at = this.#next();
    if (at < 0) {
      this.#unarmed.push(port);
      return;
    }
    port.armed = true;
    const flags = abi.SQE_BUFFER_SELECT | (abi.RECV_MULTISHOT << 8);
    this.#write(at, abi.OP_RECVMSG, flags, port, this.#receiveHeadAt, 1, 0, RECEIVE);
    this.#ring.words[at + WORD.bufferGroup] = this.#buffers.group;
  }

  #armAgain(): void {
    if (this.#retries.length > 0 && performance.now() >= this.#retryAt) {
      this.#unarmed.push(...this.#retries);
      this.#retries = [];
      this.#retryAt = Number.POSITIVE_INFINITY;
    }
    if (this.#unarmed.length === 0) return;
    // A receive that ended for want of buffers needs some.
    if (this.#usedCount > 0) this.#submit();
    const ports = this.#unarmed;
    this.#unarmed = [];
    for (const port of ports) if (!port.closed && !port.armed) this.#arm(port);
  }

  #retryLater(port: Port): void {
    this.counters.retried++;
    this.#retries.push(port);
    if (this.#retryAt === Number.POSITIVE_INFINITY) this.#retryAt = performance.now() + RETRY_MS;
  }

  /** Closed ports go once their receive has come back and their packets have left. */
  #runClosing(): void {
    for (const port of this.#closing) {
      if (port.armed && !port.cancelled) this.#cancel(port);
    }
    this.#submit();
    for (const port of this.#closing) {
      if (port.armed || this.#ring.pending > 0) continue;
      this.#closing.delete(port);
      const { index } = port;
      if (index < this.#fixedFiles) this.#ring.updateFile(index, -1);
      this.#options.held?.forgetPort(index);
      this.#kernel.close(port.descriptor);
      this.#ports[index] = undefined;
      this.#freeIndexes.push(index);
      for (const resolve of port.onClosed) resolve();
    }
  }

  #cancel(port: Port): void {
    const at = this.#next();
    if (at < 0) return;
    port.cancelled = true;
    const words = this.#ring.words;
    words.fill(0, at, at + 12);
    words[at + WORD.operation] = abi.OP_ASYNC_CANCEL | (abi.SQE_CQE_SKIP_SUCCESS << 8);
    words[at + WORD.file] = -1;
    // The user data of the receive.
    words[at + WORD.addressLow] = port.index;
    words[at + WORD.addressHigh] = RECEIVE;
    words[at + WORD.userHigh] = CANCEL;
  }

  /** Lets a wait end when the event loop has something to do. */
  #watchLoop(): void {
    const at = this.#next();
    if (at < 0) return;
    this.#loopWatched = true;
    const words = this.#ring.words;
    words.fill(0, at, at + 12);
    words[at + WORD.operation] = abi.OP_POLL_ADD;
    words[at + WORD.file] = this.#kernel.loopDescriptor();
    words[at + WORD.operationFlags] = abi.POLLIN;
    words[at + WORD.userHigh] = LOOP;
  }

  /** Room for an entry; a full ring is handed over first. */
  #next(): number {
    const at = this.#ring.next();
    if (at >= 0) return at;
    this.#submit();
    return this.#ring.next();
  }

  #writeSend(at: number, port: Port, offset: number, length: number): void {
    const words = this.#ring.words;
    this.#write(
      at,
      abi.OP_SEND,
      abi.SQE_CQE_SKIP_SUCCESS,
      port,
      this.#base + offset,
      length,
      SEND_FLAGS,
      SEND,
    );
    if (port.connected) return;
    const peer = this.#peersAt + port.index * SOCKADDR_BYTES;
    words[at + WORD.address2Low] = peer;
    words[at + WORD.address2High] = peer / 0x1_0000_0000;
    words[at + WORD.addressLength] = this.#peerLength(port);
  }

  #write(
    at: number,
    operation: number,
    flags: number,
    port: Port,
    address: number,
    length: number,
    operationFlags: number,
    kind: number,
  ): void {
    const words = this.#ring.words;
    const fixed = port.index < this.#fixedFiles;
    words[at] = operation | ((flags | (fixed ? abi.SQE_FIXED_FILE : 0)) << 8);
    words[at + WORD.file] = fixed ? port.index : port.descriptor;
    words[at + WORD.address2Low] = 0;
    words[at + WORD.address2High] = 0;
    words[at + WORD.addressLow] = address;
    words[at + WORD.addressHigh] = address / 0x1_0000_0000;
    words[at + WORD.length] = length;
    words[at + WORD.operationFlags] = operationFlags;
    words[at + WORD.userLow] = port.index;
    words[at + WORD.userHigh] = kind;
    words[at + WORD.bufferGroup] = 0;
    words[at + WORD.addressLength] = 0;
  }

  /** msghdr, iovec, and the control message that says how long a segment is; behind it, unread, the port. */
  #writeSegmentsHead(port: Port, head: number, offset: number, length: number, segmentLength: number): void {
    const { view } = this.#batch;
    const pointer = (at: number, address: number): void => {
      view.setUint32(at, address, true);
      view.setUint32(at + 4, address / 0x1_0000_0000, true);
    };
    const iov = head + abi.MSGHDR_BYTES;
    const control = iov + 16;
    pointer(head, port.connected ? 0 : this.#peersAt + port.index * SOCKADDR_BYTES);
    pointer(head + 8, port.connected ? 0 : this.#peerLength(port));
    pointer(head + 16, this.#base + iov);
    pointer(head + 24, 1);
    pointer(head + 32, this.#base + control);
    pointer(head + 40, 24);
    pointer(head + 48, 0);
    pointer(iov, this.#base + offset);
    pointer(iov + 8, length);
    pointer(control, 18);
    view.setInt32(control + 8, abi.SOL_UDP, true);
    view.setInt32(control + 12, abi.UDP_SEGMENT, true);
    view.setUint16(control + 16, segmentLength, true);
    view.setUint32(control + 20, port.index, true);
  }

  #peerLength(port: Port): number {
    return this.#peers.getUint16(port.index * SOCKADDR_BYTES, true) === abi.AF_INET ? 16 : 28;
  }

  #bind(address: string, portNumber: number): number {
    const family = isIP(address) === 6 ? abi.AF_INET6 : abi.AF_INET;
    const kernel = this.#kernel;
    const descriptor = kernel.socket(family, abi.SOCK_DGRAM | abi.SOCK_CLOEXEC);
    if (descriptor < 0) throw new SystemCallError("socket", -descriptor);
    const bytes = this.#options.receiveBufferBytes;
    if (bytes !== undefined) kernel.setOption(descriptor, abi.SOL_SOCKET, abi.SO_RCVBUF, bytes);
    if (family === abi.AF_INET6) kernel.setOption(descriptor, abi.IPPROTO_IPV6, abi.IPV6_V6ONLY, 1);
    const length = writeSocketAddress(this.#bindAddress, 0, address, portNumber);
    const bound = kernel.bind(descriptor, kernel.addressOf(this.#bindAddress.buffer), length);
    if (bound >= 0) return descriptor;
    kernel.close(descriptor);
    throw new SystemCallError("bind", -bound);
  }

  #disconnect(port: Port): void {
    port.connected = false;
    this.#bindAddress.setUint32(0, abi.AF_UNSPEC);
    this.#kernel.connect(port.descriptor, this.#kernel.addressOf(this.#bindAddress.buffer), 16);
  }

  /** Packets of the batch that is being dealt with are from the peer, or not, as of now. */
  #markAgain(port: Port): void {
    const batch = this.#batch;
    for (let i = 0; i < batch.count; i++) {
      if (batch.port[i] === port.index)
        batch.fromPeer[i] = this.#isFromPeer(port, batch.offset[i]! - PACKET_AT);
    }
  }

  #isFromPeer(port: Port, bufferAt: number): 0 | 1 {
    if (!port.hasPeer) return 0;
    const peerAt = port.index * SOCKADDR_BYTES;
    return sameSocketAddress(this.#batch.view, bufferAt + SOURCE_AT, this.#peers, peerAt) ? 1 : 0;
  }

  /** Does this kernel know segmentation? */
  #testSegments(): boolean {
    const socket = this.#kernel.socket(abi.AF_INET, abi.SOCK_DGRAM | abi.SOCK_CLOEXEC);
    if (socket < 0) return false;
    const result = this.#kernel.setOption(socket, abi.SOL_UDP, abi.UDP_SEGMENT, 1000);
    this.#kernel.close(socket);
    return result >= 0;
  }

  #open(index: PortIndex): Port {
    const port = this.#ports[index];
    if (port === undefined) throw new RangeError(`no such port: ${index}`);
    return port;
  }
}

const SCARCE = new Set(["EMFILE", "ENFILE", "ENOMEM", "ENOBUFS"]);

/** As many as the limit on descriptors allows. */
function registerFiles(ring: Ring): number {
  for (let count = MAX_PORTS; count >= 64; count >>= 1) {
    try {
      ring.registerFiles(count);
      return count;
    } catch {
      // Half of it, then.
    }
  }
  return 0;
}
