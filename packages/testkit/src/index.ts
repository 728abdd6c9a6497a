export { type Located, locateInVoice } from "./audio/locate.ts";
export { FakeClock } from "./fake-clock.ts";
export { CallRefusedError, type PhoneCall, TestPhone, type TestPhoneOptions } from "./phone/phone.ts";
export { RtpEndpoint, type RtpEndpointOptions, type RtpSpeech } from "./phone/rtp-endpoint.ts";
export type { EncodedVoice, PhoneCodec } from "./phone/session-description.ts";
export { loadVoice, type VoiceName } from "./phone/voices.ts";
export { SeededRandom } from "./random.ts";
export {
  type LinkConditions,
  VirtualNetwork,
  type VirtualNetworkOptions,
  type VirtualNodeOptions,
  type WireMessage,
} from "./virtual-network.ts";
export { VirtualNode } from "./virtual-node.ts";
