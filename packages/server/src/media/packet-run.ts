import type { PacketIo, PortIndex } from "../net/index.ts";

/** Packets that leave as one, at most: of 20 ms each, the first is 80 ms late when the last has come. */
const MAX_PACKETS = 5;
/** Somewhat less than the 100 ms that a recorder has to put up with: timers are late. */
const HOLD_MS = 95;
const ROOM_BYTES = 1536;

/**
 * Packets of one stream that wait for each other, to leave as one where the kernel can cut them apart (UDP GSO): a
 * recorder is no party of the talk, and five packets cost little more than one.
 *
 * A run ends at a marker, another payload type, another length, an irregular timestamp, or when its time is up. They
 * are built, and protected, before they wait; all that is put off is the sending.
 */
export class PacketRun {
  /** Monotonic milliseconds when the oldest began to wait; −1: nothing waits. */
  heldSince = -1;
  /** There was no room in the slab for packets that had to leave. */
  dropped = 0;
  /** Packets of the run that left last, and of the one before. */
  lastCount = 0;
  countBefore = 0;
  readonly #io: PacketIo;
  readonly #port: PortIndex;
  readonly #held: HeldRuns;
  readonly #room: number;
  #from: number;
  #to: number;
  #count = 0;
  #length = 0;
  #payloadType = -1;
  #timestamp = 0;
  #step = -1;

  /** @returns undefined when the implementation behind `io` has nothing to gain from it, or no room */
  static create(io: PacketIo, port: PortIndex, held: HeldRuns): PacketRun | undefined {
    const room = io.joinsSegments ? io.hold(ROOM_BYTES) : -1;
    return room < 0 ? undefined : new PacketRun(io, port, held, room);
  }

  private constructor(io: PacketIo, port: PortIndex, held: HeldRuns, room: number) {
    this.#io = io;
    this.#port = port;
    this.#held = held;
    this.#room = room;
    this.#from = room;
    this.#to = room;
  }

  /**
   * Where the next packet is to be built, in the slab; ends the run before when it cannot be part of it.
   *
   * @param length - what it may need, tags included
   * @param timestamp - or what is left of it as a signed number, which costs no box
   * @returns −1: too long for a run, and nothing waits any more
   */
  begin(length: number, marker: boolean, payloadType: number, timestamp: number): number {
    const step = (timestamp - this.#timestamp) | 0;
    if (this.#count > 0 && (marker || payloadType !== this.#payloadType || !this.#isInStep(step)))
      this.flush();
    if (this.#to + length > this.#room + ROOM_BYTES) this.flush();
    if (this.#count === 0) {
      this.#from = this.#room;
      this.#to = this.#room;
    }
    this.#step = this.#count === 0 ? -1 : step;
    this.#payloadType = payloadType;
    this.#timestamp = timestamp;
    return this.#to + length > this.#room + ROOM_BYTES ? -1 : this.#to;
  }

  /** The packet of `length` octets at the place that `begin` gave is ready. */
  end(length: number, now: number): void {
    const isAlien = this.#count > 0 && length !== this.#length;
    if (isAlien) this.#sendHeld();
    this.#length = length;
    this.#to += length;
    this.#count++;
    if (this.#count === 1) {
      this.heldSince = now;
      this.#held.add(this, now);
    } else if (this.#count === MAX_PACKETS) this.flush();
  }

  /** Packets that wait. */
  get waiting(): number {
    return this.#count;
  }

  /** Nothing waits any more. */
  flush(): void {
    if (this.#count > 0) this.#sendHeld();
  }

  /** Sends what waits, and gives its room back. */
  close(): void {
    this.flush();
    this.#io.release(this.#room);
  }

  #isInStep(step: number): boolean {
    return this.#step < 0 ? step > 0 : step === this.#step;
  }

  #sendHeld(): void {
    const io = this.#io;
    const [from, length] = [this.#from, this.#to - this.#from];
    this.#from = this.#to;
    const count = this.#count;
    this.countBefore = this.lastCount;
    this.lastCount = count;
    this.#count = 0;
    this.heldSince = -1;
    const at = io.reserve(length);
    if (at < 0) {
      this.dropped += count;
      return;
    }
    io.slab.copyWithin(at, from, from + length);
    io.sendSegments(this.#port, at, length, this.#length);
  }
}

/** All runs of a worker that wait, in the order in which their time is up. */
export class HeldRuns {
  #runs: (PacketRun | undefined)[] = [];
  #since: number[] = [];
  #head = 0;

  /** When `flushDue` has something to do next. */
  get dueAt(): number {
    this.#skipGone();
    return this.#head === this.#runs.length ? Number.POSITIVE_INFINITY : this.#since[this.#head]! + HOLD_MS;
  }

  add(run: PacketRun, now: number): void {
    this.#runs.push(run);
    this.#since.push(now);
  }

  flushDue(now: number): void {
    while (this.dueAt <= now) this.#runs[this.#head++]?.flush();
  }

  /** Most runs are full, and have left, long before their time is up. */
  #skipGone(): void {
    const end = this.#runs.length;
    while (this.#head < end && this.#runs[this.#head]!.heldSince !== this.#since[this.#head]) {
      this.#runs[this.#head++] = undefined;
    }
    if (this.#head < 4096 && this.#head < end) return;
    if (this.#head === 0) return;
    this.#runs.splice(0, this.#head);
    this.#since.splice(0, this.#head);
    this.#head = 0;
  }
}
