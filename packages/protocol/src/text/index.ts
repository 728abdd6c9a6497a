export type { Hash, Millis, Output, Random } from "./core.ts";
export { err, ok, type Result } from "./result.ts";
