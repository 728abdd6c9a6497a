export { type ConfigProblem, type ConfigSources, loadConfig, publicUrlOf } from "./load.ts";
export type { Config, SipListenAddress, SipTransportName } from "./types.ts";
