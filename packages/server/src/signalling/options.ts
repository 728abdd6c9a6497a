import type { DigestHashes, TransactionTimers } from "@callfork/protocol/sip";
import type { Random } from "@callfork/protocol/text";
import type { Clock, Resolver, SipLocator, SipTransports } from "../net/index.ts";
import type { Log } from "../observe/index.ts";
import type { StrangerPolicy } from "./strangers.ts";
import type { UserAgent } from "./types.ts";

/** "silence": a stranger got no answer. "flood": its source sends too many. "overload": the node has too much to do. */
export type TurnedAway = "silence" | "flood" | "overload";

/** What a user agent is built from; every limit has a default. */
export interface UserAgentOptions {
  readonly transports: SipTransports;
  readonly resolver: Resolver;
  /** Finds servers as RFC 3263 says; when left out, `resolver`'s addresses are all there is. */
  readonly locator?: SipLocator;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Product tokens for the User-Agent and Server header fields. */
  readonly userAgentName: string;
  /** Hashes for digest; `node:crypto`'s when left out. */
  readonly hashes?: DigestHashes;
  /** T1, T2, T4 and Timer D; the values of RFC 3261 when left out. */
  readonly timers?: TransactionTimers;
  /** Client and server transactions that may live at once; requests beyond get 503. Default 20,000. */
  readonly maximumTransactions?: number;
  /** Dialogs that may live at once; INVITEs beyond get 503. Default 10,000. */
  readonly maximumDialogs?: number;
  /**
   * New requests a second that one source address may bring, in a burst of twice as many; those beyond get 503, and
   * silence when they come faster still. Default 500.
   */
  readonly maximumRequestsPerSecond?: number;
  /**
   * Session interval (RFC 4028) that INVITEs of ours ask for, and 2xx to callers who know timers but ask for none;
   * at least 90. Without it none is asked for, and those of peers are kept all the same.
   */
  readonly sessionIntervalSeconds?: number;
  /** How addresses that nobody knows are met; without it everybody is heard. */
  readonly strangers?: StrangerPolicy;
  /** True: a request that brings SRTP keys by another way than TLS gets 488 (RFC 4568 §8). Default false. */
  readonly refusesKeysInClear?: boolean;
  /** True: requests outside dialogs get 503 with Retry-After, at the price of one datagram. Dialogs that stand go on. */
  readonly isOverloaded?: () => boolean;
  /** Told of every request that was turned away before anybody looked at it, for metrics. */
  readonly onTurnedAway?: (why: TurnedAway) => void;
}

/** The user agent as its owner sees it. */
export interface SipUserAgent extends UserAgent {
  /** Client and server transactions that still hold state, those in their last timer included. */
  readonly liveTransactions: number;
}
