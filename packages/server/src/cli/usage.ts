import { parseArgs } from "node:util";
import { type Config, loadConfig, NAMED_SETTINGS } from "../config/index.ts";

/** The command line was not understood; the help is printed below the message. Exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Every setting that has a flag, as `parseArgs` wants them. */
const SETTING_FLAGS: Readonly<Record<string, { readonly type: "string" }>> = Object.fromEntries([
  ...NAMED_SETTINGS.filter(({ setting }) => setting.secret !== true).map(
    ({ flag }) => [flag, { type: "string" }] as const,
  ),
  ["config", { type: "string" }] as const,
]);

/** Options of a command beside the settings. */
export type OwnOptions = Readonly<
  Record<string, { readonly type: "string" | "boolean"; readonly default?: string }>
>;

/**
 * Reads flags that are settings, the environment and the file beneath them, and the command's own options.
 *
 * @param overrides - settings by flag name that the command decides
 * @throws UsageError with every problem
 */
export function readCommandLine(
  argv: readonly string[],
  own: OwnOptions = {},
  overrides: Readonly<Record<string, string>> = {},
): { readonly config: Config; readonly values: Readonly<Record<string, string | boolean | undefined>> } {
  const flags: Record<string, string | boolean | undefined> = {};
  const values: Record<string, string | boolean | undefined> = {};
  try {
    const options = { ...SETTING_FLAGS, ...own };
    const parsed = parseArgs({ args: [...argv], options, strict: true, allowPositionals: false }).values;
    for (const [name, value] of Object.entries(parsed as typeof flags)) {
      (Object.hasOwn(own, name) ? values : flags)[name] = value;
    }
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
  const loaded = loadConfig({ flags: { ...flags, ...overrides }, env: process.env, cwd: process.cwd() });
  if (loaded.ok) return { config: loaded.value, values };
  const problems = loaded.error.map(({ path, message }) => `  ${path}: ${message}`);
  throw new UsageError(`the configuration is not usable:\n${problems.join("\n")}`);
}

/** The settings as `--help` lists them. */
export function settingsHelp(): string {
  const rows = NAMED_SETTINGS.map(({ flag, variable, setting }) => {
    const shown = setting.standardText ?? String(setting.standard);
    const name = setting.secret === true ? variable : `--${flag}`;
    return `  ${name.padEnd(34)} ${setting.meaning.replaceAll("`", "")} [${shown.replaceAll("`", "")}]`;
  });
  return [
    ...rows,
    `  ${"--config".padEnd(34)} Another file than callfork.yaml.`,
    "",
    "Each is also an environment variable (--http-listen: CALLFORK_HTTP_LISTEN) and a key of callfork.yaml.",
    "Flags beat the environment, that beats the file.",
  ].join("\n");
}
