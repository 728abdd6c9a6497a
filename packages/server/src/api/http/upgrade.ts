import type { IncomingMessage, Server } from "node:http";
import type { Socket } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import type { Principal } from "../ports.ts";
import type { Gate } from "./auth.ts";
import { errorBody, errorHeaders, platformErrorOf } from "./error-body.ts";
import { InternalError, MalformedRequestError, NotFoundError } from "./errors.ts";
import { type Form, FormProblem, parseForm } from "./form.ts";

/** Whoever connects listens; what it says is not awaited. */
const MAX_MESSAGE_BYTES = 64 * 1024;

export interface UpgradeAsk {
  readonly principal: Principal;
  /** Path without query. */
  readonly path: string;
  readonly query: Form;
  /** Where the request came from: an IP address. */
  readonly address: string;
}

/**
 * Decides over a request for a WebSocket before it is granted. Throws the error that answers it.
 *
 * @returns what to do with the socket; undefined when there is nothing at that path
 */
export type UpgradeHandler = (ask: UpgradeAsk) => Promise<((socket: WebSocket) => void) | undefined>;

/** WebSockets beside the routes: the same credentials, limits and errors. */
export class Upgrades {
  readonly #gate: Gate;
  readonly #handler: UpgradeHandler;
  readonly #bodyBytes: number;
  readonly #upgrader = new WebSocketServer({
    noServer: true,
    clientTracking: true,
    perMessageDeflate: false,
    maxPayload: MAX_MESSAGE_BYTES,
  });

  constructor(options: {
    readonly gate: Gate;
    readonly handler: UpgradeHandler;
    readonly bodyBytes: number;
  }) {
    this.#gate = options.gate;
    this.#handler = options.handler;
    this.#bodyBytes = options.bodyBytes;
  }

  attach(server: Server): void {
    server.on("upgrade", (request: IncomingMessage, socket: Socket, head: Buffer) => {
      // A peer that leaves in the middle is nobody's fault.
      socket.on("error", () => socket.destroy());
      this.#take(request, socket, head).catch((error: unknown) => this.#refuse(socket, error));
    });
  }

  /** Lets go of everybody: the node stops. */
  close(): void {
    for (const socket of this.#upgrader.clients) socket.close(1001, "the node stops");
  }

  async #take(request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    const [path = "", query = ""] = (request.url ?? "").split("?", 2);
    const secFetchSite = request.headers["sec-fetch-site"];
    const address = request.socket.remoteAddress ?? "";
    const principal = await this.#gate.admit({
      // To listen is to read, but a page of another site must not do it with a browser's credentials.
      method: "POST",
      address,
      authorization: request.headers.authorization,
      secFetchSite: Array.isArray(secFetchSite) ? secFetchSite[0] : secFetchSite,
    });
    const form = parseForm(query);
    if (form instanceof FormProblem) throw new MalformedRequestError(form.message);
    const take = await this.#handler({ principal, path, query: form, address });
    if (take === undefined) throw new NotFoundError(path);
    this.#upgrader.handleUpgrade(request, socket, head, take);
  }

  #refuse(socket: Socket, error: unknown): void {
    if (socket.destroyed) return;
    const known =
      platformErrorOf(error, this.#bodyBytes) ?? new InternalError("unexpected", { cause: error });
    const body = JSON.stringify(errorBody(known));
    const headers = {
      ...errorHeaders(known),
      "content-type": "application/json; charset=utf-8",
      "content-length": String(Buffer.byteLength(body)),
      connection: "close",
    };
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
    socket.end([`HTTP/1.1 ${known.httpStatus} Refused`, ...lines, "", body].join("\r\n"));
  }
}
