import type * as Diagnose from "./diagnose.ts";
import type * as Start from "./start.ts";

export type { Finding } from "./diagnose.ts";
export { type AccountFile, readAccountFile, SecretKeyUnreadableError } from "./secrets.ts";
export type { App } from "./start.ts";
export { VERSION } from "./version.ts";

// All rooms of the server hang on these two: they are loaded when one is called, so that the commands that serve
// nothing (`callfork account` in every curl, --help) start in a third of the time.

export const startApp: typeof Start.startApp = async (...args) =>
  await (await import("./start.ts")).startApp(...args);

export const diagnose: typeof Diagnose.diagnose = async (...args) =>
  await (await import("./diagnose.ts")).diagnose(...args);
