export { publicUrlOf } from "./contradictions.ts";
export { configurationTable } from "./docs.ts";
export { defaultOrigin, describeRule, type FirewallRule, firewallRules, type Origin } from "./firewall.ts";
export { type ConfigProblem, type ConfigSources, loadConfig } from "./load.ts";
export { NAMED_SETTINGS } from "./settings.ts";
export type { Config, SipListenAddress, SipTransportName } from "./types.ts";
