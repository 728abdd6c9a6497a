import {
  formatSessionTimer,
  hasToken,
  parseMinSe,
  parseSessionExpires,
  type SipRequest,
  type SipResponse,
} from "@callfork/protocol/sip";
import type { Clock, Timer } from "../net/index.ts";
import type { HeaderLine } from "./types.ts";

/** RFC 4028 §4: no interval may be shorter, in seconds. */
export const SHORTEST_INTERVAL = 90;

export interface SessionTimerDuties {
  /** Half the interval has gone and refreshing is ours. */
  refresh(): void;
  /** Nobody refreshed in time: BYE is due. */
  expire(): void;
}

interface Agreement {
  readonly seconds: number;
  readonly refresher: "local" | "remote";
}

/**
 * The session timer of one dialog (RFC 4028): refresh at half time when that is ours, BYE shortly before the end when
 * no refresh came. What the peer or a proxy asks for counts; our own wish where they ask for nothing.
 */
export class SessionTimer {
  readonly #clock: Clock;
  readonly #duties: SessionTimerDuties;
  readonly #wishedSeconds: number | undefined;
  /** The largest Min-SE that a 422 has named: later requests repeat it (§7.4). */
  #minimumSeconds = SHORTEST_INTERVAL;
  #agreement: Agreement | undefined;
  #refresh: Timer | undefined;
  #expiry: Timer | undefined;

  /** @param wishedSeconds - for callers who know timers but ask for none */
  constructor(clock: Clock, duties: SessionTimerDuties, wishedSeconds?: number) {
    this.#wishedSeconds = wishedSeconds;
    this.#clock = clock;
    this.#duties = duties;
  }

  /** A 2xx to our INVITE or UPDATE: what it says holds, asked for or not; if it says nothing, there is no timer (§7.2). */
  takeResponse(response: SipResponse): void {
    const expires = parseSessionExpires(response.headers.get("Session-Expires") ?? "");
    if (!expires.ok) this.stop();
    else
      this.#start({
        seconds: expires.value.seconds,
        refresher: expires.value.refresher === "uac" ? "local" : "remote",
      });
  }

  /** The header fields for our 2xx to an INVITE or UPDATE (§9); the timer starts anew. */
  answer(request: SipRequest): HeaderLine[] {
    const expires = parseSessionExpires(request.headers.get("Session-Expires") ?? "");
    if (!expires.ok) return this.#propose(request);
    const { seconds } = expires.value;
    // Table 2 of §9: who asks for the timer may name the refresher; a UAC that does not know timers cannot be it.
    const uacKnows =
      hasToken(request.headers, "Supported", "timer") || hasToken(request.headers, "Require", "timer");
    const refresher = !uacKnows || expires.value.refresher === "uas" ? "uas" : "uac";
    this.#start({ seconds, refresher: refresher === "uas" ? "local" : "remote" });
    const lines: HeaderLine[] = [["Session-Expires", formatSessionTimer({ seconds, refresher })]];
    if (refresher === "uac") lines.push(["Require", "timer"]);
    return lines;
  }

  /** §9: the UAS may ask for a timer where the caller knows them but did not; the refresher are we, whom we can trust. */
  #propose(request: SipRequest): HeaderLine[] {
    const wished = this.#wishedSeconds;
    const minimum = parseMinSe(request.headers.get("Min-SE") ?? "");
    if (wished === undefined || !hasToken(request.headers, "Supported", "timer")) {
      this.stop();
      return [];
    }
    const seconds = Math.max(wished, minimum.ok ? minimum.value.seconds : 0);
    this.#start({ seconds, refresher: "local" });
    return [["Session-Expires", formatSessionTimer({ seconds, refresher: "uas" })]];
  }

  /** For a re-INVITE or UPDATE of ours: the interval in force, and who refreshes, seen from this request (§7.4). */
  requestLines(): HeaderLine[] {
    if (this.#agreement === undefined) return [];
    const { seconds, refresher } = this.#agreement;
    const value = formatSessionTimer({ seconds, refresher: refresher === "local" ? "uac" : "uas" });
    return [["Session-Expires", value], ...minimumLines(this.#minimumSeconds)];
  }

  /** A 422 to our refresh: true when another attempt with the peer's longer interval makes sense. */
  takeRefusal(response: SipResponse): boolean {
    const minimum = parseMinSe(response.headers.get("Min-SE") ?? "");
    if (this.#agreement === undefined || !minimum.ok || minimum.value.seconds <= this.#agreement.seconds)
      return false;
    this.#minimumSeconds = minimum.value.seconds;
    this.#agreement = { ...this.#agreement, seconds: minimum.value.seconds };
    return true;
  }

  stop(): void {
    this.#refresh?.cancel();
    this.#expiry?.cancel();
    this.#agreement = undefined;
  }

  #start(agreement: Agreement): void {
    this.stop();
    const seconds = Math.max(agreement.seconds, SHORTEST_INTERVAL);
    this.#agreement = { ...agreement, seconds };
    if (agreement.refresher === "local") {
      this.#refresh = this.#clock.setTimer(Math.min(seconds * 500, LONGEST_TIMER_MS), () =>
        this.#duties.refresh(),
      );
    }
    // §10: "the minimum of 32 seconds and one third of the session interval" before the end
    const endMs = (seconds - Math.min(32, seconds / 3)) * 1_000;
    this.#expiry = this.#clock.setTimer(Math.min(endMs, LONGEST_TIMER_MS), () => this.#duties.expire());
  }
}

/** Min-SE where it is not the least there is (§5). */
export function minimumLines(seconds: number): HeaderLine[] {
  return seconds > SHORTEST_INTERVAL ? [["Min-SE", String(seconds)]] : [];
}

/** Intervals are told in 32 bits of seconds; clocks count milliseconds in 31 bits. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** §9: what a request with too short an interval gets, when its sender knows timers. */
export function refusesInterval(request: SipRequest): boolean {
  if (request.method !== "INVITE" && request.method !== "UPDATE") return false;
  const expires = parseSessionExpires(request.headers.get("Session-Expires") ?? "");
  return (
    expires.ok && expires.value.seconds < SHORTEST_INTERVAL && hasToken(request.headers, "Supported", "timer")
  );
}
