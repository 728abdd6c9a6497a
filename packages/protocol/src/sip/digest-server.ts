import { type Millis, toHex, utf8Encode } from "../text/index.ts";
import { type AuthParams, formatAuthParams, parseAuthParams } from "./auth-params.ts";
import {
  type DigestAlgorithm,
  type DigestHashes,
  digestResponse,
  equalsInConstantTime,
  parseDigestAlgorithm,
} from "./digest.ts";
import type { SipRequest } from "./message.ts";
import { parseSipUri } from "./uri.ts";
import { sipUriEquals } from "./uri-equals.ts";

export interface DigestServerOptions {
  readonly realm: string;
  /** Key of the nonces, at least 16 random octets; nodes that share it accept each other's nonces. */
  readonly secret: Uint8Array;
  readonly hashes: DigestHashes;
  /** Best first; one challenge each. Default SHA-256, then MD5 for old peers (RFC 8760 §2.3). */
  readonly algorithms?: readonly DigestAlgorithm[];
  /** How long a nonce may be used. Default five minutes. */
  readonly nonceLifetimeMs?: number;
  /** Nonces whose counts are remembered against replay; the oldest give way. Default 10,000. */
  readonly maximumNonces?: number;
}

export type DigestVerdict =
  | { readonly ok: true; readonly username: string }
  /** `stale`: the password is right, only the nonce is too old or its count was used before. */
  | { readonly ok: false; readonly reason: "missing" | "malformed" | "stale" | "wrong" };

const NONCE_TIME_DIGITS = 12;

/**
 * Challenges requests and verifies their credentials (RFC 7616, RFC 3261 §22).
 *
 * Nonces are stateless: an instant and its keyed hash. What is remembered, in bounds, is the highest count seen with
 * each nonce, so that credentials caught on the wire cannot be used again. ACK and CANCEL are never to be challenged.
 */
export class DigestServer {
  readonly #options: Required<DigestServerOptions>;
  readonly #counts = new Map<string, number>();

  constructor(options: DigestServerOptions) {
    this.#options = {
      algorithms: ["SHA-256", "MD5"],
      nonceLifetimeMs: 300_000,
      maximumNonces: 10_000,
      ...options,
    };
  }

  /** Values for WWW-Authenticate or Proxy-Authenticate, one header line each, best algorithm first. */
  challenge(now: Millis, { stale = false }: { readonly stale?: boolean } = {}): string[] {
    const nonce = this.#nonce(now);
    return this.#options.algorithms.map((algorithm) => {
      const params = new Map([
        ["realm", this.#options.realm],
        ["nonce", nonce],
        ["algorithm", algorithm as string],
        ["qop", "auth"],
      ]);
      if (stale) params.set("stale", "true");
      return formatAuthParams({ scheme: "Digest", params });
    });
  }

  /**
   * Verifies the credentials of a request for our realm.
   *
   * @param passwordOf - the password of a user, undefined for an unknown one (who takes as long to be refused)
   */
  verify(
    request: SipRequest,
    header: "Authorization" | "Proxy-Authorization",
    passwordOf: (username: string) => string | undefined,
    now: Millis,
  ): DigestVerdict {
    const lines = request.headers.lines(header);
    if (lines.length === 0) return { ok: false, reason: "missing" };
    let reason: "missing" | "malformed" = "missing"; // credentials for other realms are other servers' affair
    for (const line of lines) {
      const parsed = parseAuthParams(line);
      if (!parsed.ok) reason = "malformed";
      else if (parsed.value.params.get("realm") === this.#options.realm) {
        return this.#check(parsed.value, request, passwordOf, now);
      }
    }
    return { ok: false, reason };
  }

  #check(
    { scheme, params }: AuthParams,
    request: SipRequest,
    passwordOf: (username: string) => string | undefined,
    now: Millis,
  ): DigestVerdict {
    const algorithm = parseDigestAlgorithm(params.get("algorithm"));
    const username = params.get("username");
    const nonce = params.get("nonce");
    const uri = params.get("uri");
    const response = params.get("response");
    const cnonce = params.get("cnonce");
    const nc = params.get("nc");
    const malformed = { ok: false, reason: "malformed" } as const;
    if (scheme.toLowerCase() !== "digest" || algorithm === undefined) return malformed;
    if (username === undefined || nonce === undefined || uri === undefined || response === undefined)
      return malformed;
    // We always offer qop, so credentials without it are a downgrade (RFC 7616 §3.4: "MUST be specified if … sent").
    if (params.get("qop")?.toLowerCase() !== "auth" || cnonce === undefined) return malformed;
    if (nc === undefined || !/^[0-9a-f]{8}$/i.test(nc)) return malformed;
    if (!this.#options.algorithms.includes(algorithm) || !refersTo(uri, request.uri)) return malformed;

    const password = passwordOf(username);
    const expected = digestResponse(
      {
        algorithm,
        username,
        realm: this.#options.realm,
        password: password ?? "",
        nonce,
        method: request.method,
        uri,
        protection: { qop: "auth", cnonce, nc },
      },
      this.#options.hashes,
    );
    const isRight = equalsInConstantTime(response.toLowerCase(), expected);
    if (!isRight || password === undefined) return { ok: false, reason: "wrong" };
    if (!this.#isFresh(nonce, now) || !this.#count(nonce, Number.parseInt(nc, 16)))
      return { ok: false, reason: "stale" };
    return { ok: true, username };
  }

  #nonce(at: Millis): string {
    const time = Math.floor(at).toString(16).padStart(NONCE_TIME_DIGITS, "0");
    return time + this.#seal(time);
  }

  /** Hashed twice, so that nobody can lengthen what was hashed first. */
  #seal(time: string): string {
    const { secret, hashes, realm } = this.#options;
    const inner = hashes.sha256(concat(secret, utf8Encode(`${time} ${realm}`)));
    return toHex(hashes.sha256(concat(secret, inner))).slice(0, 32);
  }

  #isFresh(nonce: string, now: Millis): boolean {
    const time = nonce.slice(0, NONCE_TIME_DIGITS);
    if (!equalsInConstantTime(nonce.slice(NONCE_TIME_DIGITS), this.#seal(time))) return false;
    const age = now - Number.parseInt(time, 16);
    return age >= -1 && age < this.#options.nonceLifetimeMs;
  }

  #count(nonce: string, count: number): boolean {
    if (count <= (this.#counts.get(nonce) ?? 0)) return false;
    this.#counts.delete(nonce);
    this.#counts.set(nonce, count);
    if (this.#counts.size > this.#options.maximumNonces) {
      const oldest = this.#counts.keys().next();
      if (!oldest.done) this.#counts.delete(oldest.value);
    }
    return true;
  }
}

/** Same resource: equal text, or equal as RFC 3261 §19.1.4 compares. */
function refersTo(digestUri: string, requestUri: string): boolean {
  if (digestUri === requestUri) return true;
  const left = parseSipUri(digestUri);
  const right = parseSipUri(requestUri);
  return left.ok && right.ok && sipUriEquals(left.value, right.value);
}

function concat(left: Uint8Array, right: Uint8Array): Uint8Array {
  const both = new Uint8Array(left.length + right.length);
  both.set(left);
  both.set(right, left.length);
  return both;
}
