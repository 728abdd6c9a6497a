export { type Fault, PlatformError } from "./errors.ts";
export type { Alert, Alerts, Log } from "./types.ts";
