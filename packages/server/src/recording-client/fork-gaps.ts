import type { SiprecGap } from "../calls/index.ts";
import type { Clock } from "../net/index.ts";
import type { ForkCounts, ForkMedia } from "./fork-media.ts";
import type { TrackLabel } from "./tracks.ts";

/** A recorder's port that stays unreachable for as long as this is gone; a single ICMP message may be an accident. */
const UNREACHABLE_MS = 900;
/** Two messages further apart than this are two accidents. */
const UNRELATED_MS = 5_000;
/** As far as packets and clock may differ about how long a gap was; beyond that there was silence without packets. */
const BELIEVED_MS = 100;

type Counts = ReadonlyMap<TrackLabel, ForkCounts>;

interface Beginning {
  readonly from: number;
  /** Of this moment. */
  readonly counts: Promise<Counts>;
}

interface Suspicion extends Beginning {
  readonly at: number;
  /** Packets of a track that were sent before the first that nobody took. */
  readonly delivered: Map<TrackLabel, number>;
}

interface Gap extends Beginning {
  readonly reason: string;
  readonly delivered: ReadonlyMap<TrackLabel, number>;
  /** When nothing was sent any more. */
  readonly held: Promise<Counts>;
}

const NOTHING: Counts = new Map();

/** What tracks agree on, but for a packet or two: one that is silent does not count. */
function usual(milliseconds: readonly number[]): number {
  const longest = Math.max(0, ...milliseconds);
  const alike = milliseconds.filter((ms) => longest - ms <= BELIEVED_MS);
  return Math.round(alike.reduce((sum, ms) => sum + ms, 0) / Math.max(1, alike.length));
}

/** Keeps count of what a recorder should have got and did not, from the moment it was lost to the next one's answer. */
export class ForkGaps {
  readonly #media: Pick<ForkMedia, "counts">;
  readonly #clock: Clock;
  #suspicion: Suspicion | undefined;
  #open: Gap | undefined;

  constructor(media: Pick<ForkMedia, "counts">, clock: Clock) {
    this.#media = media;
    this.#clock = clock;
  }

  get isOpen(): boolean {
    return this.#open !== undefined;
  }

  /**
   * ICMP said that nobody listens: for the first time, again, or long enough to believe it.
   *
   * @param delivered - packets of the track that were sent before; each track tells for itself
   */
  unreachable(label: TrackLabel, delivered: number | undefined): "first" | "again" | "confirmed" {
    const now = this.#clock.now();
    const first = this.#suspicion;
    if (first !== undefined && now - first.at <= UNRELATED_MS) {
      if (delivered !== undefined && !first.delivered.has(label)) first.delivered.set(label, delivered);
      return now - first.at >= UNREACHABLE_MS ? "confirmed" : "again";
    }
    const told = new Map(delivered === undefined ? [] : [[label, delivered]]);
    this.#suspicion = { at: now, delivered: told, ...this.#beginning() };
    return "first";
  }

  /** The recorder is lost, and nothing is sent any more: since the first word of it, if there was one a moment ago. */
  begin(reason: string): void {
    const suspected = this.#suspicion;
    const isRecent = suspected !== undefined && this.#clock.now() - suspected.at <= UNRELATED_MS;
    this.#suspicion = undefined;
    if (this.#open !== undefined) return;
    const now = this.#beginning();
    const { from, counts, delivered } = isRecent ? suspected : { ...now, delivered: new Map() };
    this.#open = { from, counts, delivered, held: now.counts, reason };
  }

  /**
   * Packets flow again, or nobody wants them for now.
   *
   * @returns the gap with its packets, or `undefined` when there was none
   */
  async end(): Promise<SiprecGap | undefined> {
    const gap = this.#open;
    this.#open = undefined;
    if (gap === undefined) return undefined;
    const until = this.#clock.wallNow();
    const [before, held, after] = await Promise.all(
      [gap.counts, gap.held, this.#media.counts()].map((counts) => counts.catch(() => NOTHING)),
    );
    const missed = [...after!].map(([label, { withheld, packetTimeMs }]) => {
      const sent = gap.delivered.get(label) ?? before!.get(label)?.sent ?? 0;
      const toNobody = Math.max(0, (held!.get(label)?.sent ?? sent) - sent);
      const packets = toNobody + Math.max(0, withheld - (before!.get(label)?.withheld ?? 0));
      return { packets, ms: packets * packetTimeMs };
    });
    const packets = missed.reduce((sum, track) => sum + track.packets, 0);
    const byPackets = gap.from + usual(missed.map(({ ms }) => ms));
    // Packets know better than clocks how much of the talk is missing, as long as they come without pause.
    const isBelieved = Math.abs(byPackets - until) <= BELIEVED_MS;
    return { from: gap.from, until: isBelieved ? byPackets : until, packets, reason: gap.reason };
  }

  #beginning(): Beginning {
    const counts = this.#media.counts();
    counts.catch(() => {});
    return { from: this.#clock.wallNow(), counts };
  }
}
