import { createDgramPacketIo } from "./dgram-packet-io.ts";
import { testPacketIo } from "./packet-io-suite.ts";

testPacketIo("dgram", () => createDgramPacketIo());
