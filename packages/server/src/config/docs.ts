import { NAMED_SETTINGS } from "./settings.ts";

/** The table of docs/configuration.md: every setting with its three names, default and meaning. */
export function configurationTable(): string {
  const rows = NAMED_SETTINGS.map(({ path, variable, flag, setting }) => {
    const { standard, standardText, secret, meaning, example } = setting;
    const shown = standardText ?? `\`${Array.isArray(standard) ? standard.join(",") : String(standard)}\``;
    const told = example === undefined ? meaning : `${meaning} Example: \`${example}\`.`;
    return `| \`${variable}\` | \`${path}\` | ${secret === true ? "–" : `\`--${flag}\``} | ${shown} | ${told} |`;
  });
  return [
    "| Variable | In callfork.yaml | Flag | Default | Meaning |",
    "|---|---|---|---|---|",
    ...rows,
  ].join("\n");
}
