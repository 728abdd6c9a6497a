import { createRequire } from "node:module";

const AF_INET = 2;
const SOCK_DGRAM = 2;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const SO_RCVBUFFORCE = 33;
const SO_TIMESTAMPNS = 35;
const CLOCK_REALTIME = 0;
const MSG_DONTWAIT = 0x40;
const MMSGHDR_BYTES = 64;
/** Of a struct mmsghdr: the pointer to the address and its length, to the iovec and how many; octets of the message. */
const NAME_AT = 0;
const NAME_LENGTH_AT = 8;
const IOV_AT = 16;
const IOV_COUNT_AT = 24;
const CONTROL_AT = 32;
const CONTROL_LENGTH_AT = 40;
const MESSAGE_LENGTH_AT = 56;
/** A control message with a struct timespec behind its head. */
const CONTROL_BYTES = 32;
const SECONDS_AT = 16;
const IOVEC_BYTES = 16;
const SOCKADDR_BYTES = 16;
const RECEIVE_BUFFER_BYTES = 8 << 20;
const LOOPBACK = 0x7f000001;

/**
 * The packet lies in `bytes` from `at` on until the handler returns.
 *
 * @param receivedAt - by the clock of `now`: when the kernel had it, however late it was fetched
 */
export type OnPacket = (
  at: number,
  length: number,
  socket: number,
  sourcePort: number,
  receivedAt: number,
) => void;

/**
 * A few UDP sockets of 127.0.0.1 that stand for very many parties, by sendmmsg(2) and recvmmsg(2) through koffi.
 *
 * Whoever takes packets this way costs the sender the least: on loopback, delivery runs on the sender's CPU time, and
 * sockets that somebody waits at, or that are out of the cache, make every device under test look dearer than it is in
 * front of a network card. Nobody waits at these; they are emptied from time to time.
 */
export class Wire {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView<ArrayBuffer>;
  /** Port numbers. */
  readonly ports: readonly number[];
  readonly #libc: ReturnType<typeof bindLibc>;
  readonly #descriptors: readonly number[];
  readonly #incoming: MessageRoom;
  readonly #outgoing: readonly MessageRoom[];
  readonly #waiting: number[];
  readonly #slot: number;
  readonly #slots: number;
  readonly #timespec = new BigInt64Array(2);
  readonly #timespecAt: number;
  #epoch = 0;

  /**
   * @param slot - octets that a packet has at most
   * @param slots - packets that one call takes at most
   * @throws Error - koffi is not installed, or the system refuses a socket
   */
  constructor(sockets: number, slot: number, slots: number) {
    const libc = bindLibc();
    this.#libc = libc;
    this.#timespecAt = libc.addressOf(this.#timespec.buffer);
    this.#epoch = Math.floor(this.now());
    this.#slot = slot;
    this.#slots = slots;
    const room = new ArrayBuffer(slot * slots * (sockets + 1));
    this.bytes = new Uint8Array(room);
    this.view = new DataView(room);
    const rooms = Array.from(
      { length: sockets + 1 },
      (_, i) => new MessageRoom(libc.addressOf, libc.addressOf(room) + i * slot * slots, slot, slots),
    );
    this.#incoming = rooms.pop()!;
    this.#outgoing = rooms;
    this.#waiting = rooms.map(() => 0);
    const opened = rooms.map(() => openSocket(libc));
    this.#descriptors = opened.map(({ descriptor }) => descriptor);
    this.ports = opened.map(({ port }) => port);
  }

  /** Room for a packet that `queue` is called for next, in `bytes`; −1: `flush` first. */
  place(socket: number): number {
    const waiting = this.#waiting[socket]!;
    return waiting === this.#slots ? -1 : (socket * this.#slots + waiting) * this.#slot;
  }

  /** The packet at the place that `place` gave leaves with the next `flush`. */
  queue(socket: number, length: number, port: number): void {
    this.#outgoing[socket]!.describe(this.#waiting[socket]!++, length, port);
  }

  /** @returns how many packets the kernel did not take: they are lost */
  flush(): number {
    let lost = 0;
    for (const [i, waiting] of this.#waiting.entries()) {
      const { address } = this.#outgoing[i]!;
      let from = 0;
      while (from < waiting) {
        const at = address + from * MMSGHDR_BYTES;
        const sent = this.#libc.sendmmsg(this.#descriptors[i]!, at, waiting - from, MSG_DONTWAIT);
        if (sent <= 0) lost++;
        from += Math.max(sent, 1);
      }
      this.#waiting[i] = 0;
    }
    return lost;
  }

  /** Takes all that came. */
  receive(onPacket: OnPacket): void {
    const room = this.#incoming;
    const base = this.#descriptors.length * this.#slots * this.#slot;
    for (const [i, descriptor] of this.#descriptors.entries()) {
      let count = this.#slots;
      while (count === this.#slots) {
        room.wantTimes();
        count = this.#libc.recvmmsg(descriptor, room.address, this.#slots, MSG_DONTWAIT, 0);
        for (let message = 0; message < count; message++) {
          onPacket(
            base + message * this.#slot,
            room.lengthOf(message),
            i,
            room.portOf(message),
            room.timeOf(message) - this.#epoch,
          );
        }
      }
    }
  }

  /** Milliseconds since this was made, by the clock that the kernel stamps packets with. */
  now(): number {
    this.#libc.clock_gettime(CLOCK_REALTIME, this.#timespecAt);
    return Number(this.#timespec[0]) * 1000 + Number(this.#timespec[1]) / 1e6 - this.#epoch;
  }

  /** Sleeps without the event loop. */
  sleep(microseconds: number): void {
    this.#libc.usleep(microseconds);
  }
}

/** Headers, vectors and addresses of as many messages as one call takes. */
class MessageRoom {
  readonly address: number;
  readonly #view: DataView;
  readonly #vectorsAt: number;
  readonly #namesAt: number;
  readonly #controlsAt: number;
  readonly #slots: number;

  constructor(addressOf: (room: ArrayBuffer) => number, bytesAt: number, slot: number, slots: number) {
    this.#vectorsAt = slots * MMSGHDR_BYTES;
    this.#namesAt = this.#vectorsAt + slots * IOVEC_BYTES;
    this.#controlsAt = this.#namesAt + slots * SOCKADDR_BYTES;
    this.#slots = slots;
    const room = new ArrayBuffer(this.#controlsAt + slots * CONTROL_BYTES);
    const view = new DataView(room);
    this.#view = view;
    this.address = addressOf(room);
    const pointer = (at: number, value: number): void => view.setBigUint64(at, BigInt(value), true);
    for (let i = 0; i < slots; i++) {
      const head = i * MMSGHDR_BYTES;
      const vector = this.#vectorsAt + i * IOVEC_BYTES;
      const name = this.#namesAt + i * SOCKADDR_BYTES;
      pointer(head + NAME_AT, this.address + name);
      view.setUint32(head + NAME_LENGTH_AT, SOCKADDR_BYTES, true);
      pointer(head + IOV_AT, this.address + vector);
      pointer(head + IOV_COUNT_AT, 1);
      pointer(vector, bytesAt + i * slot);
      pointer(vector + 8, slot);
      view.setUint16(name, AF_INET, true);
      view.setUint32(name + 4, LOOPBACK);
    }
  }

  describe(message: number, length: number, port: number): void {
    this.#view.setUint32(this.#vectorsAt + message * IOVEC_BYTES + 8, length, true);
    this.#view.setUint16(this.#namesAt + message * SOCKADDR_BYTES + 2, port);
  }

  /** Before each receive: the kernel changes the lengths. */
  wantTimes(): void {
    for (let i = 0; i < this.#slots; i++) {
      const head = i * MMSGHDR_BYTES;
      const control = this.address + this.#controlsAt + i * CONTROL_BYTES;
      this.#view.setUint32(head + CONTROL_AT, control, true);
      this.#view.setUint32(head + CONTROL_AT + 4, control / 0x1_0000_0000, true);
      this.#view.setUint32(head + CONTROL_LENGTH_AT, CONTROL_BYTES, true);
    }
  }

  /** Milliseconds since 1970. */
  timeOf(message: number): number {
    const at = this.#controlsAt + message * CONTROL_BYTES + SECONDS_AT;
    const seconds = this.#view.getUint32(at, true) + this.#view.getUint32(at + 4, true) * 0x1_0000_0000;
    return seconds * 1000 + this.#view.getUint32(at + 8, true) / 1e6;
  }

  lengthOf(message: number): number {
    return this.#view.getUint32(message * MMSGHDR_BYTES + MESSAGE_LENGTH_AT, true);
  }

  portOf(message: number): number {
    return this.#view.getUint16(this.#namesAt + message * SOCKADDR_BYTES + 2);
  }
}

function openSocket(libc: ReturnType<typeof bindLibc>): { descriptor: number; port: number } {
  const descriptor = libc.socket(AF_INET, SOCK_DGRAM, 0);
  const option = new Int32Array([RECEIVE_BUFFER_BYTES]);
  const optionAt = libc.addressOf(option.buffer);
  // Beyond the system's limit for who may; what does not fit is counted as lost by the device.
  if (libc.setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, optionAt, 4) < 0) {
    libc.setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, optionAt, 4);
  }
  option[0] = 1;
  libc.setsockopt(descriptor, SOL_SOCKET, SO_TIMESTAMPNS, optionAt, 4);
  const name = new DataView(new ArrayBuffer(SOCKADDR_BYTES + 4));
  const nameAt = libc.addressOf(name.buffer);
  name.setUint16(0, AF_INET, true);
  name.setUint32(4, LOOPBACK);
  name.setUint32(SOCKADDR_BYTES, SOCKADDR_BYTES, true);
  if (descriptor < 0 || libc.bind(descriptor, nameAt, SOCKADDR_BYTES) < 0) {
    throw new Error("the system refuses a socket");
  }
  libc.getsockname(descriptor, nameAt, nameAt + SOCKADDR_BYTES);
  return { descriptor, port: name.getUint16(2) };
}

function bindLibc() {
  const koffi = createRequire(import.meta.url)("koffi") as typeof import("koffi");
  const libc = koffi.load("libc.so.6");
  return {
    socket: libc.func("int socket(int family, int type, int protocol)"),
    bind: libc.func("int bind(int fd, uintptr_t address, uint length)"),
    getsockname: libc.func("int getsockname(int fd, uintptr_t address, uintptr_t length)"),
    setsockopt: libc.func("int setsockopt(int fd, int level, int option, uintptr_t value, uint length)"),
    sendmmsg: libc.func("int sendmmsg(int fd, uintptr_t messages, uint count, int flags)"),
    recvmmsg: libc.func("int recvmmsg(int fd, uintptr_t messages, uint count, int flags, uintptr_t timeout)"),
    clock_gettime: libc.func("int clock_gettime(int clock, uintptr_t timespec)"),
    usleep: libc.func("int usleep(uint microseconds)"),
    addressOf: (room: ArrayBufferLike): number => Number(koffi.address(room)),
  };
}
