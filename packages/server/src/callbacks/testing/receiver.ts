import { createServer, type IncomingHttpHeaders, type RequestListener, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";

export interface ReceivedRequest {
  readonly method: string;
  /** As on the wire. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** How a receiver answers; a function gets the request and its number, from 1. `hang`: not at all. */
export type Answer =
  | {
      readonly status?: number;
      readonly headers?: Record<string, string>;
      readonly body?: string | Uint8Array;
    }
  | "hang";

export interface Receiver {
  readonly port: number;
  readonly origin: string;
  readonly requests: readonly ReceivedRequest[];
  /** Resolves when so many requests have come. */
  received(count: number): Promise<void>;
  close(): Promise<void>;
}

/** A customer's web server on 127.0.0.1. */
export async function startReceiver(
  answer: Answer | ((request: ReceivedRequest, number: number) => Answer | Promise<Answer>) = {},
  tls?: { readonly key: string; readonly cert: string },
): Promise<Receiver> {
  const requests: ReceivedRequest[] = [];
  let waiting: { count: number; resolve: () => void }[] = [];
  const listener: RequestListener = async (incoming, outgoing) => {
    incoming.setEncoding("utf8");
    let body = "";
    for await (const chunk of incoming) body += chunk;
    const { method = "", url = "", headers } = incoming;
    const request = { method, path: url, headers, body };
    requests.push(request);
    waiting = waiting.filter(({ count, resolve }) => {
      if (requests.length >= count) resolve();
      return requests.length < count;
    });
    const chosen = typeof answer === "function" ? await answer(request, requests.length) : answer;
    if (chosen === "hang") return;
    outgoing.writeHead(chosen.status ?? 200, chosen.headers).end(chosen.body ?? "");
  };
  const server: Server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    origin: `http${tls === undefined ? "" : "s"}://127.0.0.1:${port}`,
    requests,
    received: (count) =>
      new Promise((resolve) => {
        if (requests.length >= count) resolve();
        else waiting.push({ count, resolve });
      }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** A port on 127.0.0.1 that nobody listens on. */
export async function closedPort(): Promise<number> {
  const receiver = await startReceiver();
  await receiver.close();
  return receiver.port;
}
