import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { VoiceName } from "@callfork/testkit";
import twilio from "twilio";
import type { Owner } from "./scratch.ts";
import { TEST_ACCOUNT } from "./server.ts";
import { voiceFile } from "./voices.ts";
import { until } from "./waiting.ts";

/** One request of the platform's. */
export interface Webhook {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  /** From the form, or the query of a GET. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly headers: IncomingMessage["headers"];
  /** Whether the official helper library accepts its X-Twilio-Signature. */
  readonly signed: boolean;
}

/** What a path is answered with; 204 where nothing was said. */
export type Reply =
  | {
      readonly status?: number;
      readonly contentType?: string;
      readonly body?: string;
      readonly headers?: Record<string, string>;
    }
  /** A voice as a WAV file. */
  | { readonly voice: VoiceName }
  | "never";

/** A customer's web server: answers with documents, takes callbacks, checks every signature. */
export class Customer {
  readonly webhooks: Webhook[] = [];
  readonly #server: Server;
  readonly #replies = new Map<string, Reply>();

  private constructor(server: Server) {
    this.#server = server;
    server.on("request", (request, response) => {
      this.#serve(request, response).catch(() => response.destroy());
    });
  }

  static async open(owner: Owner): Promise<Customer> {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const customer = new Customer(server);
    owner.after(async () => {
      server.close();
      server.closeAllConnections();
    });
    return customer;
  }

  /** URL of a path on it. */
  url(path: string): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}${path}`;
  }

  /** From now on that path is answered so. @returns its URL */
  answer(path: string, reply: Reply): string {
    this.#replies.set(path, reply);
    return this.url(path);
  }

  /** A path that serves TwiML. @returns its URL */
  twiml(path: string, document: string): string {
    return this.answer(path, { contentType: "text/xml", body: document });
  }

  /** The first webhook to a path that has these parameters, once it came. */
  async called(path: string, wanted: Readonly<Record<string, string>> = {}): Promise<Webhook> {
    const shown = Object.entries(wanted).map(([name, value]) => `${name}=${value}`);
    return await until(`a webhook to ${path} ${shown.join(" ")}`, () =>
      this.at(path).find(({ parameters }) =>
        Object.entries(wanted).every(([name, value]) => parameters[name] === value),
      ),
    );
  }

  /** What came to a path so far. */
  at(path: string): Webhook[] {
    return this.webhooks.filter((webhook) => webhook.path.split("?")[0] === path);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const { method = "", url: path = "" } = request;
    const url = this.url(path);
    const form = Object.fromEntries(new URLSearchParams(Buffer.concat(chunks).toString("utf8")));
    const signature = String(request.headers["x-twilio-signature"] ?? "");
    const isGet = method === "GET";
    this.webhooks.push({
      method,
      path,
      parameters: isGet ? Object.fromEntries(new URL(url).searchParams) : form,
      headers: request.headers,
      signed: twilio.validateRequest(TEST_ACCOUNT.authToken, signature, url, isGet ? {} : form),
    });
    const reply = this.#replies.get(path.split("?")[0] ?? "") ?? { status: 204 };
    if (reply === "never") return;
    if ("voice" in reply) {
      response.writeHead(200, { "content-type": "audio/wav" }).end(voiceFile(reply.voice));
      return;
    }
    const { status = 200, contentType, body = "", headers } = reply;
    response.writeHead(status, {
      ...headers,
      ...(contentType === undefined ? {} : { "content-type": contentType }),
    });
    response.end(body);
  }
}
