import type { Result } from "@callfork/protocol/text";
import type { Config } from "./types.ts";

/** One thing wrong with the configuration. */
export interface ConfigProblem {
  /** Where: `--http-listen`, `CALLFORK_HTTP_LISTEN` or `callfork.yaml: webhooks.timeoutMs`. */
  readonly path: string;
  /** What is wrong and what would be right. Never repeats a secret. */
  readonly message: string;
}

export interface ConfigSources {
  /** Command line flags by their long name without dashes (`"http-listen"`), as `parseArgs` gives them. */
  readonly flags?: Readonly<Record<string, string | boolean | readonly string[] | undefined>>;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Where `callfork.yaml` is looked for and relative paths start. */
  readonly cwd: string;
}

/**
 * Flags beat environment, environment beats `callfork.yaml`, that beats the defaults. Reports every problem at once;
 * the configuration is deeply frozen.
 */
export function loadConfig(sources: ConfigSources): Result<Config, readonly ConfigProblem[]> {
  throw new Error(sources.cwd);
}

/** The base URL for a listen address: a wildcard becomes localhost, IPv6 gets its brackets. */
export function publicUrlOf(listen: { readonly address: string; readonly port: number }): string {
  return listen.address;
}
