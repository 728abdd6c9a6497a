export type { Config, SipListenAddress, SipTransportName } from "./types.ts";
