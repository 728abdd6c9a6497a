import { createSocket } from "node:dgram";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";

/** A port of 127.0.0.1 that was free a moment ago, for UDP and TCP alike. */
export async function freePort(): Promise<number> {
  for (;;) {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    const bound = await canBind(port);
    await new Promise((resolve) => server.close(resolve));
    if (bound) return port;
  }
}

/**
 * The first of four ports for RTP and RTCP of two streams that were free a moment ago. They lie below those that the
 * kernel gives away and above those of the servers here, so that nobody gets one of them by chance meanwhile.
 */
export async function freeMediaPort(): Promise<number> {
  for (;;) {
    const first = 24_400 + 4 * Math.floor(Math.random() * 1_900);
    const isFree = await Promise.all([0, 1, 2, 3].map((offset) => canBind(first + offset)));
    if (isFree.every(Boolean)) return first;
  }
}

/** The first of two ports, for UDP and TCP, that were free a moment ago and that the kernel gives to nobody. */
export async function freePortPair(): Promise<number> {
  for (;;) {
    const first = await freeMediaPort();
    const servers = [first, first + 1].map((port) => createServer().listen(port, "127.0.0.1"));
    const listening = await Promise.allSettled(servers.map((server) => once(server, "listening")));
    await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
    if (listening.every(({ status }) => status === "fulfilled")) return first;
  }
}

async function canBind(port: number): Promise<boolean> {
  const socket = createSocket("udp4");
  const bound = await new Promise<boolean>((resolve) => {
    socket.once("error", () => resolve(false));
    socket.bind(port, "127.0.0.1", () => resolve(true));
  });
  if (bound) await new Promise<void>((resolve) => socket.close(resolve));
  return bound;
}

/** Whether some process listens on a port, as Linux tells without anything being sent there. */
export function isListening(transport: "udp" | "tcp", port: number): boolean {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  const state = transport === "udp" ? "07" : "0A";
  return readFileSync(`/proc/net/${transport}`, "utf8")
    .split("\n")
    .some((line) => {
      const [, local = "", , found] = line.trim().split(/\s+/);
      return local.endsWith(`:${hex}`) && found === state;
    });
}
