import { testPacketIo } from "../testing/packet-io-suite.ts";
import { openKernel } from "./kernel.ts";
import { UringPacketIo } from "./uring-packet-io.ts";

const kernel = openKernel();
if (typeof kernel === "string") throw new Error(kernel);
testPacketIo("uring", () => new UringPacketIo(kernel));
