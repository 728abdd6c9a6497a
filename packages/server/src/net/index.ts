export { createSystemClock } from "./clock.ts";
export { isLocalAddress, localAddressFor } from "./local-address.ts";
export { createResolver, type ResolverOptions } from "./resolver.ts";
export { createSipTransports, type SipTransportLimits, type SipTransportsOptions } from "./sip-transports.ts";
export { ListenError, TransportError, type TransportErrorReason } from "./transport-error.ts";
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
