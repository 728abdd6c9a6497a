export { FakeClock } from "./fake-clock.ts";
export { SeededRandom } from "./random.ts";
export {
  type LinkConditions,
  VirtualNetwork,
  type VirtualNetworkOptions,
  type VirtualNodeOptions,
  type WireMessage,
} from "./virtual-network.ts";
export { VirtualNode } from "./virtual-node.ts";
