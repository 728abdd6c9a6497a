import { createDgramPacketIo } from "./dgram-packet-io.ts";
import { testPacketIo } from "./testing/packet-io-suite.ts";

testPacketIo("dgram", () => createDgramPacketIo());
