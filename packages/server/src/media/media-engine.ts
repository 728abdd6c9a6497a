import type { MessagePort } from "node:worker_threads";
import { ListenError, type PacketBatch, type PacketIoHandlers, type PortIndex } from "../net/index.ts";
import { EarlyPackets } from "./early-packets.ts";
import { Fork } from "./fork.ts";
import { Leg } from "./leg.ts";
import type { MediaContext } from "./media-context.ts";
import { HeldRuns } from "./packet-run.ts";
import { PacketSink } from "./packet-sink.ts";
import { Passage } from "./passage.ts";
import { Players } from "./players.ts";
import type { PortOwner } from "./port-owner.ts";
import { Receiver } from "./receiver.ts";
import { TranscodeQueue } from "./transcode-queue.ts";
import type { MediaId, PlayOptions } from "./types.ts";
import type { PairAddress, WorkerAnswer, WorkerCommand } from "./worker-messages.ts";

/** Reports and silence of each port are looked after this often, */
const TICK_MS = 250;
/** not of all at once: packets would have to wait. */
const TICK_SHARES = 50;
/** How long a received packet waits for company on its way to a sink. */
const SINK_FLUSH_MS = 40;
/** With no more than so many, packets are handed on sooner: what is nowhere but here is lost when we are killed. */
const FEW_OWNERS = 16;
/** A packet that comes so long after others is handed on at once, others this much later. */
const FEW_FLUSH_MS = 2;

type Answer = (question: number, answer: WorkerAnswer) => void;

/**
 * One media worker's work: legs, forks and receivers, and the packets between them. Everything happens in turns of the
 * `PacketIo`: a batch, a wake-up or a command.
 */
export class MediaEngine implements PacketIoHandlers {
  readonly #context: MediaContext;
  readonly #answer: Answer;
  readonly #owners = new Map<MediaId, PortOwner>();
  /** By port index; RTP and RTCP ports apart, so that a packet needs one look. Legs that are not connected: `#early`. */
  readonly #rtpOwners: (PortOwner | undefined)[] = [];
  readonly #rtcpOwners: (PortOwner | undefined)[] = [];
  readonly #forkLegs = new Map<MediaId, Leg>();
  readonly #players: Players;
  readonly #transcodings = new TranscodeQueue();
  readonly #held = new HeldRuns();
  /** Blocks of what comes to legs, by port index; −1 for other ports. */
  readonly #flowOf: number[] = [];
  readonly #early: EarlyPackets;
  /** Of no meaning: keeps the compiler from leaving the looking out. */
  touched = 0;
  readonly #sinks = new Map<number, PacketSink>();
  #dirtySinks: PacketSink[] = [];
  #flushAt = Number.POSITIVE_INFINITY;
  #flushedAt = 0;
  /** Goes round all ports; a map's iterator knows of those that come and go. */
  #ticking = this.#owners.values();
  #tickAt = Number.POSITIVE_INFINITY;

  constructor(context: MediaContext, answer: Answer) {
    this.#context = context;
    this.#answer = answer;
    this.#players = new Players((question, completed) => answer(question, { kind: "played", completed }));
    this.#early = new EarlyPackets(context, (leg) => {
      this.#rtpOwners[leg.rtpPort] = leg;
    });
  }

  onBatch(batch: PacketBatch): void {
    // Each packet is another call's, and hundreds of calls do not fit into the processor's caches: every step of a packet
    // would wait for memory in turn. Looking at all of them first, the processor waits for many at once.
    const { flows } = this.#context;
    let touched = 0;
    for (let i = 0; i < batch.count; i++) {
      const flow = this.#flowOf[batch.port[i]!]!;
      if (flow >= 0) touched += flows.touch(flow);
    }
    for (let i = 0; i < batch.count; i++) {
      const flow = this.#flowOf[batch.port[i]!]!;
      if (flow >= 0) touched += flows.touchSent(flow);
    }
    this.touched = touched | 0;
    for (let i = 0; i < batch.count; i++) {
      const port = batch.port[i]!;
      const flow = this.#flowOf[port]!;
      if (flow >= 0 && flows.take(batch, i, flow)) continue;
      const owner = this.#rtpOwners[port];
      if (owner !== undefined) owner.onRtpPacket(batch, i);
      else this.#onOtherPacket(batch, i, this.#rtcpOwners[port]);
    }
    if (this.#owners.size <= FEW_OWNERS && this.#dirtySinks.length > 0) this.#flushSoon(batch.receivedAt);
    this.#arm();
  }

  /** On an RTCP port, or on one whose leg is not connected. */
  #onOtherPacket(batch: PacketBatch, index: number, rtcpOwner: PortOwner | undefined): void {
    if (rtcpOwner !== undefined) rtcpOwner.onRtcpPacket(batch, index);
    else this.#early.take(batch, index);
  }

  onUnreachable(port: PortIndex, wasSending: boolean): void {
    const owner = this.#rtpOwners[port] ?? this.#rtcpOwners[port];
    owner?.onUnreachable(performance.now(), wasSending);
  }

  onWake(now: number): void {
    if (now >= this.#players.dueAt) this.#players.run(now);
    if (now >= this.#flushAt) this.#flushSinks();
    this.#transcodings.run(now);
    this.#early.run(now);
    this.#held.flushDue(now);
    if (now >= this.#tickAt) this.#tick(now);
    this.#arm();
  }

  /** Looks after a share of the ports. */
  #tick(now: number): void {
    const count = this.#owners.size;
    for (let left = Math.ceil(count / TICK_SHARES); left > 0; left--) {
      const next = this.#ticking.next();
      if (next.done === true) this.#ticking = this.#owners.values();
      else next.value.onTick(now);
    }
    this.#tickAt = count === 0 ? Number.POSITIVE_INFINITY : now + TICK_MS / Math.min(count, TICK_SHARES);
  }

  onCommand(command: WorkerCommand): void {
    const now = performance.now();
    const owner = this.#owners.get(command.id);
    switch (command.kind) {
      case "open-leg":
        this.#open(command, command.pair, (rtp, rtcp) =>
          command.isPassage
            ? new Passage(this.#context, command.id, rtp, rtcp)
            : new Leg(this.#context, command.id, rtp, rtcp),
        );
        break;
      case "open-fork":
        this.#openFork(command);
        break;
      case "open-receiver":
        this.#openReceiver(command);
        break;
      case "add-sink":
        this.#addSink(command.sink, command.port);
        break;
      case "connect-leg":
        if (owner instanceof Leg) owner.connect(command.connection, now);
        if (owner instanceof Passage) owner.connect(command.connection);
        if (isJoinable(owner)) this.#early.connected(owner, now);
        break;
      case "bridge":
        this.#bridge(owner, this.#owners.get(command.other), command.aToB, command.bToA);
        if (isJoinable(owner)) this.#early.bridged(owner, now);
        break;
      case "unbridge":
        if (isJoinable(owner)) unbridge(owner);
        break;
      case "play":
        this.#play(owner, command.question, command.options, now);
        break;
      case "stop-play":
        if (owner instanceof Leg) this.#players.stop(owner);
        break;
      case "start-fork":
        if (owner instanceof Fork) owner.start(command.connection);
        break;
      case "connect-receiver":
        if (owner instanceof Receiver) owner.connect(command, now);
        break;
      case "stats":
        this.#answer(command.question, { kind: "stats", stats: owner?.stats() });
        break;
      case "counters":
        this.#answer(command.question, { kind: "counters", counters: { ...this.#context.io.counters } });
        break;
      case "close":
        this.#close(command.id, command.question, now);
        break;
      case "stop":
        break;
    }
    this.#arm();
  }

  /** Says goodbye for everything; the ports are the `PacketIo`'s to close. */
  stop(now: number): void {
    for (const owner of this.#owners.values()) {
      if (owner instanceof Leg) this.#players.close(owner);
      if (isJoinable(owner)) this.#early.close(owner);
      owner.close(now);
    }
    this.#owners.clear();
    this.#rtpOwners.length = 0;
    this.#rtcpOwners.length = 0;
    this.#flowOf.length = 0;
  }

  #open(
    command: { readonly id: MediaId; readonly question: number },
    pair: PairAddress,
    create: (rtpPort: PortIndex, rtcpPort: PortIndex) => PortOwner | undefined,
  ): void {
    const { io } = this.#context;
    const open = async (): Promise<WorkerAnswer> => {
      const rtpPort = await io.open(pair.address, pair.rtpPort);
      let rtcpPort: PortIndex;
      try {
        rtcpPort = await io.open(pair.address, pair.rtpPort + 1);
      } catch (error) {
        await io.close(rtpPort);
        throw error;
      }
      const owner = create(rtpPort, rtcpPort);
      if (owner === undefined) {
        await Promise.all([io.close(rtpPort), io.close(rtcpPort)]);
        return { kind: "gone" };
      }
      this.#owners.set(owner.id, owner);
      if (isJoinable(owner)) this.#early.open(owner);
      this.#rtpOwners[rtpPort] = isJoinable(owner) ? undefined : owner;
      this.#rtcpOwners[rtcpPort] = owner;
      this.#flowOf[rtpPort] = owner instanceof Leg ? owner.inbound.flow : -1;
      this.#flowOf[rtcpPort] = -1;
      if (this.#tickAt === Number.POSITIVE_INFINITY) this.#tickAt = performance.now() + TICK_MS;
      this.#arm();
      return { kind: "opened" };
    };
    open().then(
      (answer) => this.#answer(command.question, answer),
      (error: unknown) => {
        const inUse = error instanceof ListenError && error.inUse;
        const message = error instanceof Error ? error.message : String(error);
        this.#answer(command.question, { kind: "refused", inUse, message });
      },
    );
  }

  #openFork(command: WorkerCommand & { kind: "open-fork" }): void {
    this.#open(command, command.pair, (rtpPort, rtcpPort) => {
      const leg = this.#owners.get(command.leg);
      if (!(leg instanceof Leg)) return undefined;
      const fork = new Fork(this.#context, command.id, rtpPort, rtcpPort, {
        held: this.#held,
        transcodings: this.#transcodings,
      });
      this.#forkLegs.set(fork.id, leg);
      leg.addFork(fork, command.track);
      return fork;
    });
  }

  #openReceiver(command: WorkerCommand & { kind: "open-receiver" }): void {
    const { cname, clockRateHz } = command;
    this.#open(command, command.pair, (rtpPort, rtcpPort) => {
      const sink = this.#sinks.get(command.sink);
      if (sink === undefined) return undefined;
      const ports = { rtpPort, rtcpPort };
      return new Receiver(this.#context, command.id, ports, { sink, cname, clockRateHz });
    });
  }

  #addSink(name: number, port: MessagePort): void {
    const sink = new PacketSink(this.#context, port, (dirty) => {
      this.#dirtySinks.push(dirty);
      if (this.#flushAt === Number.POSITIVE_INFINITY) this.#flushAt = performance.now() + SINK_FLUSH_MS;
    });
    this.#sinks.set(name, sink);
    port.once("close", () => this.#sinks.delete(name));
  }

  #bridge(
    a: PortOwner | undefined,
    b: PortOwner | undefined,
    aToB: ReadonlyMap<number, number>,
    bToA: ReadonlyMap<number, number>,
  ): void {
    if (a === b) return;
    if (a instanceof Passage && b instanceof Passage) {
      part(a, b);
      a.bridge(b);
      b.bridge(a);
    }
    if (!(a instanceof Leg) || !(b instanceof Leg)) return;
    part(a, b);
    a.bridge(b, aToB);
    b.bridge(a, bToA);
  }

  #play(owner: PortOwner | undefined, question: number, options: PlayOptions, now: number): void {
    if (!(owner instanceof Leg)) {
      this.#answer(question, { kind: "played", completed: false });
      return;
    }
    this.#players.play(owner, question, options, now);
  }

  #flushSoon(now: number): void {
    const dueAt = this.#flushedAt + FEW_FLUSH_MS;
    if (now >= dueAt) {
      this.#flushSinks();
      this.#flushedAt = now;
    } else this.#flushAt = Math.min(this.#flushAt, dueAt);
  }

  #flushSinks(): void {
    const dirty = this.#dirtySinks;
    this.#dirtySinks = [];
    this.#flushAt = Number.POSITIVE_INFINITY;
    for (const sink of dirty) sink.flush();
  }

  #close(id: MediaId, question: number, now: number): void {
    const owner = this.#owners.get(id);
    if (owner === undefined) {
      this.#answer(question, { kind: "gone" });
      return;
    }
    if (owner instanceof Leg) {
      this.#players.close(owner);
      unbridge(owner);
      for (const fork of [...owner.inboundForks, ...owner.outboundForks]) this.#forkLegs.delete(fork.id);
    }
    if (owner instanceof Passage) unbridge(owner);
    if (isJoinable(owner)) this.#early.close(owner);
    if (owner instanceof Fork) {
      const leg = this.#forkLegs.get(id);
      this.#forkLegs.delete(id);
      leg?.removeFork(owner);
    }
    owner.close(now);
    const stats = owner.stats();
    owner.release();
    this.#owners.delete(id);
    this.#flowOf[owner.rtpPort] = -1;
    this.#rtpOwners[owner.rtpPort] = undefined;
    this.#rtcpOwners[owner.rtcpPort] = undefined;
    const { io } = this.#context;
    Promise.all([io.close(owner.rtpPort), io.close(owner.rtcpPort)]).then(
      () => this.#answer(question, { kind: "stats", stats }),
      () => this.#answer(question, { kind: "stats", stats }),
    );
  }

  #arm(): void {
    const packets = Math.min(this.#players.dueAt, this.#transcodings.dueAt, this.#held.dueAt);
    this.#context.io.wakeAt(Math.min(packets, this.#early.dueAt, this.#flushAt, this.#tickAt));
  }
}

type Joinable = Leg | Passage;

function isJoinable(owner: PortOwner | undefined): owner is Joinable {
  return owner instanceof Leg || owner instanceof Passage;
}

function unbridge(one: Joinable): void {
  one.peer?.unbridge();
  one.unbridge();
}

/** From whomever they were joined with before, unless that was each other. */
function part(a: Joinable, b: Joinable): void {
  if (a.peer !== b) unbridge(a);
  if (b.peer !== a) unbridge(b);
}
