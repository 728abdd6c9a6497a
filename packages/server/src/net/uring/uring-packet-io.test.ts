import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { createPacketIo } from "../create-packet-io.ts";
import type { PacketIoHandlers } from "../packet-io.ts";
import { testPacketIo, testPacketIoUnderLoad } from "../testing/packet-io-suite.ts";
import { ListenError } from "../transport-error.ts";
import { EAGAIN, EBADF, EBUSY, EINTR, EMFILE, ENOMEM, SOL_SOCKET } from "./abi.ts";
import { HeldResources } from "./held-resources.ts";
import { type Kernel, openKernel } from "./kernel.ts";
import { probeUring } from "./probe.ts";
import { UringPacketIo, type UringPacketIoOptions } from "./uring-packet-io.ts";

const LOCALHOST = "127.0.0.1";
const EPERM = 1;
const ENOSYS = 38;
const SO_NO_CHECK = 11;
const found = openKernel();
const refusal = typeof found === "string" ? found : refusalOf(found);

if (typeof found === "string" || refusal !== undefined) {
  test("uring", { skip: `io_uring cannot be used here: ${refusal}` }, () => {});
} else {
  testPacketIo("uring", () => new UringPacketIo(found));
  testPacketIoUnderLoad("uring", () => new UringPacketIo(found));
  const receiveBuffers = 64;
  testPacketIoUnderLoad("uring with few buffers", () => new UringPacketIo(found, { receiveBuffers }));
  // Kernels before 6.13.
  testPacketIo("uring without fixed files", () => new UringPacketIo(found, { fixedFiles: false }));
  testFaults(found);
}

function refusalOf(kernel: Kernel): string | undefined {
  try {
    probeUring(kernel);
    return undefined;
  } catch (error) {
    return String(error);
  }
}

function testFaults(kernel: Kernel): void {
  for (const [name, errno] of Object.entries({ EAGAIN, EBUSY, ENOMEM, EINTR })) {
    test(`every third system call fails with ${name}: every packet comes and goes all the same`, async (t) => {
      let calls = 0;
      const faulty: Kernel = {
        ...kernel,
        enter: (...parameters) => (++calls % 3 === 0 ? -errno : kernel.enter(...parameters)),
      };
      const io = await echoed(t, faulty, {}, 300);
      assert.equal(io.counters.retried > 0, name !== "EINTR");
    });
  }

  test("an error of the ring itself is not survived: the worker has to be replaced", async () => {
    let broken = false;
    const faulty: Kernel = {
      ...kernel,
      enter: (...parameters) => (broken ? -EBADF : kernel.enter(...parameters)),
    };
    const io = new UringPacketIo(faulty);
    const port = await io.open(LOCALHOST, await freePort());
    broken = true;
    io.setPeer(port, LOCALHOST, 9, false);
    io.send(port, io.reserve(1), 1);
    assert.throws(() => io.clearPeer(port), { code: "EBADF" });
    broken = false;
    await io.stop();
  });

  test("eight receive buffers and three hundred packets: receiving stands still, is counted, and goes on", async (t) => {
    const io = await echoed(t, kernel, { receiveBuffers: 8 }, 300);
    assert.ok(io.counters.receiveStarved > 0);
  });

  test("completions that find no room wait in the kernel, are counted, and come", async (t) => {
    const ringEntries = { submissions: 8, completions: 16 };
    const io = await echoed(t, kernel, { ringEntries }, 300, 40);
    assert.ok(io.counters.completionOverflow > 0);
  });

  test("no descriptors left: the port is refused, the open ones go on, and later it is opened", async (t) => {
    let scarce = false;
    const faulty: Kernel = {
      ...kernel,
      socket: (...parameters) => (scarce ? -EMFILE : kernel.socket(...parameters)),
    };
    const io = started(t, faulty, {});
    const port = await freePort();
    scarce = true;
    await assert.rejects(io.open(LOCALHOST, port), (error) => error instanceof ListenError && !error.inUse);
    assert.equal(io.counters.openFailed, 1);
    scarce = false;
    assert.equal(await io.open(LOCALHOST, port), 0);
  });

  test("no memory for the ring's table of files: the port is refused and its descriptor closed", async (t) => {
    let scarce = false;
    const faulty: Kernel = {
      ...kernel,
      register: (...parameters) => (scarce ? -ENOMEM : kernel.register(...parameters)),
    };
    const io = started(t, faulty, {});
    const before = descriptors();
    scarce = true;
    const port = await freePort();
    await assert.rejects(io.open(LOCALHOST, port), ListenError);
    assert.equal(io.counters.openFailed, 1);
    assert.equal(descriptors(), before);
    scarce = false;
    await io.open(LOCALHOST, port);
  });

  test("a way on which segments are refused gets them one by one, those that were refused too", async (t) => {
    let descriptor = -1;
    const watching: Kernel = {
      ...kernel,
      socket: (...parameters) => {
        descriptor = kernel.socket(...parameters);
        return descriptor;
      },
    };
    const x = createSocket("udp4");
    t.after(() => x.close());
    x.bind(0, LOCALHOST);
    await once(x, "listening");
    const io = started(t, watching, {});
    const port = await io.open(LOCALHOST, await freePort());
    // Segmentation needs checksums: without, the kernel says EIO, as it does for some tunnels.
    kernel.setOption(descriptor, SOL_SOCKET, SO_NO_CHECK, 1);
    io.setPeer(port, LOCALHOST, x.address().port, true);
    const seen: string[] = [];
    x.on("message", (bytes) => seen.push(bytes.toString()));
    for (let round = 0; round < 2; round++) {
      const at = io.reserve(50);
      for (let i = 0; i < 5; i++) io.slab.set(Buffer.from(`segment ${5 * round + i} `), at + 10 * i);
      io.sendSegments(port, at, 50, 10);
      await until(t, () => seen.length === 5 * (round + 1));
    }
    assert.deepEqual(
      seen,
      Array.from({ length: 10 }, (_, i) => `segment ${i} `),
    );
    assert.equal(io.counters.sendFailed, 1);
    assert.equal(io.counters.sent, 10);
  });

  test("what a thread that died held of the system is given back by another", async () => {
    const before = [descriptors(), rings()];
    const held = new HeldResources();
    const io = new UringPacketIo(kernel, { held });
    await io.open(LOCALHOST, await freePort());
    await io.open(LOCALHOST, await freePort());
    assert.deepEqual([descriptors(), rings()], [before[0]! + 3, before[1]! + 2]);
    // It was never attached: no turn of its own will touch the ring again.
    new HeldResources(held.table).giveBack(kernel);
    assert.deepEqual([descriptors(), rings()], before);
    held.giveBack(kernel);
  });

  for (const [name, errno] of Object.entries({ EPERM, ENOSYS, ENOMEM })) {
    test(`a kernel that answers ${name}: packets go by dgram, it says why, and nothing stays open`, async () => {
      const before = descriptors();
      const faulty: Kernel = { ...kernel, setup: () => -errno };
      const { io, refusal } = createPacketIo({ choice: "auto" }, faulty);
      assert.equal(io.name, "dgram");
      assert.equal(refusal, `io_uring_setup: ${name}`);
      await io.stop();
      const withoutBuffers: Kernel = { ...kernel, register: () => -errno };
      const second = createPacketIo({ choice: "auto" }, withoutBuffers);
      assert.equal(second.io.name, "dgram");
      assert.match(second.refusal ?? "", new RegExp(name));
      assert.equal(descriptors(), before);
    });
  }

  test("a kernel that keeps files of the table open does without that table", async (t) => {
    const used: number[] = [];
    const faulty: Kernel = {
      ...kernel,
      bind: (...parameters) => {
        used.push(parameters[0]);
        // The third is the probe's second try at a port that it has closed.
        return used.length === 3 ? -98 : kernel.bind(...parameters);
      },
    };
    const { io, refusal } = createPacketIo({ choice: "uring" }, faulty);
    t.after(() => io.stop());
    assert.equal(refusal, undefined);
    assert.equal(io.name, "uring");
  });
}

/** Sends packets in bursts to an echo on `io`, and waits until each has come back in order. */
async function echoed(
  t: TestContext,
  kernel: Kernel,
  options: UringPacketIoOptions,
  count: number,
  burst = 100,
): Promise<UringPacketIo> {
  const io = started(t, kernel, options, (batch) => {
    for (let i = 0; i < batch.count; i++) io.send(batch.port[i]!, batch.offset[i]!, batch.length[i]!);
  });
  const port = await io.open(LOCALHOST, await freePort());
  const x = createSocket("udp4");
  t.after(() => x.close());
  x.bind(0, LOCALHOST);
  await once(x, "listening");
  io.setPeer(port, LOCALHOST, x.address().port, true);
  const seen: number[] = [];
  x.on("message", (bytes) => seen.push(Number(bytes.toString())));
  for (let from = 0; from < count; from += burst) {
    const to = Math.min(count, from + burst);
    for (let i = from; i < to; i++) x.send(`${i}`, io.localPort(port), LOCALHOST);
    await until(t, () => seen.length === to);
  }
  assert.deepEqual(
    seen,
    Array.from({ length: count }, (_, i) => i),
  );
  return io;
}

function started(
  t: TestContext,
  kernel: Kernel,
  options: UringPacketIoOptions,
  onBatch: PacketIoHandlers["onBatch"] = () => {},
): UringPacketIo {
  const io = new UringPacketIo(kernel, options);
  t.after(() => io.stop());
  io.attach({ onBatch, onWake() {}, onUnreachable() {} });
  return io;
}

async function freePort(): Promise<number> {
  const probe = createSocket("udp4");
  probe.bind(0, LOCALHOST);
  await once(probe, "listening");
  const { port } = probe.address();
  probe.close();
  await once(probe, "close");
  return port;
}

async function until(t: TestContext, happened: () => boolean): Promise<void> {
  while (!happened()) {
    t.signal.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** Mapped rings of this process. */
function rings(): number {
  return readFileSync("/proc/self/maps", "utf8").split("anon_inode:[io_uring]").length - 1;
}

function descriptors(): number {
  return readdirSync("/proc/self/fd").length;
}
