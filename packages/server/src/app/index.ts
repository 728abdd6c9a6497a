export { diagnose, type Finding } from "./diagnose.ts";
export { type AccountFile, readAccountFile, SecretKeyUnreadableError } from "./secrets.ts";
export { type App, startApp } from "./start.ts";
export { VERSION } from "./version.ts";
