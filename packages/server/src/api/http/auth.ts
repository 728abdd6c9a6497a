import { createHmac, randomBytes } from "node:crypto";
import { isIPv6 } from "node:net";
import type { Credentials, Principal } from "../ports.ts";
import { TokenBuckets } from "./buckets.ts";
import { ForbiddenError, TooManyRequestsError, UnauthorizedError } from "./errors.ts";

export interface GateOptions {
  readonly credentials: Credentials;
  readonly requestsPerSecond: number;
  readonly requestBurst: number;
  readonly failedLogins: number;
  readonly now: () => number;
}

export interface GateRequest {
  readonly method: string;
  readonly address: string;
  readonly authorization: string | undefined;
  readonly secFetchSite: string | undefined;
}

/** One more try with wrong credentials each three seconds. */
const FAILED_LOGINS_PER_SECOND = 1 / 3;
const NAMES_KEPT = 10_000;

/** Basic authentication, the throttle of wrong credentials, and the rate limit of right ones. */
export class Gate {
  readonly #credentials: Credentials;
  readonly #failures: TokenBuckets;
  readonly #requests: TokenBuckets;
  readonly #known: KnownCredentials;

  constructor(options: GateOptions) {
    const { credentials, now } = options;
    this.#credentials = credentials;
    this.#failures = new TokenBuckets({
      capacity: options.failedLogins,
      perSecond: FAILED_LOGINS_PER_SECOND,
      limit: NAMES_KEPT,
      now,
    });
    this.#requests = new TokenBuckets({
      capacity: options.requestBurst,
      perSecond: options.requestsPerSecond,
      limit: NAMES_KEPT,
      now,
    });
    this.#known = new KnownCredentials(1000);
  }

  /** Throws the error that answers the request when it may not pass. */
  async admit(request: GateRequest): Promise<Principal> {
    const { authorization } = request;
    if (authorization === undefined) throw new UnauthorizedError();
    const principal = await this.#authenticate(authorization, networkOf(request.address));
    refuseCrossSite(request);
    const wait = this.#requests.take(principal.keySid ?? principal.accountSid);
    if (wait > 0) throw new TooManyRequestsError(wait);
    return principal;
  }

  /**
   * Each try of an address costs a token that a right one gives back, so that parallel tries cannot outrun the count.
   * Credentials that were right before are always tried: one client that guesses, behind the same proxy, must not
   * lock out the others.
   */
  async #authenticate(authorization: string, network: string): Promise<Principal> {
    const known = this.#known.has(authorization);
    const wait = known ? 0 : this.#failures.take(network);
    if (wait > 0) throw new TooManyRequestsError(wait);
    const pair = parseBasic(authorization);
    const principal = pair && (await this.#check(pair, known ? undefined : network));
    if (principal === undefined) {
      this.#known.forget(authorization);
      throw new UnauthorizedError();
    }
    if (!known) this.#failures.refund(network);
    this.#known.add(authorization);
    return principal;
  }

  /** A store that fails is no wrong password: the token goes back. */
  async #check(pair: { username: string; password: string }, network: string | undefined) {
    try {
      return await this.#credentials.authenticate(pair.username, pair.password);
    } catch (error) {
      if (network !== undefined) this.#failures.refund(network);
      throw error;
    }
  }
}

/** RFC 7617 §2. Undefined: not Basic, or without a colon. */
export function parseBasic(header: string): { username: string; password: string } | undefined {
  const [, encoded = ""] = /^basic +([A-Za-z0-9+/_-]+={0,2}) *$/i.exec(header) ?? [];
  const decoded = Buffer.from(encoded, "base64").toString("utf8");
  const colon = decoded.indexOf(":");
  if (colon < 1 || decoded.length > 1024) return undefined;
  return { username: decoded.slice(0, colon), password: decoded.slice(colon + 1) };
}

/**
 * A browser that keeps Basic credentials sends them with any page's forms. Fetch metadata tells (W3C Fetch Metadata,
 * `Sec-Fetch-Site`); clients that are no browsers do not send it.
 */
function refuseCrossSite({ method, secFetchSite }: GateRequest): void {
  const reads = method === "GET" || method === "HEAD";
  if (!reads && (secFetchSite === "cross-site" || secFetchSite === "same-site"))
    throw new ForbiddenError("Requests that change something must not come from another site's page");
}

/** An IPv6 host has a /64 to itself: count it as one. An IPv4 address in IPv6 clothes is the IPv4 address. */
export function networkOf(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, "").replace(/%.*$/, "");
  if (!isIPv6(plain)) return plain;
  const [head = "", tail] = plain.split("::");
  const groups = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros =
    tail === undefined
      ? []
      : Array.from({ length: Math.max(0, 8 - groups.length - after.length) }, () => "0");
  return [...groups, ...zeros, ...after].slice(0, 4).join(":");
}

/** Remembers credentials that were right by a keyed hash, never by themselves. */
class KnownCredentials {
  readonly #key = randomBytes(32);
  readonly #digests = new Set<string>();
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  has(header: string): boolean {
    return this.#digests.has(this.#digest(header));
  }

  add(header: string): void {
    const digest = this.#digest(header);
    this.#digests.delete(digest);
    this.#digests.add(digest);
    const oldest = this.#digests.values().next().value;
    if (this.#digests.size > this.#limit && oldest !== undefined) this.#digests.delete(oldest);
  }

  forget(header: string): void {
    this.#digests.delete(this.#digest(header));
  }

  #digest(header: string): string {
    return createHmac("sha256", this.#key).update(header).digest("base64");
  }
}
