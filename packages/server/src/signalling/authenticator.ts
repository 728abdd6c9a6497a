import { type DigestHashes, DigestServer, type SipRequest } from "@callfork/protocol/sip";
import type { Random } from "@callfork/protocol/text";
import type { Clock } from "../net/index.ts";
import { NODE_HASHES } from "./hashes.ts";
import type { HeaderLine } from "./types.ts";

/** Somebody who may come in; users of the same name are told apart by their passwords. */
export interface DigestUser {
  readonly username: string;
  readonly password: string;
}

export type Authentication<U extends DigestUser> =
  | { readonly ok: true; readonly user: U }
  /** What to answer: 401 with these header fields. `wrong`: a password was tried and did not fit. */
  | { readonly ok: false; readonly wrong: boolean; readonly headers: readonly HeaderLine[] };

/** Asks peers who they are (RFC 3261 §22.2, RFC 7616, RFC 8760). Never for ACK and CANCEL. */
export interface Authenticator {
  authenticate<U extends DigestUser>(request: SipRequest, users: readonly U[]): Authentication<U>;
}

export interface AuthenticatorOptions {
  /** What users see when they are asked; credentials for other realms are not looked at. */
  readonly realm: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly hashes?: DigestHashes;
}

/** Nonces are stateless, so a flood of challenges costs no memory; SHA-256 is asked for first, then MD5. */
export function createAuthenticator({
  realm,
  clock,
  random,
  hashes = NODE_HASHES,
}: AuthenticatorOptions): Authenticator {
  const server = new DigestServer({ realm, secret: random.bytes(32), hashes });
  return {
    authenticate(request, users) {
      const now = clock.now();
      let [stale, wrong] = [false, false];
      // One look without a user tells an absent or unreadable Authorization from a wrong one at the same price.
      for (const user of users.length > 0 ? users : [undefined]) {
        const passwordOf = (name: string): string | undefined =>
          name === user?.username ? user.password : undefined;
        const verdict = server.verify(request, "Authorization", passwordOf, now);
        if (verdict.ok && user !== undefined) return { ok: true, user };
        if (!verdict.ok && verdict.reason === "stale") stale = true;
        else if (!verdict.ok && verdict.reason !== "missing") wrong = true;
      }
      const headers = server
        .challenge(now, { stale })
        .map((challenge): HeaderLine => ["WWW-Authenticate", challenge]);
      return { ok: false, wrong: wrong && !stale, headers };
    },
  };
}
