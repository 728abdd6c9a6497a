import assert from "node:assert/strict";
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { MessageChannel } from "node:worker_threads";
import { MAX_PACKET_BYTES, type PacketIo, type PortIndex } from "../packet-io.ts";
import { ListenError } from "../transport-error.ts";

const LOCALHOST = "127.0.0.1";

/** What every implementation of `PacketIo` has to do, over real sockets. Call it once for each, in a test file of its own. */
export function testPacketIo(name: string, create: () => PacketIo): void {
  test(`${name}: packets arrive unchanged, in order, each with port and source`, async (t) => {
    const { io, received } = start(t, create);
    const [a, b] = [await openFree(io), await openFree(io)];
    const [x, y] = [await peer(t), await peer(t)];
    const sent: string[] = [];
    for (let i = 0; i < 100; i++) {
      const text = `packet ${i} ${"x".repeat(i * 13)}`;
      const [from, to] = i % 3 === 0 ? [x, b] : [y, a];
      sent.push(`${to} ${LOCALHOST}:${from.address().port} ${text}`);
      from.send(text, io.localPort(to), LOCALHOST);
    }
    const seen = await received(100);
    for (const port of [a, b]) {
      const here = (line: string): boolean => line.startsWith(`${port} `);
      assert.deepEqual(seen.filter(here), sent.filter(here));
    }
  });

  test(`${name}: empty datagrams and the largest packet come through, larger ones are counted`, async (t) => {
    const { io, received } = start(t, create);
    const port = await openFree(io);
    const x = await peer(t);
    const from = `${port} ${LOCALHOST}:${x.address().port}`;
    for (const length of [0, 1, 65_507, MAX_PACKET_BYTES + 1, MAX_PACKET_BYTES]) {
      x.send(Buffer.alloc(length, 0x61), io.localPort(port), LOCALHOST);
    }
    const lengths = (await received(3)).map((line) => line.length - from.length - 1);
    assert.deepEqual(lengths, [0, 1, MAX_PACKET_BYTES]);
    assert.equal(io.counters.oversized, 2);
  });

  test(`${name}: sends go to the peer from the port's own number, received bytes and built ones`, async (t) => {
    const { io, onBatch } = start(t, create);
    const port = await openFree(io);
    const [x, y] = [await peer(t), await peer(t)];
    for (const exclusive of [false, true]) {
      io.setPeer(port, LOCALHOST, y.address().port, exclusive);
      const answers = collect(y, 2);
      onBatch((batch) => {
        assert.equal(batch.count, 1);
        assert.equal(batch.fromPeer[0], exclusive ? 1 : 0);
        const [at, length] = [batch.offset[0]!, batch.length[0]!];
        io.send(port, at, length);
        const copy = io.reserve(length);
        batch.bytes.copyWithin(copy, at, at + length);
        batch.bytes[copy] = 0x42;
        io.send(port, copy, length);
      });
      (exclusive ? y : x).send("Aaa", io.localPort(port), LOCALHOST);
      const seen = await answers;
      assert.deepEqual(
        seen.map((one) => `${one.from.port} ${one.text}`),
        [`${io.localPort(port)} Aaa`, `${io.localPort(port)} Baa`],
      );
    }
  });

  test(`${name}: an exclusive peer is the only one heard, until it is cleared`, async (t) => {
    const { io, received } = start(t, create);
    const port = await openFree(io);
    const [x, y] = [await peer(t), await peer(t)];
    io.setPeer(port, LOCALHOST, x.address().port, true);
    y.send("stranger", io.localPort(port), LOCALHOST);
    x.send("peer", io.localPort(port), LOCALHOST);
    assert.match((await received(1))[0]!, /peer$/);
    io.clearPeer(port);
    y.send("now welcome", io.localPort(port), LOCALHOST);
    assert.match((await received(1))[0]!, /now welcome$/);
    io.setPeer(port, LOCALHOST, y.address().port, true);
    x.send("stranger", io.localPort(port), LOCALHOST);
    y.send("new peer", io.localPort(port), LOCALHOST);
    assert.match((await received(1))[0]!, /new peer$/);
  });

  test(`${name}: many sends of one turn keep their content and order`, async (t) => {
    const { io, onBatch } = start(t, create);
    const port = await openFree(io);
    const x = await peer(t);
    io.setPeer(port, LOCALHOST, x.address().port, true);
    const answers = collect(x, 100);
    onBatch((batch) => {
      for (let i = 0; i < 100; i++) {
        const at = io.reserve(300);
        batch.bytes.fill(i, at, at + 300);
        io.send(port, at, 300);
      }
    });
    x.send("go", io.localPort(port), LOCALHOST);
    (await answers).forEach((one, i) => {
      assert.deepEqual(one.bytes, Buffer.alloc(300, i));
    });
  });

  test(`${name}: a turn that wants more than the slab holds is told so, and the next one is not`, async (t) => {
    const { io, onBatch } = start(t, create);
    const port = await openFree(io);
    const x = await peer(t);
    let reserved = 0;
    onBatch(() => {
      while (io.reserve(MAX_PACKET_BYTES) >= 0) reserved++;
    });
    x.send("go", io.localPort(port), LOCALHOST);
    await until(t, () => reserved > 0);
    assert.ok(reserved >= 256, `${reserved}`);
    assert.equal(io.counters.slabOverflow, 1);
    const first = reserved;
    x.send("go", io.localPort(port), LOCALHOST);
    await until(t, () => reserved > first);
    assert.equal(reserved, 2 * first);
  });

  test(`${name}: a port in use is refused as such, and closing frees it under traffic`, async (t) => {
    const { io, received } = start(t, create);
    const port = await openFree(io);
    const number = io.localPort(port);
    await assert.rejects(
      io.open(LOCALHOST, number),
      (error: unknown) => error instanceof ListenError && error.inUse,
    );
    await assert.rejects(
      io.open("192.0.2.254", number),
      (error: unknown) => error instanceof ListenError && !error.inUse,
    );
    const x = await peer(t);
    const traffic = setInterval(() => x.send("traffic", number, LOCALHOST), 1);
    t.after(() => clearInterval(traffic));
    await received(3);
    for (let i = 0; i < 5; i++) {
      await io.close(port);
      io.send(port, 0, 10);
      assert.equal(await io.open(LOCALHOST, number), port);
      await received(1);
    }
  });

  test(`${name}: nobody listening at an exclusive peer is told, and the port lives on`, async (t) => {
    const { io, onBatch, unreachable, received } = start(t, create);
    const port = await openFree(io);
    const gone = await peer(t);
    const number = gone.address().port;
    gone.close();
    await once(gone, "close");
    const x = await peer(t);
    io.setPeer(port, LOCALHOST, number, true);
    const other = await openFree(io);
    onBatch(() => {
      const at = io.reserve(4);
      io.send(port, at, 4);
    });
    x.send("go", io.localPort(other), LOCALHOST);
    assert.equal(await unreachable(), port);
    onBatch(undefined);
    io.setPeer(port, LOCALHOST, x.address().port, true);
    x.send("still here", io.localPort(port), LOCALHOST);
    assert.match((await received(1)).at(-1)!, /still here$/);
  });

  test(`${name}: wake-ups come at the time asked for, the last request counts, and messages are delivered`, async (t) => {
    const { io, woken } = start(t, create);
    const from = performance.now();
    io.wakeAt(from + 60_000);
    io.wakeAt(from + 10);
    assert.ok((await woken()) >= from + 10);
    const { port1, port2 } = new MessageChannel();
    const message = new Promise((resolve) => {
      io.listen(port2, resolve);
    });
    port1.postMessage({ hello: 1 });
    assert.deepEqual(await message, { hello: 1 });
  });

  test(`${name}: what a message made it send has left when the next message is delivered`, {
    skip: process.platform !== "linux" && "needs /proc/net/udp",
  }, async (t) => {
    const { io } = start(t, create);
    const port = await openFree(io);
    const x = await peer(t);
    const number = x.address().port;
    io.setPeer(port, LOCALHOST, number, true);
    let heard = 0;
    x.on("message", () => heard++);
    const { port1, port2 } = new MessageChannel();
    const asked = new Promise<boolean>((resolve) => {
      io.listen(port2, (message) => {
        if (message === "send") io.send(port, io.reserve(100), 100);
        else resolve(heard > 0 || waitingAt(number) > 0);
      });
    });
    port1.postMessage("send");
    port1.postMessage("ask");
    assert.ok(await asked);
  });
}

/** Octets that wait in a UDP socket of the system, asked for without a turn of the event loop. */
function waitingAt(port: number): number {
  const place = `:${port.toString(16).toUpperCase().padStart(4, "0")} `;
  const line = readFileSync("/proc/net/udp", "utf8")
    .split("\n")
    .find((one) => one.slice(0, 24).includes(place));
  return Number.parseInt(/ [0-9A-F]{8}:([0-9A-F]{8}) /.exec(line ?? "")?.[1] ?? "0", 16);
}

/** Traffic and change at the same time, and more traffic than there is room for. */
export function testPacketIoUnderLoad(name: string, create: () => PacketIo): void {
  test(`${name}: packets behind the one that made its source the peer are marked as the peer's`, async (t) => {
    const { io, onBatch } = start(t, create);
    const port = await openFree(io);
    const [x, y] = [await peer(t), await peer(t)];
    const marks: string[] = [];
    onBatch((batch) => {
      for (let i = 0; i < batch.count; i++) {
        const isX = batch.sourcePort(i) === x.address().port;
        if (marks.length === 0) io.setPeer(port, LOCALHOST, batch.sourcePort(i), true);
        else marks.push(`${isX ? "x" : "y"}${batch.fromPeer[i]}`);
        if (marks.length === 0) marks.push("first");
      }
    });
    for (let i = 0; i < 10; i++) {
      x.send("from x", io.localPort(port), LOCALHOST);
      if (i === 5) y.send("from y", io.localPort(port), LOCALHOST);
    }
    await until(t, () => marks.filter((mark) => mark === "x1").length === 9);
    assert.ok(!marks.includes("x0") && !marks.includes("y1"), marks.join(" "));
  });

  test(`${name}: a run of segments arrives as packets of their own`, async (t) => {
    const { io, onBatch } = start(t, create);
    const port = await openFree(io);
    const [x, y] = [await peer(t), await peer(t)];
    for (const exclusive of [false, true]) {
      io.setPeer(port, LOCALHOST, x.address().port, exclusive);
      const answers = collect(x, 6);
      onBatch((batch) => {
        const at = io.reserve(5 * 172);
        for (let i = 0; i < 5; i++) batch.bytes.fill(i, at + i * 172, at + (i + 1) * 172);
        io.sendSegments(port, at, 5 * 172, 172);
        const alone = io.reserve(100);
        batch.bytes.fill(5, alone, alone + 100);
        io.sendSegments(port, alone, 100, 100);
      });
      (exclusive ? x : y).send("go", io.localPort(port), LOCALHOST);
      assert.deepEqual(
        (await answers).map((one) => one.bytes),
        [0, 1, 2, 3, 4, 5].map((i) => Buffer.alloc(i === 5 ? 100 : 172, i)),
      );
    }
  });

  test(`${name}: a flood of one port, from strangers and of all sizes, changes nothing on another`, async (t) => {
    const { io, onBatch } = start(t, create);
    const [calm, flooded] = [await openFree(io), await openFree(io)];
    const [x, stranger] = [await peer(t), await peer(t)];
    let seen = 0;
    onBatch((batch) => {
      for (let i = 0; i < batch.count; i++) {
        if (batch.port[i] === flooded) seen++;
        else io.send(calm, batch.offset[i]!, batch.length[i]!);
      }
    });
    io.setPeer(calm, LOCALHOST, x.address().port, true);
    const sizes = [0, 11, 12, 1500, 65_507].map((length) => Buffer.alloc(length, 0x80));
    for (let i = 0; i < 200; i++) {
      for (let k = 0; k < 20; k++) stranger.send(sizes[k % 5]!, io.localPort(flooded), LOCALHOST);
      const answer = collect(x, 1);
      x.send(`calm ${i}`, io.localPort(calm), LOCALHOST);
      assert.equal((await answer)[0]!.text, `calm ${i}`);
    }
    await until(t, () => seen > 0 && io.counters.oversized > 0);
  });

  test(`${name}: packets of a batch stay as they are while sends and peers fill the way out many times over`, async (t) => {
    const { io, onBatch } = start(t, create);
    const port = await openFree(io);
    // It sends to ourselves: what arrives meanwhile wants room too.
    const [other, noisy] = [await openFree(io), await openFree(io)];
    const [x, y] = [await peer(t), await peer(t)];
    const seen: string[] = [];
    let flip = 0;
    onBatch((batch) => {
      for (let i = 0; i < batch.count; i++) {
        if (batch.port[i] !== port) continue;
        for (let k = 0; k < 10; k++) {
          const at = io.reserve(16);
          if (at >= 0) io.send(other, at, 16);
        }
        io.setPeer(other, LOCALHOST, flip++ % 2 === 0 ? y.address().port : io.localPort(noisy), false);
        const at = batch.offset[i]!;
        seen.push(Buffer.from(batch.bytes.subarray(at, at + batch.length[i]!)).toString());
      }
    });
    io.setPeer(other, LOCALHOST, io.localPort(noisy), false);
    const sent: string[] = [];
    for (let round = 0; round < 20; round++) {
      for (let i = 0; i < 20; i++) {
        sent.push(`${round} ${i} ${"z".repeat(i)}`);
        x.send(sent.at(-1)!, io.localPort(port), LOCALHOST);
      }
      await until(t, () => seen.length === sent.length);
    }
    assert.deepEqual(seen, sent);
  });

  test(`${name}: what a full queue could keep of an overload is whole and in order, and all goes on`, async (t) => {
    const { io, received } = start(t, create);
    const port = await openFree(io);
    const x = await peer(t);
    for (let i = 0; i < 3000; i++) x.send(`${i}`.padStart(200), io.localPort(port), LOCALHOST);
    // One of them will find room.
    const ends = setInterval(() => x.send("end".padStart(200), io.localPort(port), LOCALHOST), 10);
    t.after(() => clearInterval(ends));
    const numbers: number[] = [];
    for (;;) {
      const text = (await received(1))[0]!.slice(-200).trim();
      if (text === "end") break;
      numbers.push(Number(text));
    }
    assert.ok(numbers.length > 0);
    assert.deepEqual(
      numbers,
      numbers.toSorted((a, b) => a - b),
    );
  });

  test(`${name}: thousands of ports are opened and closed while traffic runs, and nothing is left of them`, async (t) => {
    const { io, onBatch } = start(t, create);
    const steady = await openFree(io);
    const x = await peer(t);
    io.setPeer(steady, LOCALHOST, x.address().port, true);
    onBatch((batch) => {
      for (let i = 0; i < batch.count; i++) {
        if (batch.port[i] === steady) io.send(steady, batch.offset[i]!, batch.length[i]!);
      }
    });
    let [turns, wrong, running] = [0, 0, true];
    x.on("message", (bytes) => {
      if (bytes.toString() !== `turn ${turns++}`) wrong++;
      if (running) x.send(`turn ${turns}`, io.localPort(steady), LOCALHOST);
    });
    x.send("turn 0", io.localPort(steady), LOCALHOST);
    const before = openDescriptors();
    let next = 42_000;
    for (let wave = 0; wave < 20; wave++) {
      const ports: PortIndex[] = [];
      while (ports.length < 100) {
        try {
          ports.push(await io.open(LOCALHOST, next++));
        } catch (error) {
          if (!(error instanceof ListenError && error.inUse)) throw error;
        }
        if (next === 48_000) next = 42_000;
      }
      for (const port of ports) {
        io.setPeer(port, LOCALHOST, x.address().port, port % 2 === 0);
        x.send("to one that is about to close", io.localPort(port), LOCALHOST);
      }
      await Promise.all(ports.map((port) => io.close(port)));
      const seen = turns;
      await until(t, () => turns > seen);
    }
    running = false;
    assert.equal(wrong, 0);
    assert.equal(openDescriptors(), before);
  });

  test(`${name}: after stop, under traffic, nothing is left open`, async (t) => {
    const before = openDescriptors();
    const io = create();
    io.attach({ onBatch() {}, onWake() {}, onUnreachable() {} });
    const ports = [await openFree(io), await openFree(io), await openFree(io)];
    const x = await peer(t);
    const numbers = ports.map((port) => io.localPort(port));
    const traffic = setInterval(() => {
      for (const number of numbers) x.send("traffic", number, LOCALHOST);
    }, 1);
    t.after(() => clearInterval(traffic));
    await until(t, () => io.counters.received > 10);
    await io.stop();
    await io.stop();
    // Whoever has not heard of it does no harm.
    io.send(ports[0]!, io.reserve(10), 10);
    io.sendSegments(ports[1]!, 0, 20, 10);
    io.wakeAt(0);
    await io.close(ports[2]!);
    clearInterval(traffic);
    x.close();
    await until(t, () => openDescriptors() === before);
  });
}

function openDescriptors(): number {
  return readdirSync("/proc/self/fd").length;
}

/** A port of a number that nobody has: 0 is no number a `PacketIo` knows. */
async function openFree(io: PacketIo): Promise<PortIndex> {
  for (;;) {
    const probe = createSocket("udp4");
    probe.bind(0, LOCALHOST);
    await once(probe, "listening");
    const { port } = probe.address();
    probe.close();
    await once(probe, "close");
    try {
      return await io.open(LOCALHOST, port);
    } catch (error) {
      if (!(error instanceof ListenError && error.inUse)) throw error;
    }
  }
}

interface Started {
  readonly io: PacketIo;
  /** Replaces what is done with a batch; without, packets are kept for `received`. */
  onBatch(run: Parameters<PacketIo["attach"]>[0]["onBatch"] | undefined): void;
  /** The next `count` packets as "port address:port text". */
  received(count: number): Promise<string[]>;
  unreachable(): Promise<PortIndex>;
  woken(): Promise<number>;
}

function start(t: TestContext, create: () => PacketIo): Started {
  const io = create();
  t.after(() => io.stop());
  const packets: string[] = [];
  const refused: PortIndex[] = [];
  const wakes: number[] = [];
  let run: Parameters<PacketIo["attach"]>[0]["onBatch"] | undefined;
  io.attach({
    onBatch(batch) {
      if (run !== undefined) return run(batch);
      for (let i = 0; i < batch.count; i++) {
        const at = batch.offset[i]!;
        const text = Buffer.from(batch.bytes.subarray(at, at + batch.length[i]!)).toString("latin1");
        packets.push(`${batch.port[i]} ${batch.sourceAddress(i)}:${batch.sourcePort(i)} ${text}`);
      }
    },
    onUnreachable: (port) => refused.push(port),
    onWake: (now) => wakes.push(now),
  });
  return {
    io,
    onBatch: (next) => {
      run = next;
    },
    async received(count) {
      await until(t, () => packets.length >= count);
      return packets.splice(0, count);
    },
    async unreachable() {
      await until(t, () => refused.length > 0);
      return refused.shift()!;
    },
    async woken() {
      await until(t, () => wakes.length > 0);
      return wakes.shift()!;
    },
  };
}

/** Lets the loop turn until something has happened; the runner's time-out ends it when nothing does. */
async function until(t: TestContext, happened: () => boolean): Promise<void> {
  while (!happened()) {
    t.signal.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

async function peer(t: TestContext): Promise<Socket> {
  const socket = createSocket("udp4");
  t.after(() => {
    try {
      socket.close();
    } catch {
      // The test closed it.
    }
  });
  socket.bind(0, LOCALHOST);
  await once(socket, "listening");
  return socket;
}

interface Datagram {
  readonly bytes: Buffer;
  readonly text: string;
  readonly from: RemoteInfo;
}

function collect(socket: Socket, count: number): Promise<Datagram[]> {
  const seen: Datagram[] = [];
  return new Promise((resolve) => {
    const take = (bytes: Buffer, from: RemoteInfo): void => {
      seen.push({ bytes, text: bytes.toString("latin1"), from });
      if (seen.length < count) return;
      socket.off("message", take);
      resolve(seen);
    };
    socket.on("message", take);
  });
}
