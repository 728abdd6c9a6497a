import { newObjectId } from "@callfork/protocol/siprec";
import { type Random, toBase64 } from "@callfork/protocol/text";
import type { CallParty } from "../calls/index.ts";
import type { TrackLabel } from "./tracks.ts";

/** A participant of the call, and since when it has taken part, this time. Times: epoch milliseconds. */
export interface KnownParticipant {
  readonly id: string;
  readonly since: number;
}

type Side = "party" | "counterpart";

/** Parties a call may have had one after the other; a call that transfers more often forgets the first. */
const MAXIMUM_PARTICIPANTS = 64;

/**
 * The ids under which recorders know one call. All its forks share them, so that recordings made by several recorders
 * can be put together again; and a party keeps its id for the call's life (RFC 7865 §6.5, §6.10).
 */
export class CallIdentity {
  readonly sessionId: string;
  readonly groupId: string;
  /** When the first fork asked. */
  readonly since: number;
  readonly #random: Random;
  readonly #streamIds = new Map<TrackLabel, string>();
  readonly #cnames = new Map<TrackLabel, string>();
  readonly #participants = new Map<string, KnownParticipant>();
  /** Who takes part now, by side. */
  readonly #present = new Map<Side, string>();

  /** @param groupId - of calls that belong together: the legs of a bridge, and what a transfer made of them */
  constructor(random: Random, now: number, groupId = newObjectId(random)) {
    this.#random = random;
    this.sessionId = newObjectId(random);
    this.groupId = groupId;
    this.since = now;
  }

  streamId(label: TrackLabel): string {
    return remembered(this.#streamIds, label, () => newObjectId(this.#random));
  }

  /** Canonical name of the track's source: 96 random bits, kept for the call (RFC 7022 §4.2, RFC 7866 §8.1.5.1). */
  cname(label: TrackLabel): string {
    return remembered(this.#cnames, label, () => toBase64(this.#random.bytes(12)));
  }

  /** @param side - the two parties of a call to oneself have one address and are still two */
  participant(side: Side, party: CallParty, now: number): KnownParticipant {
    const key = `${side} ${party.aor}`;
    const known = this.#participants.get(key);
    const isPresent = this.#present.get(side) === key;
    if (known !== undefined && isPresent) return known;
    const participant = { id: known?.id ?? newObjectId(this.#random), since: now };
    this.#participants.delete(key); // to the end: the first of the map is the one forgotten first
    this.#participants.set(key, participant);
    this.#present.set(side, key);
    if (this.#participants.size > MAXIMUM_PARTICIPANTS) {
      const present = new Set(this.#present.values());
      const oldest = [...this.#participants.keys()].find((each) => !present.has(each));
      this.#participants.delete(oldest!);
    }
    return participant;
  }
}

function remembered<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
