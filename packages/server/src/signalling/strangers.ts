import type { SipRequest } from "@callfork/protocol/sip";
import type { Millis } from "@callfork/protocol/text";
import type { Clock, SipFlow } from "../net/index.ts";

/** How requests from addresses that nobody knows are met. */
export interface StrangerPolicy {
  /** "refuse": 403 for the first few, then silence. "drop": silence from the first. */
  readonly mode: "refuse" | "drop";
  /** Whether an address or certificate belongs to somebody who may come in. Asked for every request outside a dialog. */
  isKnown(peer: Peer): boolean;
  /** Whether a stranger may prove who it is: then INVITEs are heard in both modes, until wrong passwords add up. */
  mayAuthenticate(): boolean;
}

/** The other end: `tls.identities` are those of a verified certificate. */
type Peer = Pick<SipFlow, "remoteAddress" | "tls">;

interface Source {
  offences: number;
  at: Millis;
  /** Until then it counts as known: it proved who it is. */
  knownUntil: Millis;
}

const MAX_SOURCES = 10_000;
/** Refusals that a source gets before it gets nothing. */
const PATIENCE = 5;
/** What was refused is forgotten one by one, each after this time without a request. */
const FORGIVE_EACH_MS = 60_000;
const KNOWN_FOR_MS = 3_600_000;
/** An INVITE without credentials is how every challenge begins; a hundred of them without one success is a scan. */
const UNANSWERED_CHALLENGE = PATIENCE / 100;

/**
 * Remembers, in bounds, what strangers have done. Silence costs a scanner its time and tells it nothing; it ends when
 * the source has been quiet for a while, proves who it is, or becomes known.
 */
export class Strangers {
  readonly #policy: StrangerPolicy;
  readonly #clock: Clock;
  readonly #sources = new Map<string, Source>();

  constructor(policy: StrangerPolicy, clock: Clock) {
    this.#policy = policy;
    this.#clock = clock;
  }

  isKnown(peer: Peer): boolean {
    if (this.#policy.isKnown(peer)) return true;
    return (this.#sources.get(peer.remoteAddress)?.knownUntil ?? 0) > this.#clock.now();
  }

  /** Whether a request outside a dialog gets any answer at all. A silenced source that goes on stays silenced. */
  hears(request: SipRequest, peer: Peer): boolean {
    if (this.isKnown(peer)) return true;
    const isCall = request.method === "INVITE" && this.#policy.mayAuthenticate();
    if (this.#policy.mode === "drop" && !isCall) return false;
    const source = this.#sources.get(peer.remoteAddress);
    if (source === undefined) return true;
    if (this.#offencesNow(source) < PATIENCE - 0.5) return true; // the last one may be forgiven in part by now
    source.at = this.#clock.now();
    return false;
  }

  /** A request outside a dialog got an answer other than 100. */
  answered(request: SipRequest, peer: Peer, status: number): void {
    if (this.isKnown(peer)) return;
    const address = peer.remoteAddress;
    const now = this.#clock.now();
    const source = this.#sources.get(address) ?? { offences: 0, at: now, knownUntil: 0 };
    const hasCredentials = request.headers.has("Authorization");
    // Only who got past the challenge gets another answer than these.
    if (request.method === "INVITE" && hasCredentials && ![400, 401, 403, 503].includes(status)) {
      source.offences = 0;
      source.knownUntil = now + KNOWN_FOR_MS;
    } else if (status >= 200) {
      const weight = status === 401 && !hasCredentials ? UNANSWERED_CHALLENGE : 1;
      source.offences = Math.min(this.#offencesNow(source) + weight, 2 * PATIENCE);
    }
    source.at = now;
    this.#sources.delete(address);
    this.#sources.set(address, source);
    if (this.#sources.size > MAX_SOURCES) this.#forgetOldest();
  }

  #offencesNow({ offences, at }: Source): number {
    return Math.max(0, offences - (this.#clock.now() - at) / FORGIVE_EACH_MS);
  }

  #forgetOldest(): void {
    const oldest = this.#sources.keys().next();
    if (!oldest.done) this.#sources.delete(oldest.value);
  }
}
