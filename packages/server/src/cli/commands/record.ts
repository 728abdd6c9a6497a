import type { Command } from "../command.ts";
import { readCommandLine, settingsHelp } from "../usage.ts";
import { serveUntilSignal } from "./serve.ts";

export const record: Command = {
  help: `usage: callfork record [settings]

Serves the recorder and the REST interface, and carries no calls: \`callfork serve --roles recorder,api\`.
Whoever may record to it beyond this machine is named with --recorder-allowed-addresses.

${settingsHelp()}`,
  run: async (argv) => await serveUntilSignal(readCommandLine(argv, {}, { roles: "recorder,api" }).config),
};
