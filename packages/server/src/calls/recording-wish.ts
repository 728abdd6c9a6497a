import type { RecordPreference } from "@callfork/protocol/sdp";
import type { Log } from "../observe/index.ts";
import type { RecordingPolicy } from "./recording-policy.ts";
import type { Tap } from "./tap.ts";

export interface WishHost {
  /** What the party said last. */
  preference(): RecordPreference;
  /** The calls in which it is heard; none when it has left. */
  taps(): readonly Tap[];
  readonly log: Log;
  /** The party has said something new. */
  report(preference: RecordPreference): void;
}

/**
 * What a party wishes of its recording (RFC 7866 §7.1.3): reported, and where the policy honours it, followed by
 * pausing every fork in which it is heard. What becomes of it the party learns from `a=record`.
 */
export class RecordingWish {
  readonly #host: WishHost;
  readonly #policy: RecordingPolicy | undefined;
  #preference: RecordPreference = "nopreference";
  /** Forks that rest because the party wished so, and their calls; others have their own reasons. */
  readonly #paused = new Map<string, string>();

  constructor(host: WishHost, policy: RecordingPolicy | undefined) {
    this.#host = host;
    this.#policy = policy;
  }

  /** After every agreement with the party, whenever a fork has changed, and when the party has left. */
  update(): void {
    const preference = this.#host.preference();
    if (preference !== this.#preference) {
      this.#preference = preference;
      this.#host.report(preference);
    }
    if (this.#policy?.preferences !== "honour") return;
    const isUnwanted = preference === "off" || preference === "pause";
    const taps = isUnwanted ? this.#host.taps() : [];
    for (const [fork, callSid] of [...this.#paused]) {
      if (taps.some((tap) => tap.callSid === callSid)) continue;
      this.#paused.delete(fork);
      this.#do("resume", callSid, fork);
    }
    for (const tap of taps) {
      for (const fork of tap.forksThat("on")) {
        if (this.#paused.has(fork)) continue;
        this.#paused.set(fork, tap.callSid);
        this.#do("pause", tap.callSid, fork);
      }
    }
  }

  #do(what: "pause" | "resume", callSid: string, siprecSid: string): void {
    this.#policy!.forks()
      [what](callSid, siprecSid)
      .catch((error: unknown) => {
        this.#host.log.warn({ error, siprecSid }, `recording: no ${what} of a fork as its party wished`);
      });
  }
}
