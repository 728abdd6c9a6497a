import { diagnose } from "../../app/index.ts";
import type { Command } from "../command.ts";
import { readCommandLine, settingsHelp } from "../usage.ts";

const MARKS = { ok: "ok  ", warn: "warn", fail: "FAIL" } as const;

export const doctor: Command = {
  help: `usage: callfork doctor [settings]

Checks what \`callfork serve\` with the same settings would need. Exit code 1 when something would fail.

${settingsHelp()}`,
  async run(argv) {
    const findings = await diagnose(readCommandLine(argv).config);
    for (const { level, about, text } of findings) console.log(`${MARKS[level]}  ${about.padEnd(9)} ${text}`);
    return findings.some(({ level }) => level === "fail") ? 1 : 0;
  },
};
