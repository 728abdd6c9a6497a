import { type Clock, createAddressFilter, isLoopback, type SipFlow } from "../net/index.ts";
import type { Log } from "../observe/index.ts";
import type { CallStore } from "./ports.ts";
import type { TrunkRecord } from "./records.ts";

interface Trunk {
  readonly record: TrunkRecord;
  readonly allows: (address: string) => boolean;
}

/** Where an INVITE came from, if it may come at all. */
export type Source = { readonly kind: "loopback" } | { readonly kind: "trunk"; readonly trunk: TrunkRecord };

/** What a connection tells of its other end. */
export type PeerOfFlow = Pick<SipFlow, "remoteAddress" | "tls">;

/** A trunk without addresses that proves who it is instead. */
export interface TrunkUser {
  readonly username: string;
  readonly password: string;
  readonly trunk: TrunkRecord;
}

/**
 * The trunks, read anew when the list is older than `refreshMs`. When the store does not answer, the old list goes on
 * serving: carried calls matter more than a trunk that was removed a moment ago.
 */
export class TrunkList {
  readonly #store: Pick<CallStore, "listTrunks">;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #refreshMs: number;
  #trunks: readonly Trunk[] = [];
  #users: readonly TrunkUser[] = [];
  #readAt = Number.NEGATIVE_INFINITY;
  #reading: Promise<void> | undefined;

  constructor(store: Pick<CallStore, "listTrunks">, clock: Clock, log: Log, refreshMs: number) {
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
    this.#refreshMs = refreshMs;
  }

  /**
   * Which door a peer comes in by, `undefined` when none is open to it. A certificate says more than an address: whom it
   * names comes by that trunk, from wherever.
   */
  async sourceOf({ remoteAddress, tls }: PeerOfFlow): Promise<Source | undefined> {
    const identities = tls?.identities ?? [];
    if (isLoopback(remoteAddress) && identities.length === 0) return { kind: "loopback" };
    await this.#fresh();
    const named = this.#trunks.find(({ record }) => isNamed(record, identities));
    if (named === undefined && isLoopback(remoteAddress)) return { kind: "loopback" };
    const trunk = named ?? this.#trunks.find(({ allows }) => allows(remoteAddress));
    return trunk && { kind: "trunk", trunk: trunk.record };
  }

  /** What is known of a peer without waiting; an old list is read anew meanwhile. */
  knows({ remoteAddress, tls }: PeerOfFlow): boolean {
    if (isLoopback(remoteAddress)) return true;
    const identities = tls?.identities ?? [];
    const isOf = ({ record, allows }: Trunk) => isNamed(record, identities) || allows(remoteAddress);
    if (this.#trunks.some(isOf)) return true;
    void this.#fresh();
    return false;
  }

  /**
   * Trunks that come in by digest: those with a password, and neither addresses nor certificates. A trunk that names
   * these comes by nothing else, and its password is for calls that go out.
   */
  get users(): readonly TrunkUser[] {
    return this.#users;
  }

  /** Reads the list when it is old. Never rejects. */
  read(): Promise<void> {
    return this.#fresh();
  }

  /** Where calls of an account to numbers go: its first trunk with a URI. */
  async outboundOf(accountSid: string): Promise<TrunkRecord | undefined> {
    await this.#fresh();
    return this.#trunks.find(({ record }) => record.accountSid === accountSid && record.sipUri !== null)
      ?.record;
  }

  async #fresh(): Promise<void> {
    if (this.#clock.now() - this.#readAt < this.#refreshMs) return;
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    await this.#reading;
  }

  async #read(): Promise<void> {
    try {
      const records = await this.#store.listTrunks();
      this.#trunks = records.map((record) => ({ record, allows: this.#filterOf(record) }));
      this.#users = records.flatMap(userOf);
    } catch (error) {
      this.#log.error({ error }, "calls: the trunks could not be read; the old list goes on serving");
    }
    this.#readAt = this.#clock.now(); // also after a failure: a flood of INVITEs must not become one of queries
  }

  /** A range that cannot be read opens no door, and closes none of the others. */
  #filterOf(trunk: TrunkRecord): (address: string) => boolean {
    const filters = trunk.allowedAddresses.flatMap((text) => {
      try {
        return createAddressFilter([text]);
      } catch (error) {
        this.#log.warn({ trunkSid: trunk.sid, error }, "calls: a trunk's address cannot be read");
        return [];
      }
    });
    return (address) => filters.some((allows) => allows(address));
  }
}

function userOf(trunk: TrunkRecord): TrunkUser[] {
  const { username, password, allowedAddresses, allowedCertificateNames } = trunk;
  // An empty password would let everybody in who guesses the name.
  if (!username || !password || allowedAddresses.length > 0 || allowedCertificateNames.length > 0) return [];
  return [{ username, password, trunk }];
}

/** Identities are there only where TLS has verified the certificate. */
function isNamed(trunk: TrunkRecord, identities: readonly string[]): boolean {
  return identities.some((name) => trunk.allowedCertificateNames.includes(name));
}
