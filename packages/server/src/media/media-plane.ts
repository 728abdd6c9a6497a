import { randomInt } from "node:crypto";
import { isIP } from "node:net";
import { networkInterfaces } from "node:os";
import type { MessagePort } from "node:worker_threads";
import {
  createSystemClock,
  HeldResources,
  isLocalAddress,
  localAddressFor,
  newPacketIoCounters,
  type PacketIoChoice,
  type PacketIoCounters,
  PortPairs,
} from "../net/index.ts";
import type { Log } from "../observe/index.ts";
import { MediaBindError, MediaIoError, MediaLostError, UnknownLegError } from "./errors.ts";
import { MediaWorker } from "./media-worker.ts";
import { checkSrtp } from "./srtp-state.ts";
import type {
  BridgeOptions,
  ForkConnection,
  ForkOptions,
  LegConnection,
  LegOptions,
  MediaEdge,
  MediaEvent,
  MediaId,
  MediaImplementation,
  MediaPlane,
  MediaPort,
  MediaSrtp,
  MediaStats,
  MediaTarget,
  PlayOptions,
  ReceiverOptions,
} from "./types.ts";
import type { PairAddress, WorkerAnswer, WorkerCommand } from "./worker-messages.ts";

export interface MediaPlaneOptions {
  /** What goes into the SDP. Without it: the address of ours on the route to the remote address. */
  readonly advertisedAddress?: string | undefined;
  /** Where sockets are bound. Without it: the advertised address when it is ours, else all addresses. */
  readonly bindAddress?: string | undefined;
  /** Even/odd pairs are taken from here, both ends included. */
  readonly ports: { readonly first: number; readonly last: number };
  readonly edges?: readonly MediaEdge[];
  readonly workers: number;
  readonly log: Log;
  /** What carries packets. Default "auto": io_uring where it works, else `node:dgram`. */
  readonly io?: PacketIoChoice | undefined;
  /** How long a port pair rests after close, so that late packets of the old call meet nobody. Default 5,000. */
  readonly drainMs?: number;
  /** "rtp-stopped" is told after this much silence. Default 10,000. */
  readonly silenceMs?: number;
  /** How old a packet may be that came before its leg was connected. Default 200. */
  readonly earlyMs?: number;
}

const DEFAULT_DRAIN_MS = 5_000;
const DEFAULT_SILENCE_MS = 10_000;
/** Pairs that others hold are skipped; after so many something is wrong with the range. */
const MAX_BIND_ATTEMPTS = 64;
const NO_CHANGES: ReadonlyMap<number, number> = new Map();

/** The media plane of this process; a cluster of machines may have others. */
export interface LocalMediaPlane extends MediaPlane {
  /** Datagrams of all workers since the start, those of workers that have died as of their last report. */
  packetCounters(): Promise<PacketIoCounters>;
}

/**
 * Starts the workers; resolves when all are ready.
 *
 * @throws MediaIoError - io_uring was demanded and cannot be used
 */
export async function createMediaPlane(options: MediaPlaneOptions): Promise<LocalMediaPlane> {
  const plane = new WorkerMediaPlane(options);
  await plane.start();
  return plane;
}

interface Entry {
  readonly worker: MediaWorker;
  readonly group: string;
  /** Where its port pair belongs. */
  readonly pairs: PortPairs;
  /** Once it is bound. */
  rtpPort?: number;
  closing?: boolean;
  readonly onEvent: ((event: MediaEvent) => void)[];
}

class WorkerMediaPlane implements LocalMediaPlane {
  readonly #options: MediaPlaneOptions;
  readonly #pairs: PortPairs;
  readonly #edges: ReadonlyMap<string, MediaEdge & { readonly pairs: PortPairs }>;
  #workers: MediaWorker[] = [];
  readonly #entries = new Map<MediaId, Entry>();
  /** Where each group lives, and how many of it do. */
  readonly #groups = new Map<string, { readonly worker: MediaWorker; users: number }>();
  readonly #sinks = new WeakMap<MessagePort, { readonly name: number; readonly worker: MediaWorker }>();
  /** What each worker said last, and what those that are gone had said. */
  readonly #counted = new Map<MediaWorker, PacketIoCounters>();
  readonly #countedBefore = newPacketIoCounters();
  #lastId = 0;
  #lastSink = 0;
  #stopped = false;

  constructor(options: MediaPlaneOptions) {
    this.#options = options;
    const pairsOf = (ports: MediaPlaneOptions["ports"]) =>
      new PortPairs({
        ...ports,
        drainMs: options.drainMs ?? DEFAULT_DRAIN_MS,
        clock: createSystemClock(),
        randomInt: (below) => randomInt(below),
      });
    this.#pairs = pairsOf(options.ports);
    this.#edges = new Map(
      (options.edges ?? []).map((edge) => [
        edge.name,
        { ...edge, pairs: pairsOf(edge.ports ?? options.ports) },
      ]),
    );
  }

  async start(): Promise<void> {
    const count = Math.max(1, Math.floor(this.#options.workers));
    this.#workers = await Promise.all(Array.from({ length: count }, () => this.#startWorker()));
    const { log, ports } = this.#options;
    const { io, refusal } = this.implementation;
    if (refusal !== undefined && this.#options.io === "uring") {
      await this.stop();
      throw new MediaIoError(`io_uring cannot be used: ${refusal}`);
    }
    log.info({ io, workers: count, ...ports }, "media plane ready");
    this.#warnOf(refusal);
  }

  #warnOf(refusal: string | undefined): void {
    if (refusal === undefined) return;
    this.#options.log.warn({ refusal }, "packets go by node:dgram, at twice the cost of io_uring");
  }

  get implementation(): MediaImplementation {
    const [first] = this.#workers;
    // With little memory to lock, the first may have found it and the next not.
    const refused = this.#workers.find(({ refusal }) => refusal !== undefined);
    return {
      io: (refused ?? first)?.io ?? "dgram",
      workers: this.#workers.length,
      refusal: refused?.refusal,
    };
  }

  async packetCounters(): Promise<PacketIoCounters> {
    await Promise.all(
      this.#workers.map(async (worker) => {
        const answer = await worker.ask((question) => ({ kind: "counters", id: 0, question }));
        if (answer.kind === "counters") this.#counted.set(worker, answer.counters);
      }),
    );
    const total = newPacketIoCounters();
    for (const counters of [this.#countedBefore, ...this.#counted.values()]) add(total, counters);
    return total;
  }

  openLeg(options: LegOptions): Promise<MediaPort> {
    const worker = this.#workerOf(options.group);
    const isPassage = options.isPassage === true;
    return this.#open(worker, options, (id, pair, question) => ({
      kind: "open-leg",
      id,
      pair,
      question,
      isPassage,
    }));
  }

  connectLeg(leg: MediaId, connection: LegConnection): void {
    checkSrtp(connection.srtp);
    this.#tell(leg, { kind: "connect-leg", id: leg, connection });
  }

  bridge(a: MediaId, b: MediaId, options: BridgeOptions = {}): void {
    const { aToB = NO_CHANGES, bToA = NO_CHANGES } = options;
    this.#tell(a, { kind: "bridge", id: a, other: b, aToB, bToA });
  }

  unbridge(a: MediaId): void {
    this.#tell(a, { kind: "unbridge", id: a });
  }

  async play(leg: MediaId, options: PlayOptions): Promise<boolean> {
    const entry = this.#entries.get(leg);
    if (entry === undefined) return false;
    try {
      const answer = await entry.worker.ask((question) => ({ kind: "play", id: leg, question, options }));
      return answer.kind === "played" && answer.completed;
    } catch (error) {
      if (error instanceof MediaLostError) return false;
      throw error;
    }
  }

  stopPlay(leg: MediaId): void {
    this.#tell(leg, { kind: "stop-play", id: leg });
  }

  async openFork(options: ForkOptions): Promise<MediaPort> {
    const { leg, track, remoteAddress, edge } = options;
    const home = this.#entries.get(leg);
    if (home === undefined) throw new UnknownLegError(`no such leg: ${leg}`);
    return this.#open(home.worker, { group: home.group, remoteAddress, edge }, (id, pair, question) => ({
      kind: "open-fork",
      id,
      pair,
      question,
      leg,
      track,
    }));
  }

  startFork(fork: MediaId, connection: ForkConnection): void {
    checkSrtp(connection.srtp);
    this.#tell(fork, { kind: "start-fork", id: fork, connection });
  }

  openReceiver(options: ReceiverOptions): Promise<MediaPort> {
    const { cname, clockRateHz } = options;
    const { worker, name } = this.#sinkOf(options);
    return this.#open(worker, options, (id, pair, question) => ({
      kind: "open-receiver",
      id,
      pair,
      question,
      sink: name,
      cname,
      clockRateHz,
    }));
  }

  connectReceiver(
    receiver: MediaId,
    remote: MediaTarget | null,
    payloadTypes: readonly number[],
    srtp?: MediaSrtp | undefined,
  ): void {
    checkSrtp(srtp);
    this.#tell(receiver, { kind: "connect-receiver", id: receiver, remote, payloadTypes, srtp });
  }

  stats(id: MediaId): Promise<MediaStats | undefined> {
    return this.#askStats(id, (question) => ({ kind: "stats", id, question }));
  }

  async close(id: MediaId): Promise<MediaStats | undefined> {
    const entry = this.#entries.get(id);
    if (entry === undefined || entry.closing === true) return undefined;
    entry.closing = true;
    try {
      return await this.#askStats(id, (question) => ({ kind: "close", id, question }));
    } finally {
      this.#leave(id, entry);
    }
  }

  onEvent(id: MediaId, handler: (event: MediaEvent) => void): void {
    this.#entries.get(id)?.onEvent.push(handler);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#workers.map((worker) => worker.stop()));
    this.#entries.clear();
    this.#groups.clear();
  }

  async #open(
    worker: MediaWorker,
    options: Pick<LegOptions, "group"> & {
      readonly remoteAddress?: string | undefined;
      edge?: string | undefined;
    },
    command: OpenCommand,
  ): Promise<MediaPort> {
    if (this.#stopped) throw new MediaLostError("the media plane is stopped");
    const { address, bindAddress, pairs } = this.#origin(options);
    const id = ++this.#lastId;
    const entry: Entry = { worker, group: options.group, pairs, onEvent: [] };
    this.#enter(id, entry);
    try {
      const rtpPort = await this.#bind(worker, id, { bindAddress, pairs }, command);
      entry.rtpPort = rtpPort;
      return { id, address, rtpPort, rtcpPort: rtpPort + 1 };
    } catch (error) {
      this.#leave(id, entry);
      throw error;
    }
  }

  /** What is told of us, and where the sockets are. */
  #origin({ remoteAddress, edge: name }: { remoteAddress?: string | undefined; edge?: string | undefined }) {
    if (name !== undefined) {
      const edge = this.#edges.get(name);
      if (edge === undefined) throw new MediaBindError(`no edge is named ${name}`);
      return { address: edge.advertisedAddress, bindAddress: edge.bindAddress, pairs: edge.pairs };
    }
    const address = this.#options.advertisedAddress ?? addressTowards(remoteAddress);
    const bindAddress = this.#options.bindAddress ?? (isLocalAddress(address) ? address : anyOf(address));
    return { address, bindAddress, pairs: this.#pairs };
  }

  async #bind(
    worker: MediaWorker,
    id: MediaId,
    { bindAddress: address, pairs }: { readonly bindAddress: string; readonly pairs: PortPairs },
    command: OpenCommand,
  ): Promise<number> {
    for (let attempt = 0; attempt < MAX_BIND_ATTEMPTS; attempt++) {
      const rtpPort = pairs.take();
      let answer: WorkerAnswer;
      try {
        answer = await worker.ask((question) => command(id, { address, rtpPort }, question));
      } catch (error) {
        pairs.release(rtpPort);
        throw error;
      }
      if (answer.kind === "opened") return rtpPort;
      if (answer.kind === "refused" && answer.inUse) {
        pairs.refuse(rtpPort);
        continue;
      }
      pairs.release(rtpPort);
      if (answer.kind === "refused") throw new MediaBindError(answer.message);
      throw new UnknownLegError("the leg or the sink is gone");
    }
    throw new MediaBindError(`${MAX_BIND_ATTEMPTS} port pairs in a row are held by others`);
  }

  async #askStats(id: MediaId, build: (question: number) => WorkerCommand): Promise<MediaStats | undefined> {
    try {
      const answer = await this.#entries.get(id)?.worker.ask(build);
      return answer?.kind === "stats" ? answer.stats : undefined;
    } catch (error) {
      if (error instanceof MediaLostError) return undefined;
      throw error;
    }
  }

  #tell(id: MediaId, command: WorkerCommand): void {
    this.#entries.get(id)?.worker.tell(command);
  }

  #enter(id: MediaId, entry: Entry): void {
    this.#entries.set(id, entry);
    entry.worker.ids.add(id);
    const group = this.#groups.get(entry.group) ?? { worker: entry.worker, users: 0 };
    group.users++;
    this.#groups.set(entry.group, group);
  }

  /** It is gone: its ports rest, and its group is forgotten with its last member. */
  #leave(id: MediaId, entry: Entry): void {
    if (!this.#entries.delete(id)) return;
    entry.worker.ids.delete(id);
    if (entry.rtpPort !== undefined) entry.pairs.release(entry.rtpPort);
    const group = this.#groups.get(entry.group);
    if (group !== undefined && --group.users <= 0) this.#groups.delete(entry.group);
  }

  #workerOf(group: string): MediaWorker {
    const home = this.#groups.get(group);
    if (home !== undefined) return home.worker;
    const [first, ...others] = this.#workers;
    if (first === undefined) throw new MediaLostError("no media worker is left");
    return others.reduce((least, worker) => (worker.ids.size < least.ids.size ? worker : least), first);
  }

  /** The first receiver of a sink takes its port to a worker; the others follow it there. */
  #sinkOf(options: ReceiverOptions): { readonly worker: MediaWorker; readonly name: number } {
    const known = this.#sinks.get(options.sink);
    if (known !== undefined) return known;
    const sink = { worker: this.#workerOf(options.group), name: ++this.#lastSink };
    this.#sinks.set(options.sink, sink);
    sink.worker.tell({ kind: "add-sink", id: 0, sink: sink.name, port: options.sink }, [options.sink]);
    return sink;
  }

  #startWorker(): Promise<MediaWorker> {
    const { log, silenceMs = DEFAULT_SILENCE_MS, earlyMs, io = "auto" } = this.#options;
    const settings = { silenceMs, earlyMs, io, held: new HeldResources().table };
    return MediaWorker.start(settings, log, {
      onEvent: (event) => {
        if (event.kind !== "worker-lost") this.#emit(event.id, event);
      },
      onLost: (worker) => this.#onLost(worker),
    });
  }

  #emit(id: MediaId, event: MediaEvent): void {
    for (const handler of this.#entries.get(id)?.onEvent ?? []) handler(event);
  }

  /** Calls in other workers go on; new ones get a fresh worker in its place. */
  #onLost(lost: MediaWorker): void {
    this.#workers = this.#workers.filter((worker) => worker !== lost);
    add(this.#countedBefore, this.#counted.get(lost) ?? newPacketIoCounters());
    this.#counted.delete(lost);
    const ids = [...lost.ids];
    for (const id of ids) {
      const entry = this.#entries.get(id);
      if (entry === undefined) continue;
      this.#leave(id, entry);
      for (const handler of entry.onEvent) handler({ kind: "worker-lost", ids });
    }
    if (this.#stopped) return;
    this.#startWorker().then(
      (worker) => {
        if (this.#stopped) return worker.stop();
        this.#workers.push(worker);
        this.#warnOf(worker.refusal);
        return undefined;
      },
      (error: unknown) => this.#options.log.error({ error }, "no media worker in place of the lost one"),
    );
  }
}

type OpenCommand = (id: MediaId, pair: PairAddress, question: number) => WorkerCommand;

function add(total: PacketIoCounters, counters: PacketIoCounters): void {
  for (const name of Object.keys(total) as (keyof PacketIoCounters)[]) total[name] += counters[name];
}

function addressTowards(remoteAddress: string | undefined): string {
  const routed = remoteAddress === undefined ? undefined : localAddressFor(remoteAddress);
  return routed ?? defaultAddress();
}

/** The first address of ours that others can reach. */
function defaultAddress(): string {
  for (const list of Object.values(networkInterfaces())) {
    for (const entry of list ?? []) if (!entry.internal && entry.family === "IPv4") return entry.address;
  }
  return "127.0.0.1";
}

function anyOf(address: string): string {
  return isIP(address) === 6 ? "::" : "0.0.0.0";
}
