import { sameKeying } from "@callfork/protocol/srtp";
import type { SiprecTrackReport, SiprecTranscoding } from "../calls/index.ts";
import type {
  ForkConnection,
  MediaEvent,
  MediaPlane,
  MediaPort,
  MediaStats,
  TranscodingStats,
} from "../media/index.ts";
import type { Clock } from "../net/index.ts";
import type { Log } from "../observe/index.ts";
import type { TrackLine } from "./recording-offer.ts";
import type { TrackLabel } from "./tracks.ts";

/** A media worker that has not answered by then never will. */
const ANSWER_LIMIT_MS = 5_000;

export interface ForkMediaOptions {
  readonly media: MediaPlane;
  readonly clock: Clock;
  readonly log: Log;
  readonly labels: readonly TrackLabel[];
  /** Packets may wait for each other: see `ForkConnection.batching`. */
  readonly batching?: boolean;
  /**
   * ICMP said that nobody listens at the recorder's port; once a second at most.
   *
   * @param delivered - packets of the track that were sent before, as far as is known
   */
  readonly onUnreachable: (label: TrackLabel, delivered: number | undefined) => void;
  /** The worker died, and the ports with it. */
  readonly onLost: () => void;
}

/** Where copies go, and from which edge: decides which address of ours they leave from. */
export interface ForkDirection {
  readonly address: string | undefined;
  readonly edge: { readonly name: string } | undefined;
}

/** Of one track, over all its ports. */
export interface ForkCounts {
  readonly sent: number;
  readonly withheld: number;
  readonly packetTimeMs: number;
}

/** The media side of one fork: a port pair a track, where its copies go, and an end that leaves nothing open. */
export class ForkMedia {
  readonly #options: ForkMediaOptions;
  readonly #ports = new Map<TrackLabel, MediaPort>();
  readonly #connected = new Map<TrackLabel, ForkConnection>();
  /** The same, of closed ports too. */
  readonly #last = new Map<TrackLabel, ForkConnection>();
  /** What ports that are closed have sent. */
  readonly #sent = new Map<TrackLabel, SiprecTrackReport>();
  readonly #codecs = new Map<TrackLabel, string>();
  readonly #withheld = new Map<TrackLabel, number>();
  #fenced = false;
  #closing: Promise<void> = Promise.resolve();
  #towards: ForkDirection = { address: undefined, edge: undefined };
  #closed = false;

  constructor(options: ForkMediaOptions) {
    this.#options = options;
  }

  /** By m-line. */
  get lines(): readonly TrackLine[] {
    return this.#options.labels.map((label) => ({ label, port: this.#ports.get(label) }));
  }

  /** Opens what is not open yet, afresh when the recorder is reached by another address of ours. */
  async open(leg: number, { address, edge }: ForkDirection): Promise<void> {
    const isMoved = address !== this.#towards.address || edge?.name !== this.#towards.edge?.name;
    this.#towards = { address, edge };
    const wanted = this.#options.labels.filter((label) => isMoved || !this.#ports.has(label));
    await Promise.all(wanted.map((track) => this.#openTrack(leg, track)));
  }

  /**
   * Copies flow there from the next packet on, unless fenced; a connection that is the same already is left alone.
   *
   * @param codec - what flows, for reports
   */
  connect(label: TrackLabel, connection: ForkConnection, codec?: string): void {
    if (codec !== undefined) this.#codecs.set(label, codec);
    this.#start(label, { ...connection, withhold: this.#fenced });
  }

  /** No packets for now: the recorder said `inactive`. The stream goes on with its SSRC when it wants them again. */
  pause(label: TrackLabel): void {
    const connection = this.#connected.get(label);
    if (connection !== undefined) this.#start(label, { ...connection, withhold: true });
  }

  /**
   * Nothing flows, whatever is agreed, until `release`. When it resolves the media workers have seen to it; it rejects
   * when they do not say so in time.
   */
  async fence(): Promise<void> {
    this.#fenced = true;
    for (const label of this.#connected.keys()) this.pause(label);
    // Commands and questions are dealt with in the order given: an answer shows that the fence stands.
    const seen = Promise.all([...this.#ports.values()].map(({ id }) => this.#options.media.stats(id)));
    await this.#withLimit(seen, "the media plane did not answer in time", () => {});
  }

  /** Nothing flows until the next recorder is connected. */
  hold(): void {
    for (const label of this.#connected.keys()) this.pause(label);
  }

  get isFenced(): boolean {
    return this.#fenced;
  }

  /** What is connected from now on may flow. */
  release(): void {
    this.#fenced = false;
  }

  #start(label: TrackLabel, wanted: ForkConnection): void {
    const connection = { ...wanted, batching: this.#options.batching !== false };
    const port = this.#ports.get(label);
    if (port === undefined || isSame(this.#connected.get(label), connection)) return;
    this.#connected.set(label, connection);
    this.#last.set(label, connection);
    this.#options.media.startFork(port.id, connection);
  }

  /** Packets of each track so far: those sent, and those that would have been. */
  async counts(): Promise<ReadonlyMap<TrackLabel, ForkCounts>> {
    const counts = this.#options.labels.map(async (label): Promise<[TrackLabel, ForkCounts]> => {
      await this.#closing;
      const port = this.#ports.get(label);
      const now = port && (await this.#options.media.stats(port.id).catch(() => undefined));
      // Closed meanwhile: it counts as closed once its last counters are in.
      const stats = this.#ports.get(label) === port ? now : undefined;
      if (stats === undefined) await this.#closing;
      return [
        label,
        {
          sent: this.#sentBefore(label) + (stats?.sent.packets ?? 0),
          withheld: (this.#withheld.get(label) ?? 0) + (stats?.withheld ?? 0),
          packetTimeMs: stats?.packetTimeMs ?? 20,
        },
      ];
    });
    return new Map(await Promise.all(counts));
  }

  #sentBefore(label: TrackLabel): number {
    return this.#sent.get(label)?.packets ?? 0;
  }

  /** What was sent so far, a track each. */
  async report(): Promise<readonly SiprecTrackReport[]> {
    return Promise.all(
      this.#options.labels.map(async (label) => {
        const port = this.#ports.get(label);
        const stats = port && (await this.#options.media.stats(port.id).catch(() => undefined));
        return this.#total(label, stats);
      }),
    );
  }

  #total(label: TrackLabel, stats: MediaStats | undefined): SiprecTrackReport {
    const before = this.#sent.get(label);
    const lost = stats?.isReported ? stats.sent.lost : null;
    return {
      label,
      codec: this.#codecs.get(label) ?? null,
      encryption: this.#last.get(label)?.srtp?.send.suite ?? null,
      packets: (before?.packets ?? 0) + (stats?.sent.packets ?? 0),
      octets: (before?.octets ?? 0) + (stats?.sent.octets ?? 0),
      lost: lost === null && before?.lost == null ? null : (before?.lost ?? 0) + (lost ?? 0),
      transcoded: transcodedSoFar(before?.transcoded ?? null, stats?.transcoding),
    };
  }

  /** The recorder refuses this line, for good. */
  closeTrack(label: TrackLabel): void {
    const port = this.#ports.get(label);
    if (port === undefined) return;
    this.#ports.delete(label);
    this.#connected.delete(label);
    this.#closing = Promise.all([this.#closing, this.#closePort(label, port)]).then(() => {});
  }

  /** Resolves when the counters of all tracks are in. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#closePorts();
    await this.#closing;
  }

  #closePorts(): void {
    for (const label of [...this.#ports.keys()]) this.closeTrack(label);
  }

  async #openTrack(leg: number, track: TrackLabel): Promise<void> {
    const { media } = this.#options;
    const { address, edge } = this.#towards;
    const opening = media.openFork({
      leg,
      track,
      ...(address !== undefined && { remoteAddress: address }),
      ...(edge && { edge: edge.name }),
    });
    let inTime = true;
    // A port that comes too late, or after the end, is given back.
    const kept = opening.then((port) => {
      if (inTime && !this.#closed) this.#keep(track, port);
      else void media.close(port.id).catch(() => {});
    });
    await this.#withLimit(kept, "the media plane opened no port in time", () => {
      inTime = false;
    });
  }

  #keep(label: TrackLabel, port: MediaPort): void {
    this.closeTrack(label); // not before: what comes between two recorders is counted without a hole
    this.#ports.set(label, port);
    this.#options.media.onEvent(port.id, (event) => this.#event(label, port, event));
    // Between two recorders: nobody is there to send to, but what would be sent is counted.
    const last = this.#last.get(label);
    if (last !== undefined) this.#start(label, { ...last, withhold: true });
  }

  #withLimit(work: Promise<unknown>, message: string, onLimit: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = this.#options.clock.setTimer(ANSWER_LIMIT_MS, () => {
        onLimit();
        reject(new Error(message));
      });
      work.then(() => resolve(), reject).finally(() => timer.cancel());
    });
  }

  #event(label: TrackLabel, port: MediaPort, event: MediaEvent): void {
    if (this.#ports.get(label) !== port) return;
    if (event.kind === "worker-lost") {
      this.#ports.clear();
      this.#options.onLost();
    } else if (event.kind === "unreachable") {
      const { delivered } = event;
      const total = delivered === undefined ? undefined : this.#sentBefore(label) + delivered;
      this.#options.onUnreachable(label, total);
    }
  }

  async #closePort(label: TrackLabel, port: MediaPort): Promise<void> {
    const { media, log } = this.#options;
    try {
      const stats = await media.close(port.id);
      if (stats === undefined) return;
      this.#sent.set(label, this.#total(label, stats));
      this.#withheld.set(label, (this.#withheld.get(label) ?? 0) + (stats.withheld ?? 0));
      const { packets, octets, ssrc } = stats.sent;
      const { dropped, unforwarded } = stats;
      log.info({ track: label, packets, octets, ssrc, dropped, unforwarded }, "siprec: track closed");
    } catch (error) {
      log.warn({ err: error, track: label }, "siprec: a port was not closed properly");
    }
  }
}

/** With what earlier ports of the track have transcoded. */
function transcodedSoFar(
  before: SiprecTranscoding | null,
  stats: TranscodingStats | undefined,
): SiprecTranscoding | null {
  if (stats === undefined) return before;
  return {
    from: stats.from,
    packets: (before?.packets ?? 0) + stats.packets,
    lost: (before?.lost ?? 0) + stats.lost,
    late: (before?.late ?? 0) + stats.late,
    undecodable: (before?.undecodable ?? 0) + stats.undecodable,
    concealedMs: (before?.concealedMs ?? 0) + stats.concealedMs,
  };
}

function isSame(a: ForkConnection | undefined, b: ForkConnection): boolean {
  return (
    a !== undefined &&
    a.remote.address === b.remote.address &&
    a.remote.rtpPort === b.remote.rtpPort &&
    a.remote.rtcpPort === b.remote.rtcpPort &&
    a.clockRateHz === b.clockRateHz &&
    isSameSrtp(a.srtp, b.srtp) &&
    a.withhold === b.withhold &&
    isSameMap(a.payloadTypes, b.payloadTypes) &&
    isSameMap(a.clockRatesHz, b.clockRatesHz) &&
    JSON.stringify(a.transcodings) === JSON.stringify(b.transcodings)
  );
}

function isSameMap(
  a: ReadonlyMap<number, number> = new Map(),
  b: ReadonlyMap<number, number> = new Map(),
): boolean {
  return a.size === b.size && [...a].every(([from, to]) => b.get(from) === to);
}

function isSameSrtp(a: ForkConnection["srtp"], b: ForkConnection["srtp"]): boolean {
  if (a === undefined || b === undefined) return a === b;
  return sameKeying(a.send, b.send) && sameKeying(a.receive, b.receive);
}
