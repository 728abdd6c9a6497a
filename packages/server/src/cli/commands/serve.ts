import { join } from "node:path";
import { type App, startApp, VERSION } from "../../app/index.ts";
import type { Config } from "../../config/index.ts";
import type { Command } from "../command.ts";
import { readCommandLine, settingsHelp } from "../usage.ts";

/** How long live calls may go on after the first signal. */
const DRAIN_MS = 60_000;
/** A terminal and npm may both pass on one Ctrl-C: signals this close together are one. */
const SAME_SIGNAL_MS = 500;

export const serve: Command = {
  help: `usage: callfork serve [settings]

Serves the platform with embedded defaults. The first start makes an account and prints its credentials.
SIGTERM or Ctrl-C: no new calls, live ones go on for up to ${DRAIN_MS / 1000} s; a second one ends them with BYE.

${settingsHelp()}`,
  run: async (argv) => await serveUntilSignal(readCommandLine(argv).config),
};

export async function serveUntilSignal(config: Config): Promise<number> {
  const app = await startApp(config);
  console.log(greeting(app, config));
  await untilStopped(app);
  return 0;
}

function greeting(app: App, config: Config): string {
  const { accountSid, authToken, created } = app.account;
  const lines = [`Callfork ${VERSION} is serving.`, ""];
  if (app.url !== undefined) lines.push(`  REST        ${app.url}`);
  for (const { transport, address, port } of app.sip)
    lines.push(`  SIP         ${transport}:${address}:${port}`);
  if (app.recorderUri !== undefined) lines.push(`  Recorder    ${app.recorderUri}`);
  lines.push(
    `  RTP ports   ${config.rtpPorts.first}-${config.rtpPorts.last}`,
    `  Data        ${config.dataDir}`,
  );
  lines.push(`  Account     ${accountSid}`);
  if (created) {
    lines.push(`  Auth Token  ${authToken}`);
    lines.push("", "The account was made just now.");
  }
  lines.push(
    `The credentials are kept in ${join(config.dataDir, "account.json")} (readable by you alone).`,
    "",
  );
  return lines.join("\n");
}

async function untilStopped(app: App): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    let first: number | undefined;
    const onSignal = (): void => {
      const now = performance.now();
      if (first !== undefined && now - first < SAME_SIGNAL_MS) return;
      const limitMs = first === undefined ? DRAIN_MS : 0;
      first ??= now;
      if (app.liveCalls > 0 && limitMs > 0) {
        console.log(
          `callfork: waiting for ${app.liveCalls} live calls, up to ${limitMs / 1000} s; once more ends them`,
        );
      }
      app.stop(limitMs).then(resolve, reject);
    };
    process.on("SIGTERM", onSignal).on("SIGINT", onSignal);
  });
}
