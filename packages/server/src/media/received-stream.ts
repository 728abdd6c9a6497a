import { Reception, type ReceptionVerdict } from "@callfork/protocol/rtp";

/** Counters of what a port received, over all the sources that came and went. */
export class ReceivedStream {
  readonly #cells: Float64Array;
  readonly #at: number;
  /** The source that sends now. */
  current: Reception | undefined;
  /** Times at which another SSRC took over. */
  ssrcChanges = 0;
  #packets = 0;
  #octets = 0;
  #expected = 0;
  #lost = 0;
  #late = 0;
  #duplicates = 0;
  #firstPacketAt = -1;

  /** @param cells - where the current source keeps `RECEPTION_CELLS` numbers, from `at` on */
  constructor(cells: Float64Array, at: number) {
    this.#cells = cells;
    this.#at = at;
  }

  /**
   * Takes one valid packet. A new SSRC is taken over at once (RFC 7866 §8.1.3: sources may change it at any time).
   *
   * @returns "probation": to be dropped, the sequence jumped and one more packet will tell
   */
  receive(
    ssrc: number,
    clockRateHz: number,
    sequence: number,
    timestamp: number,
    now: number,
    octets: number,
    timed: boolean,
  ): ReceptionVerdict {
    let source = this.current;
    if (source === undefined || source.ssrc !== ssrc) source = this.#takeOver(ssrc, clockRateHz);
    return source.receive(sequence, timestamp, now, octets, timed);
  }

  get packets(): number {
    return this.#packets + (this.current?.packets ?? 0);
  }

  get octets(): number {
    return this.#octets + (this.current?.octets ?? 0);
  }

  get expected(): number {
    return this.#expected + (this.current?.expected ?? 0);
  }

  get lost(): number {
    return this.#lost + (this.current?.lost ?? 0);
  }

  get late(): number {
    return this.#late + (this.current?.late ?? 0);
  }

  get duplicates(): number {
    return this.#duplicates + (this.current?.duplicates ?? 0);
  }

  /** Monotonic milliseconds; −1 before the first packet. */
  get firstPacketAt(): number {
    return this.#firstPacketAt >= 0 ? this.#firstPacketAt : (this.current?.firstPacketAt ?? -1);
  }

  get lastPacketAt(): number {
    return this.current?.lastPacketAt ?? -1;
  }

  #takeOver(ssrc: number, clockRateHz: number): Reception {
    const before = this.current;
    if (before !== undefined) {
      this.ssrcChanges++;
      this.#firstPacketAt = this.firstPacketAt;
      this.#packets += before.packets;
      this.#octets += before.octets;
      this.#expected += before.expected;
      this.#lost += before.lost;
      this.#late += before.late;
      this.#duplicates += before.duplicates;
    }
    const source = new Reception(ssrc, clockRateHz, 0, this.#cells, this.#at);
    this.current = source;
    return source;
  }
}
