/** How a request is tried: Twilio's connection overrides with their defaults. */
export interface ConnectionPolicy {
  readonly connectTimeoutMs: number;
  readonly readTimeoutMs: number;
  /** Over all tries, redirects included. */
  readonly totalTimeoutMs: number;
  readonly retries: number;
  readonly retryOn: readonly RetryReason[];
}

export type RetryReason = "4xx" | "5xx" | "ct" | "rt" | "all";

const REASONS: readonly string[] = ["4xx", "5xx", "ct", "rt", "all"] satisfies readonly RetryReason[];

/** The longest that a voice request may take, whatever it asks for. */
export const LONGEST_MS = 15_000;

export const DEFAULT_POLICY: ConnectionPolicy = {
  connectTimeoutMs: 5000,
  readTimeoutMs: LONGEST_MS,
  totalTimeoutMs: LONGEST_MS,
  retries: 1,
  retryOn: ["ct"],
};

/**
 * Reads the overrides in a URL's fragment: `#ct=2000&rc=2&rp=5xx,ct`. `sni` and `e` (edge) are accepted and change
 * nothing: the server name is always sent, and there is one way out. A fragment without any override is none of ours.
 *
 * @param fragment - with or without its "#"
 * @returns the defaults and the problem when a value is out of range: overrides are taken whole or not at all
 */
export function readOverrides(
  fragment: string,
  defaults: ConnectionPolicy = DEFAULT_POLICY,
): { readonly policy: ConnectionPolicy; readonly problem: string | undefined } {
  const policy: { -readonly [Key in keyof ConnectionPolicy]: ConnectionPolicy[Key] } = { ...defaults };
  for (const [key, value] of new URLSearchParams(fragment.replace(/^#/, ""))) {
    const problem = take(policy, key, value);
    if (problem !== undefined) return { policy: defaults, problem };
  }
  return { policy, problem: undefined };
}

function take(
  policy: { -readonly [Key in keyof ConnectionPolicy]: ConnectionPolicy[Key] },
  key: string,
  value: string,
): string | undefined {
  const whole = (least: number, most: number): number | undefined => {
    const number = /^\d{1,6}$/.test(value) ? Number(value) : Number.NaN;
    return number >= least && number <= most ? number : undefined;
  };
  const range = (least: number, most: number) =>
    `${key}=${value} is not a whole number from ${least} to ${most}`;
  switch (key) {
    case "ct": {
      const ms = whole(100, 10_000);
      if (ms === undefined) return range(100, 10_000);
      policy.connectTimeoutMs = ms;
      return undefined;
    }
    case "rt":
    case "tt": {
      const ms = whole(100, LONGEST_MS);
      if (ms === undefined) return range(100, LONGEST_MS);
      if (key === "rt") policy.readTimeoutMs = ms;
      else policy.totalTimeoutMs = ms;
      return undefined;
    }
    case "rc": {
      const count = whole(0, 5);
      if (count === undefined) return range(0, 5);
      policy.retries = count;
      return undefined;
    }
    case "rp": {
      const reasons = value.split(",");
      const unknown = reasons.find((reason) => !REASONS.includes(reason));
      if (unknown !== undefined)
        return `rp=${value} names "${unknown}", which is none of ${REASONS.join(", ")}`;
      policy.retryOn = reasons as RetryReason[];
      return undefined;
    }
    case "sni":
      return value === "y" || value === "n" ? undefined : `sni=${value} is neither y nor n`;
    default:
      return undefined;
  }
}
