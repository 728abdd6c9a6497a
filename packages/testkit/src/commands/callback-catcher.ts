import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import twilio from "twilio";

/** One callback as it came. */
export interface CaughtCallback {
  readonly parameters: Readonly<Record<string, string>>;
  /** Whether the official helper library accepts its X-Twilio-Signature. */
  readonly signed: boolean;
}

const MAXIMUM_BODY = 65_536;

/** A customer's webhook server, small: takes form POSTs, checks their signatures, answers 204. */
export class CallbackCatcher {
  readonly #server: Server;
  readonly #authToken: string;
  readonly #caught: CaughtCallback[] = [];
  readonly #waiting = new Set<() => void>();

  private constructor(server: Server, authToken: string) {
    this.#server = server;
    this.#authToken = authToken;
    server.on("request", (request, response) => {
      this.#take(request).then(
        () => response.writeHead(204).end(),
        () => response.writeHead(400).end(),
      );
    });
  }

  static async open(authToken: string): Promise<CallbackCatcher> {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new CallbackCatcher(server, authToken);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/callbacks`;
  }

  get caught(): readonly CaughtCallback[] {
    return this.#caught;
  }

  /** Resolves with the first callback that `wanted` accepts; undefined after `limitMs`. */
  async waitFor(
    wanted: (caught: CaughtCallback) => boolean,
    limitMs: number,
  ): Promise<CaughtCallback | undefined> {
    const deadline = AbortSignal.timeout(limitMs);
    for (;;) {
      const found = this.#caught.find(wanted);
      if (found !== undefined || deadline.aborted) return found;
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          this.#waiting.delete(wake);
          resolve();
        };
        this.#waiting.add(wake);
        deadline.addEventListener("abort", wake, { once: true });
      });
    }
  }

  async close(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, "close");
  }

  async #take(request: IncomingMessage): Promise<void> {
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of request as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > MAXIMUM_BODY) throw new Error("too large");
      chunks.push(chunk);
    }
    const parameters = Object.fromEntries(new URLSearchParams(Buffer.concat(chunks).toString("utf8")));
    const signature = String(request.headers["x-twilio-signature"] ?? "");
    const signed = twilio.validateRequest(this.#authToken, signature, this.url, parameters);
    this.#caught.push({ parameters, signed });
    for (const wake of this.#waiting) wake();
  }
}
