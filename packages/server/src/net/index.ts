export type {
  Clock,
  Resolver,
  SipDestination,
  SipFlow,
  SipTransportHandlers,
  SipTransportName,
  SipTransports,
  Timer,
} from "./types.ts";
