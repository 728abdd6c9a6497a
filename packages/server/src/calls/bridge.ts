import {
  effectiveDirectionOf,
  type NegotiatedMedia,
  payloadTypesBetween,
  relayAnswer,
  reverseDirection,
} from "@callfork/protocol/offer-answer";
import { type Codec, codecsOf, type Direction, type SessionDescription } from "@callfork/protocol/sdp";
import { err, ok } from "@callfork/protocol/text";
import type { MediaPlane } from "../media/index.ts";
import type { Log } from "../observe/index.ts";
import type { HeaderLine, SipBody } from "../signalling/index.ts";
import type { Leg, Negotiator, OfferVerdict } from "./leg.ts";
import { ownNumbers } from "./leg-media.ts";
import type { Splice } from "./splice.ts";

/** A call: its leg may be replaced by another one while it is bridged. */
export interface LegHolder {
  readonly leg: Leg;
}

/**
 * Two legs that talk to each other: their packets are relayed, and what one peer offers in its dialog is offered to
 * the other in its own. An offer that changes nothing for the other side (a session refresh, a new address) is
 * answered at once.
 */
export class Bridge implements Negotiator {
  readonly #plane: MediaPlane;
  readonly #log: Log;
  readonly #one: LegHolder;
  readonly #other: LegHolder;
  /** What each peer last wished for itself, by its own offers: an answer only shows what was left of the wish. */
  readonly #wishes = new Map<Leg, Direction>();
  readonly #splice: Splice | undefined;
  #relaying = false;
  #released = false;

  /** @param splice - when the legs' ports live in different media workers */
  constructor(plane: MediaPlane, one: LegHolder, other: LegHolder, log: Log, splice?: Splice) {
    this.#splice = splice;
    this.#plane = plane;
    this.#log = log;
    this.#one = one;
    this.#other = other;
  }

  get #a(): Leg {
    return this.#one.leg;
  }

  get #b(): Leg {
    return this.#other.leg;
  }

  get isBusy(): boolean {
    return this.#relaying;
  }

  /** Relays packets, also before anybody answered: early media. Video cannot cross from one worker to another. */
  connect(): void {
    const [a, b] = [this.#a.media, this.#b.media];
    if (this.#released || !a.line || !b.line || !a.port || !b.port) return;
    for (const index of this.#splice ? [] : a.passages.indices) {
      const [one, other] = [a.passages.port(index), b.passages.port(index)];
      if (one && other) this.#plane.bridge(one.id, other.id);
    }
    this.#splice?.connect(a);
    if (this.#splice) this.#plane.bridge(a.port.id, this.#splice.near.id);
    this.#plane.bridge(this.#splice?.far.id ?? a.port.id, b.port.id, {
      aToB: changedPayloadTypes(a.line, b.line),
      bToA: changedPayloadTypes(b.line, a.line),
    });
  }

  /** From now on offers of one peer go to the other. */
  negotiate(): void {
    this.#a.negotiator = this;
    this.#b.negotiator = this;
    const common = this.#splice
      ? []
      : this.#a.media.livePassages.filter((index) => this.#b.media.livePassages.includes(index));
    for (const leg of [this.#a, this.#b]) {
      const isLess = leg.media.livePassages.some((index) => !common.includes(index));
      leg.media.passages.keep(common);
      const { line } = leg.media;
      // A line that has lost its other end is offered again with port 0.
      if (isLess && line && leg.answered) void this.#reoffer(leg, line, line.direction);
    }
  }

  /** Parts the legs. One that lives on and was held by the other's wish hears and speaks again. */
  release(): void {
    if (this.#released) return;
    this.#released = true;
    const port = this.#a.media.port ?? this.#b.media.port;
    if (port) this.#plane.unbridge(port.id);
    for (const index of this.#a.media.passages.indices) {
      this.#plane.unbridge(this.#a.media.passages.port(index)!.id);
    }
    if (this.#splice && this.#b.media.port) this.#plane.unbridge(this.#b.media.port.id);
    this.#splice?.close();
    for (const leg of [this.#a, this.#b]) {
      if (leg.negotiator === this) leg.negotiator = undefined;
      if (leg.answered) this.#resume(leg);
    }
  }

  async offered(leg: Leg, offer: SessionDescription): Promise<OfferVerdict> {
    const other = this.#otherOf(leg);
    if (this.#relaying) return err(491); // one offer at a time, whichever side it came from
    const index = leg.media.audioIndexOf(offer);
    this.#wish(leg, offer);
    if (this.#changesNothing(leg, offer)) return this.#answerHere(leg, offer);
    if (!other.answered || other.media.line?.index !== index) return this.offeredPromptly(leg, offer);
    this.#relaying = true;
    try {
      return await this.#relay(leg, other, offer);
    } catch (error) {
      this.#log.warn({ error }, "bridge: an offer could not be relayed");
      return err(488);
    } finally {
      this.#relaying = false;
    }
  }

  offeredPromptly(leg: Leg, offer: SessionDescription): OfferVerdict {
    if (this.#relaying) return err(491);
    this.#wish(leg, offer);
    const verdict = this.#answerHere(leg, offer);
    if (verdict.ok) this.#mirror(leg);
    return verdict;
  }

  answered(leg: Leg): void {
    this.connect();
    this.#mirror(leg);
  }

  async request(
    leg: Leg,
    method: string,
    headers: readonly HeaderLine[],
    body: SipBody | undefined,
  ): Promise<number> {
    const dialog = this.#otherOf(leg).dialog;
    if (!dialog) return 480;
    const response = await dialog.request(method, { headers, ...(body && { body }) });
    return response.status;
  }

  /** Offer, the other peer's answer, answer: as one exchange, so that numbers and attributes pass untouched. */
  async #relay(leg: Leg, other: Leg, offer: SessionDescription): Promise<OfferVerdict> {
    const passages = this.#splice ? [] : leg.media.passagesIn(offer);
    await Promise.all([leg, other].map(({ media }) => media.openPassages(passages)));
    const relayedOffer = other.media.relayedOffer(offer, leg.media);
    const answer = await other.reoffer(relayedOffer);
    if (!answer.ok) return err(passedOn(answer.error));
    const relayed = relayAnswer({
      ...leg.media.side(),
      ports: leg.media.portsFor(offer),
      offer,
      relayedOffer,
      answer: answer.value,
    });
    const { description, offererMedia } = relayed.ok ? relayed.value : { offererMedia: [] };
    if (!description || !leg.media.agree(description, offer, offererMedia)) return err(488);
    this.#trim();
    this.connect();
    return ok(description);
  }

  /** Within what both legs agreed on already. */
  #answerHere(leg: Leg, offer: SessionDescription): OfferVerdict {
    const agreed = leg.media.line;
    if (!agreed) return err(488);
    const direction = this.#wishes.get(this.#otherOf(leg)) ?? "sendrecv";
    const codecs = [...agreed.codecs, ...agreed.telephoneEvents];
    const answer = leg.media.answer(offer, codecs, { direction, choose: "all", passages: true });
    if (!leg.media.agree(answer.description, offer, answer.media)) return err(488);
    this.connect();
    return ok(answer.description);
  }

  /** Tells the other peer of a direction that was settled without it. */
  #mirror(leg: Leg): void {
    const other = this.#otherOf(leg);
    const direction = leg.media.line && reverseDirection(leg.media.line.direction);
    const line = other.media.line;
    if (!direction || !line || !other.answered || line.direction === direction) return;
    void this.#reoffer(other, line, direction);
  }

  #resume(leg: Leg): void {
    const line = leg.media.line;
    const held = (this.#wishes.get(leg) ?? "sendrecv") !== "sendrecv";
    if (line && !held && line.direction !== "sendrecv") void this.#reoffer(leg, line, "sendrecv");
  }

  async #reoffer(leg: Leg, line: NegotiatedMedia, direction: Direction): Promise<void> {
    try {
      const answer = await leg.reoffer(leg.media.offer(ownNumbers(line), direction));
      if (!answer.ok) this.#log.warn({ status: answer.error }, "bridge: a leg refused its new direction");
    } catch (error) {
      this.#log.warn({ error }, "bridge: a leg could not be told its new direction");
    }
  }

  /** Frees the ports of lines that one of the two has refused. */
  #trim(): void {
    const live = this.#a.media.livePassages.filter((index) => this.#b.media.livePassages.includes(index));
    for (const { media } of [this.#a, this.#b]) media.passages.keep(live);
  }

  /** Same codecs under the same numbers, same directions, on every line: at most the address is another one. */
  #changesNothing(leg: Leg, offer: SessionDescription): boolean {
    const { remote, line } = leg.media;
    if (!remote || !line || offer.media[line.index]?.port === 0) return false;
    return offer.media.every((now, index) => {
      const before = remote.media[index];
      if (now.port === 0) return !leg.media.isLive(index);
      if (!before) return now.kind !== "video";
      if (now.kind !== before.kind || before.port === 0) return false;
      return (
        effectiveDirectionOf(remote, before) === effectiveDirectionOf(offer, now) &&
        sameCodecs(codecsOf(before), codecsOf(now))
      );
    });
  }

  #wish(leg: Leg, offer: SessionDescription): void {
    const line = offer.media[leg.media.audioIndexOf(offer)];
    if (line) this.#wishes.set(leg, effectiveDirectionOf(offer, line));
  }

  #otherOf(leg: Leg): Leg {
    return leg === this.#a ? this.#b : this.#a;
  }
}

/** Numbers that differ on both sides; equal ones pass as they are. */
function changedPayloadTypes(from: NegotiatedMedia, to: NegotiatedMedia): ReadonlyMap<number, number> {
  const rows = payloadTypesBetween(from, to).filter((row) => row.from !== row.to);
  return new Map(rows.map((row) => [row.from, row.to]));
}

function sameCodecs(a: readonly Codec[], b: readonly Codec[]): boolean {
  const text = (codecs: readonly Codec[]) =>
    codecs.map(
      (c) => `${c.payloadType} ${c.name.toUpperCase()}/${c.clockRateHz}/${c.channels} ${c.fmtp ?? ""}`,
    );
  return text(a).join("\n") === text(b).join("\n");
}

/** A refusal of the other peer that means the same to the one who offered; its own affairs become a plain 488. */
function passedOn(status: number): number {
  return [403, 415, 480, 486, 488, 491, 500, 503, 603, 606].includes(status) ? status : 488;
}
