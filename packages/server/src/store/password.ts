import { createHmac, randomBytes, scrypt, timingSafeEqual } from "node:crypto";
import { StoreOverloadedError } from "./errors.ts";

/**
 * Cost of one hash: 2^14 blocks of 1 KiB, 16 MiB and some 50 ms. The secrets are 32 random characters of our own making,
 * which nobody guesses at any cost; scrypt is there for the day when somebody brings his own.
 */
const COST = { log2N: 14, r: 8, p: 1 };
const HASH_OCTETS = 32;
const FORMAT = /^scrypt\$(\d{1,2})\$(\d{1,2})\$(\d{1,2})\$([A-Za-z0-9_-]+)\$([A-Za-z0-9_-]+)$/;
/** Wrong secrets cost as much as right ones: at most so many are computed at a time, of libuv's four threads. */
const CONCURRENCY = 2;
const REMEMBERED = 1000;
const WAITING_LIMIT = 1000;

export async function hashSecret(secret: string): Promise<string> {
  const salt = randomBytes(16);
  const hash = await derive(secret, salt, COST);
  const { log2N, r, p } = COST;
  return `scrypt$${log2N}$${r}$${p}$${salt.toString("base64url")}$${hash.toString("base64url")}`;
}

export async function secretMatches(secret: string, stored: string): Promise<boolean> {
  const [, log2N, r, p, salt, expected] = FORMAT.exec(stored) ?? [];
  if (salt === undefined || expected === undefined) return false;
  const cost = { log2N: Number(log2N), r: Number(r), p: Number(p) };
  const hash = await derive(secret, Buffer.from(salt, "base64url"), cost);
  const wanted = Buffer.from(expected, "base64url");
  return wanted.length === hash.length && timingSafeEqual(wanted, hash);
}

/** Equality in a time that tells nothing of where the texts differ, nor of their lengths. */
export function sameSecret(left: string, right: string): boolean {
  return timingSafeEqual(fingerprint(left), fingerprint(right));
}

/**
 * Checks secrets against stored hashes and remembers, by a keyed fingerprint, the ones that matched: Basic
 * authentication comes with every request, and scrypt is dear by design.
 */
export class SecretChecker {
  /** Stored hash to fingerprint of the secret that matched it. A changed hash is another key, so nothing goes stale. */
  readonly #verified = new Map<string, Buffer>();
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  async matches(secret: string, stored: string): Promise<boolean> {
    const known = this.#verified.get(stored);
    const presented = fingerprint(secret);
    if (known !== undefined && timingSafeEqual(known, presented)) return true;
    await this.#enter();
    try {
      if (!(await secretMatches(secret, stored))) return false;
    } finally {
      this.#leave();
    }
    if (this.#verified.size >= REMEMBERED) this.#verified.delete(this.#verified.keys().next().value!);
    this.#verified.set(stored, presented);
    return true;
  }

  async #enter(): Promise<void> {
    if (this.#waiting.length >= WAITING_LIMIT)
      throw new StoreOverloadedError(`${WAITING_LIMIT} secrets wait to be checked already`);
    if (this.#running < CONCURRENCY) this.#running += 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#running -= 1;
    else next();
  }
}

/** Known to this process only, so that fingerprints are worth nothing elsewhere. */
const FINGERPRINT_KEY = randomBytes(32);
const fingerprint = (secret: string) => createHmac("sha256", FINGERPRINT_KEY).update(secret, "utf8").digest();

function derive(secret: string, salt: Buffer, cost: typeof COST): Promise<Buffer> {
  const N = 2 ** cost.log2N;
  const options = { N, r: cost.r, p: cost.p, maxmem: 256 * N * cost.r };
  return new Promise((resolve, reject) => {
    scrypt(secret.normalize("NFC"), salt, HASH_OCTETS, options, (error, key) =>
      error ? reject(error) : resolve(key),
    );
  });
}
