export type { Command } from "./command.ts";
export { main } from "./main.ts";
export { readCommandLine, settingsHelp, UsageError } from "./usage.ts";
