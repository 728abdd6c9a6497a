import { createDgramPacketIo } from "./dgram-packet-io.ts";
import { testPacketIo, testPacketIoUnderLoad } from "./testing/packet-io-suite.ts";

testPacketIo("dgram", () => createDgramPacketIo());
testPacketIoUnderLoad("dgram", () => createDgramPacketIo());
