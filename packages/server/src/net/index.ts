export { createAddressFilter, isLoopback, numericAddress } from "./address-filter.ts";
export { createSystemClock } from "./clock.ts";
export {
  type ChosenPacketIo,
  createPacketIo,
  giveBack,
  type PacketIoChoice,
  type PacketIoOptions,
} from "./create-packet-io.ts";
export { createDgramPacketIo, type DgramPacketIoOptions } from "./dgram-packet-io.ts";
export { isLocalAddress, localAddressFor } from "./local-address.ts";
export {
  MAX_PACKET_BYTES,
  NO_TIME,
  newPacketIoCounters,
  type PacketBatch,
  type PacketIo,
  type PacketIoCounters,
  type PacketIoHandlers,
  type PortIndex,
} from "./packet-io.ts";
export { PortPairs, type PortPairsOptions, PortsExhaustedError } from "./port-pairs.ts";
export { createResolver, type ResolverOptions } from "./resolver.ts";
export { createAddressDns, createSipDns, type SipDns, type SipDnsOptions } from "./sip-dns.ts";
export type { SipListener } from "./sip-listener.ts";
export { createSipLocator, type SipLocatorOptions } from "./sip-locator.ts";
export { createSipTransports, type SipTransportLimits, type SipTransportsOptions } from "./sip-transports.ts";
export { createSrtpCiphers } from "./srtp-ciphers.ts";
export { loadTlsSet, type TlsFiles, type TlsIdentity, type TlsSet } from "./tls-material.ts";
export {
  ListenError,
  TlsMaterialError,
  TransportError,
  type TransportErrorReason,
} from "./transport-error.ts";
export type {
  Clock,
  Located,
  Resolver,
  SipDestination,
  SipFlow,
  SipFlowTls,
  SipLocator,
  SipTargetUri,
  SipTlsContext,
  SipTransportHandlers,
  SipTransportName,
  SipTransports,
  Timer,
} from "./types.ts";
export { HeldResources } from "./uring/held-resources.ts";
