import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "./fake-clock.ts";
import { VirtualNetwork, type VirtualNetworkOptions } from "./virtual-network.ts";

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const octets = (line: string): Uint8Array => new TextEncoder().encode(`${line}\r\n`);

async function arrivals(
  transport: "udp" | "tcp",
  conditions: Partial<VirtualNetworkOptions>,
): Promise<string[]> {
  const clock = new FakeClock();
  const network = new VirtualNetwork({ minimumDelayMs: 5, maximumDelayMs: 50, ...conditions, clock });
  const [from, to] = [network.node("10.0.0.1"), network.node("10.0.0.2")];
  const got: string[] = [];
  to.attach({ onMessage: (bytes) => got.push(`${clock.now().toFixed(3)} ${text(bytes).trim()}`) });
  for (let i = 0; i < 50; i++) {
    void from.send(octets(`m${i}`), { transport, address: "10.0.0.2", port: 5060 });
    await clock.advance(10);
  }
  await clock.advance(1_000);
  return got;
}

test("timers run in the order of their instants, and promises settle between two of them", async () => {
  const clock = new FakeClock();
  const ran: string[] = [];
  clock.setTimer(20, () => ran.push("20"));
  clock.setTimer(10, () => {
    ran.push("10a");
    void Promise.resolve().then(() => clock.setTimer(0, () => ran.push("then")));
  });
  clock.setTimer(10, () => ran.push("10b"));
  clock.setTimer(15, () => ran.push("never")).cancel();
  await clock.advance(19);
  assert.deepEqual(ran, ["10a", "10b", "then"]);
  assert.equal(await clock.advanceUntil(() => ran.includes("20"), 100), true);
  assert.equal(clock.now(), 20);
});

test("one seed makes one world: losses, duplicates and order repeat, and another seed makes another", async () => {
  const conditions = { lossChance: 0.2, duplicateChance: 0.2, reorderChance: 0.3 };
  const first = await arrivals("udp", { ...conditions, seed: 7 });
  assert.deepEqual(await arrivals("udp", { ...conditions, seed: 7 }), first);
  assert.notDeepEqual(await arrivals("udp", { ...conditions, seed: 8 }), first);
  const names = first.map((line) => line.split(" ")[1]!);
  assert.ok(new Set(names).size < 50, "nothing was lost");
  assert.ok(names.length > new Set(names).size, "nothing came twice");
  assert.notDeepEqual(
    names,
    names.toSorted((a, b) => Number(a.slice(1)) - Number(b.slice(1))),
  );
});

test("TCP loses nothing and keeps its order; where nobody listens it is refused", async () => {
  const names = (await arrivals("tcp", { lossChance: 0.5, duplicateChance: 0.5, reorderChance: 0.5 })).map(
    (line) => line.split(" ")[1],
  );
  assert.deepEqual(
    names,
    Array.from({ length: 50 }, (_, i) => `m${i}`),
  );
  const clock = new FakeClock();
  const network = new VirtualNetwork({ clock });
  network.node("10.0.0.2", { transports: ["udp"] });
  const sending = network
    .node("10.0.0.1")
    .send(octets("x"), { transport: "tcp", address: "10.0.0.2", port: 5060 });
  const refused = assert.rejects(sending, { code: "SIP_TRANSPORT_FAILED", reason: "refused" });
  await clock.advance(10);
  await refused;
});
