import { once } from "node:events";
import { createServer } from "node:net";
import type { TestContext } from "node:test";
import type { Log } from "../../observe/index.ts";
import { createSipTransports, type SipTransportsOptions } from "../sip-transports.ts";
import { TransportError } from "../transport-error.ts";
import type { SipFlow, SipTransports } from "../types.ts";

export const LOCALHOST = "127.0.0.1";
export const quiet: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet };

export interface Heard {
  readonly text: string;
  readonly flow: SipFlow;
}

export interface OpenTransports {
  readonly transports: SipTransports;
  message(): Promise<Heard>;
  closed(): Promise<SipFlow>;
  /** Why the connections closed so far; undefined for an orderly end. */
  readonly causes: (TransportError | undefined)[];
  failed(): Promise<{ code: string; flow: SipFlow }>;
}

/** Transports on loopback whose messages, errors and closings can be waited for, one at a time and in order. */
export async function open(
  t: Pick<TestContext, "after">,
  options: Partial<SipTransportsOptions> = {},
): Promise<OpenTransports> {
  const transports = await createSipTransports({
    listen: [
      { transport: "udp", address: LOCALHOST, port: 0 },
      { transport: "tcp", address: LOCALHOST, port: 0 },
    ],
    log: quiet,
    ...options,
  });
  t.after(() => transports.close());
  const messages = queue<Heard>();
  const closings = queue<SipFlow>();
  const causes: (TransportError | undefined)[] = [];
  const failures = queue<{ code: string; flow: SipFlow }>();
  transports.attach({
    onMessage: (bytes, flow) => messages.put({ text: text(bytes), flow }),
    onFlowClosed: (flow, cause) => {
      causes.push(cause);
      closings.put(flow);
    },
    onFramingError: (error, flow) => {
      failures.put({ code: error.code, flow });
      if (error.status !== undefined) {
        transports.send(octets(`SIP/2.0 ${error.status} Bad\r\n\r\n`), flow).catch(() => {});
      }
    },
  });
  return { transports, message: messages.take, closed: closings.take, causes, failed: failures.take };
}

export const request = (name: string): string =>
  `OPTIONS sip:${name}@example.com SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bK${name}\r\n` +
  `From: <sip:a@example.com>;tag=1\r\nTo: <sip:b@example.com>\r\nCall-ID: ${name}\r\nCSeq: 1 OPTIONS\r\n` +
  "Content-Length: 4\r\n\r\nbody";
export const octets = (value: string): Uint8Array => Buffer.from(value, "latin1");
export const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");
export const hasReason = (reason: string) => (error: unknown) =>
  error instanceof TransportError && error.reason === reason && error.fault === "network";

export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, LOCALHOST);
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return address !== null && typeof address === "object" ? address.port : 0;
}

export function queue<T>(): { put(value: T): void; take(): Promise<T> } {
  const values: T[] = [];
  const waiting: ((value: T) => void)[] = [];
  return {
    put(value) {
      const next = waiting.shift();
      if (next === undefined) values.push(value);
      else next(value);
    },
    take: () =>
      values.length > 0
        ? Promise.resolve(values.shift() as T)
        : new Promise((resolve) => waiting.push(resolve)),
  };
}

/** Resolves when a socket is closed, by a reset as well: `once` would reject with the error that comes before. */
export function gone(socket: { once(event: "close", run: () => void): unknown }): Promise<void> {
  return new Promise((resolve) => socket.once("close", () => resolve()));
}
