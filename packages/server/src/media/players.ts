import type { Leg } from "./leg.ts";
import { Player } from "./player.ts";
import type { PlayOptions } from "./types.ts";

/** A player, and the question that its end answers. */
interface Playing {
  readonly player: Player;
  readonly question: number;
}

/** What plays on one leg. */
interface Stand {
  /** In charge while it lasts; what is played waits. */
  announcement: Playing | undefined;
  played: Playing | undefined;
  /** Since when `played` has waited. */
  waitsSince: number;
}

/**
 * The players of a worker's legs. A leg plays one thing at a time; an announcement interrupts what is played, which
 * goes on afterwards where it was.
 */
export class Players {
  readonly #answer: (question: number, completed: boolean) => void;
  readonly #stands = new Map<Leg, Stand>();
  /** When the next frame of any of them is due; `Infinity`: nothing plays. */
  dueAt = Number.POSITIVE_INFINITY;

  constructor(answer: (question: number, completed: boolean) => void) {
    this.#answer = answer;
  }

  /** Plays in place of what played before, of the same kind. */
  play(leg: Leg, question: number, { samples, loop, isAnnouncement }: PlayOptions, now: number): void {
    const stand = this.#stands.get(leg) ?? { announcement: undefined, played: undefined, waitsSince: now };
    this.#stands.set(leg, stand);
    const playing: Playing = { player: new Player(samples, loop, leg.packetTimeMs, now), question };
    if (isAnnouncement === true) {
      if (stand.announcement === undefined) stand.waitsSince = now;
      else this.#answer(stand.announcement.question, false);
      stand.announcement = playing;
    } else {
      if (stand.played !== undefined) this.#answer(stand.played.question, false);
      stand.played = playing;
      stand.waitsSince = now;
    }
    this.#settle(leg, stand);
  }

  /** Ends what is played. An announcement has to be heard, and goes on. */
  stop(leg: Leg): void {
    const stand = this.#stands.get(leg);
    if (stand?.played === undefined) return;
    this.#answer(stand.played.question, false);
    stand.played = undefined;
    this.#settle(leg, stand);
  }

  /** The leg is over. */
  close(leg: Leg): void {
    const stand = this.#stands.get(leg);
    if (stand === undefined) return;
    for (const playing of [stand.announcement, stand.played]) {
      if (playing !== undefined) this.#answer(playing.question, false);
    }
    this.#stands.delete(leg);
    leg.player = undefined;
  }

  /** Sends the frames that are due. */
  run(now: number): void {
    this.dueAt = Number.POSITIVE_INFINITY;
    for (const [leg, stand] of [...this.#stands]) {
      if (leg.runPlayer(now)) this.#ended(leg, stand, now);
      if (leg.player !== undefined) this.dueAt = Math.min(this.dueAt, leg.player.dueAt);
    }
  }

  #ended(leg: Leg, stand: Stand, now: number): void {
    const over = stand.announcement ?? stand.played;
    if (stand.announcement === undefined) stand.played = undefined;
    else {
      stand.announcement = undefined;
      stand.played?.player.postpone(now - stand.waitsSince);
    }
    if (over !== undefined) this.#answer(over.question, true);
    this.#settle(leg, stand);
  }

  #settle(leg: Leg, stand: Stand): void {
    leg.player = (stand.announcement ?? stand.played)?.player;
    if (leg.player === undefined) this.#stands.delete(leg);
    else this.dueAt = Math.min(this.dueAt, leg.player.dueAt);
  }
}
