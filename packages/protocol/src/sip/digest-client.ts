import { type Random, toHex } from "../text/index.ts";
import { formatAuthParams, parseAuthParams } from "./auth-params.ts";
import { type DigestAlgorithm, type DigestHashes, digestResponse, parseDigestAlgorithm } from "./digest.ts";
import type { SipResponse } from "./message.ts";

export interface DigestCredentials {
  readonly username: string;
  readonly password: string;
}

interface Challenge {
  readonly header: "Authorization" | "Proxy-Authorization";
  readonly realm: string;
  readonly nonce: string;
  readonly opaque: string | undefined;
  /** As the peer wrote it; absent when it wrote none. */
  readonly algorithmText: string | undefined;
  readonly algorithm: DigestAlgorithm;
  readonly qop: "auth" | undefined;
  readonly cnonce: string;
  count: number;
}

interface ReadChallenge {
  readonly challenge: Challenge;
  readonly stale: boolean;
}

/** SHA-256 before MD5; with protection before without, whatever the hash. */
function isStronger(a: Challenge, b: Challenge): boolean {
  const strength = ({ qop, algorithm }: Challenge): number =>
    (qop === undefined ? 0 : 2) + (algorithm.startsWith("SHA-256") ? 1 : 0);
  return strength(a) > strength(b);
}

/** Realms that one client answers; more challenges than this are nothing a call needs. */
const MAX_REALMS = 4;

/**
 * Answers challenges with one user's credentials (RFC 7616, RFC 8760, RFC 3261 §22) and remembers them, so that later
 * requests carry credentials from the start, with a rising nonce count.
 */
export class DigestClient {
  readonly #credentials: DigestCredentials;
  readonly #hashes: DigestHashes;
  readonly #random: Random;
  readonly #challenges = new Map<string, Challenge>();

  constructor(credentials: DigestCredentials, hashes: DigestHashes, random: Random) {
    this.#credentials = credentials;
    this.#hashes = hashes;
    this.#random = random;
  }

  /**
   * Takes a 401 or 407. Of the challenges of one realm the strongest counts, of equally strong ones the first: RFC 8760
   * §2.4 goes by the server's order, which anybody on the way can change.
   *
   * @param isFirst - the first refusal of this request: credentials it carried from the start may have grown old
   *   without a word (`stale` is only a hint, RFC 7616 §3.3), so another nonce is worth one more attempt
   * @returns whether another attempt makes sense: there is a challenge we can answer, and its realm is new, its nonce
   *   had only grown stale, or see `isFirst`. Wrong credentials are not sent twice.
   */
  takeChallenge(response: SipResponse, isFirst = false): boolean {
    const strongest = new Map<string, ReadChallenge>();
    for (const [name, header] of [
      ["WWW-Authenticate", "Authorization"],
      ["Proxy-Authenticate", "Proxy-Authorization"],
    ] as const) {
      for (const line of response.headers.lines(name)) {
        const read = this.#read(line, header);
        if (read === undefined) continue;
        const key = `${header} ${read.challenge.realm}`;
        const best = strongest.get(key);
        if (best === undefined || isStronger(read.challenge, best.challenge)) strongest.set(key, read);
      }
    }
    let retry = false;
    for (const [key, { challenge, stale }] of strongest) {
      const known = this.#challenges.get(key);
      if (known !== undefined && !stale && !isFirst) continue;
      if (known === undefined && this.#challenges.size >= MAX_REALMS) continue;
      if (known?.nonce === challenge.nonce) continue; // "stale" with the very nonce we used leads nowhere
      this.#challenges.set(key, challenge);
      retry = true;
    }
    return retry;
  }

  /** The Authorization and Proxy-Authorization lines for a request; none before the first challenge. */
  authorize(method: string, uri: string): (readonly [name: string, value: string])[] {
    return [...this.#challenges.values()].map((challenge) => [
      challenge.header,
      this.#credentialsFor(challenge, method, uri),
    ]);
  }

  #credentialsFor(challenge: Challenge, method: string, uri: string): string {
    const { username, password } = this.#credentials;
    const { realm, nonce, algorithm, algorithmText, opaque, qop, cnonce } = challenge;
    challenge.count += 1;
    const nc = challenge.count.toString(16).padStart(8, "0");
    const protection = qop === undefined ? undefined : { qop, cnonce, nc };
    const response = digestResponse(
      { algorithm, username, realm, password, nonce, method, uri, protection },
      this.#hashes,
    );
    const params = new Map([
      ["username", username],
      ["realm", realm],
      ["nonce", nonce],
      ["uri", uri],
      ["response", response],
    ]);
    if (algorithmText !== undefined) params.set("algorithm", algorithmText);
    if (opaque !== undefined) params.set("opaque", opaque);
    if (protection !== undefined) {
      params.set("qop", protection.qop);
      params.set("cnonce", cnonce);
      params.set("nc", nc);
    }
    return formatAuthParams({ scheme: "Digest", params });
  }

  #read(line: string, header: Challenge["header"]): ReadChallenge | undefined {
    const parsed = parseAuthParams(line);
    if (!parsed.ok || parsed.value.scheme.toLowerCase() !== "digest") return undefined;
    const { params } = parsed.value;
    const realm = params.get("realm");
    const nonce = params.get("nonce");
    const algorithm = parseDigestAlgorithm(params.get("algorithm"));
    if (realm === undefined || nonce === undefined || algorithm === undefined) return undefined;
    const offered = params.get("qop")?.split(",") ?? [];
    const qop = offered.some((each) => each.trim().toLowerCase() === "auth") ? "auth" : undefined;
    if (qop === undefined && (offered.length > 0 || algorithm.endsWith("-sess"))) return undefined;
    const challenge: Challenge = {
      header,
      realm,
      nonce,
      algorithm,
      algorithmText: params.get("algorithm"),
      opaque: params.get("opaque"),
      qop,
      cnonce: toHex(this.#random.bytes(8)),
      count: 0,
    };
    return { challenge, stale: params.get("stale")?.toLowerCase() === "true" };
  }
}
