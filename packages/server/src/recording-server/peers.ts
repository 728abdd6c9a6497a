import { createAddressFilter } from "../net/index.ts";
import type { IncomingInvite } from "../signalling/index.ts";

/**
 * How much is forgiven: `strict` is RFC 7866 to the letter; `lenient` takes what deployed clients send; `plain` is
 * lenient, and takes every INVITE of that peer for a recording session, whatever it is addressed to and without a mark.
 */
export type PeerProfile = "strict" | "lenient" | "plain";

/** How one recording client is taken, or several. */
export interface PeerRule {
  readonly by: "address" | "certificate" | "user";
  /** An address or CIDR range; a name that the client's certificate stands for; the user of its digest. */
  readonly is: string;
  readonly profile: PeerProfile;
}

/** Looks up how a recording client is taken: the first rule that fits it, else the default. */
export class Peers {
  readonly #rules: readonly { readonly profile: PeerProfile; fits(invite: IncomingInvite): boolean }[];
  readonly #otherwise: PeerProfile;

  constructor(rules: readonly PeerRule[], otherwise: PeerProfile) {
    this.#rules = rules.map((rule) => ({ profile: rule.profile, fits: matcherOf(rule) }));
    this.#otherwise = otherwise;
  }

  profileOf(invite: IncomingInvite): PeerProfile {
    return this.#rules.find((rule) => rule.fits(invite))?.profile ?? this.#otherwise;
  }
}

function matcherOf({ by, is }: PeerRule): (invite: IncomingInvite) => boolean {
  const wanted = is.toLowerCase();
  switch (by) {
    case "address": {
      const isThere = createAddressFilter([is]);
      return ({ flow }) => isThere(flow.remoteAddress);
    }
    case "certificate":
      return ({ flow }) => flow.tls?.identities.some((name) => name.toLowerCase() === wanted) === true;
    case "user":
      // Whether the proof holds was asked before: what counts here is who it is of.
      return ({ request }) => digestUser(request.headers.get("Authorization")) === is;
  }
}

function digestUser(authorization: string | undefined): string | undefined {
  return /^\s*Digest\b.*?\busername\s*=\s*"((?:[^"\\]|\\.)*)"/is.exec(authorization ?? "")?.[1];
}
