import {
  epochMsFromNtp,
  parseRtcp,
  SDES_CNAME,
  type SenderReport,
  timestampDelta,
} from "@callfork/protocol/rtp";

/** An NTP time this far from its arrival is not the time of day: many senders count from their start. */
const IMPLAUSIBLE_NTP_MS = 5_000;
/** Two reports of one source that disagree by more than this: the clock was set, or one of them is wrong. */
const CLOCK_STEP_MS = 1_000;
/** Sources of one track that are remembered, the latest. */
const MAX_SOURCES = 16;

interface Instant {
  readonly ntpMs: number;
  readonly rtpTimestamp: number;
}

interface Source {
  first: Instant | undefined;
  latest: Instant | undefined;
  isConfirmed: boolean;
  cname: string | undefined;
}

/**
 * When a sender's samples were taken, by its own clock: sender reports tie RTP timestamps to NTP times (RFC 3550
 * §6.4.1), of each SSRC for itself.
 *
 * Pure. Nothing a peer sends makes it throw, and what it remembers is bounded.
 */
export class SenderClock {
  readonly #clockRateHz: number;
  readonly #sources = new Map<number, Source>();

  constructor(clockRateHz: number) {
    this.#clockRateHz = clockRateHz;
  }

  /**
   * @param packet - a whole compound RTCP packet
   * @param arrivalTime - epoch milliseconds
   */
  take(packet: Uint8Array, arrivalTime: number): void {
    const parsed = parseRtcp(packet);
    if (!parsed.ok) return;
    for (const each of parsed.value) {
      if (each.kind === "sr") this.#report(each, arrivalTime);
      if (each.kind !== "sdes") continue;
      for (const { source, items } of each.chunks) {
        const cname = items.find(({ type }) => type === SDES_CNAME)?.value;
        if (cname !== undefined) this.#source(source).cname = cname;
      }
    }
  }

  /** Epoch milliseconds of a sample taken now; undefined without a report that can be believed. */
  timeOf(ssrc: number, rtpTimestamp: number): number | undefined {
    return this.#at(this.#sources.get(ssrc)?.latest, rtpTimestamp);
  }

  /** The same by the source's first report, for a sample from before it: a clock that drifts has the least say. */
  startOf(ssrc: number, rtpTimestamp: number): number | undefined {
    return this.#at(this.#sources.get(ssrc)?.first, rtpTimestamp);
  }

  /** RFC 3550 §6.5.1: the name of the endpoint, which stays when its SSRC changes. */
  cnameOf(ssrc: number): string | undefined {
    return this.#sources.get(ssrc)?.cname;
  }

  #report({ ssrc, ntp, rtpTimestamp }: SenderReport, arrivalTime: number): void {
    const ntpMs = epochMsFromNtp(ntp);
    if (Math.abs(ntpMs - arrivalTime) > IMPLAUSIBLE_NTP_MS) return;
    const source = this.#source(ssrc);
    const instant: Instant = { ntpMs, rtpTimestamp };
    const expected = this.#at(source.latest, rtpTimestamp);
    const agrees = expected !== undefined && Math.abs(expected - ntpMs) <= CLOCK_STEP_MS;
    // Some report before their first packet, with a timestamp that means nothing: the next one shows it.
    if (!agrees && !source.isConfirmed) source.first = instant;
    source.isConfirmed ||= agrees;
    source.latest = instant;
  }

  #at(instant: Instant | undefined, rtpTimestamp: number): number | undefined {
    if (instant === undefined) return undefined;
    return instant.ntpMs + (timestampDelta(rtpTimestamp, instant.rtpTimestamp) * 1_000) / this.#clockRateHz;
  }

  #source(ssrc: number): Source {
    const known = this.#sources.get(ssrc);
    if (known !== undefined) return known;
    if (this.#sources.size >= MAX_SOURCES) {
      // Never the first: it tells when the track began.
      const [, oldest] = this.#sources.keys();
      if (oldest !== undefined) this.#sources.delete(oldest);
    }
    const fresh: Source = { first: undefined, latest: undefined, isConfirmed: false, cname: undefined };
    this.#sources.set(ssrc, fresh);
    return fresh;
  }
}
