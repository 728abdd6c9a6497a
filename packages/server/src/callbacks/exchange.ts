import { rootCertificates } from "node:tls";
import { Client } from "undici";
import { WebhookError, type WebhookFailure } from "./errors.ts";
import { failureOf, type Progress } from "./failures.ts";
import type { ConnectionPolicy } from "./overrides.ts";
import type { Target } from "./target.ts";
import type { WebhookClock } from "./types.ts";

const HEADER_OCTETS = 16_384;

export interface ExchangeRequest {
  readonly target: Target;
  readonly method: "GET" | "POST";
  readonly headers: Readonly<Record<string, string>>;
  /** A form; undefined for GET. */
  readonly body: string | undefined;
  readonly maximumBytes: number;
}

export interface ExchangeContext {
  readonly clock: WebhookClock;
  readonly policy: ConnectionPolicy;
  /** The request's end, for whatever reason; its reason is what the exchange rejects with. */
  readonly signal: AbortSignal;
  /** Checked addresses of the target's host, best first; @throws `WebhookError` */
  addressesOf(target: Target): Promise<readonly string[]>;
  readonly certificateAuthorities: readonly string[];
}

export interface ExchangeResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Uint8Array;
  readonly truncated: boolean;
}

/** One request and its response, on a connection of its own. */
export async function exchange(
  request: ExchangeRequest,
  context: ExchangeContext,
): Promise<ExchangeResponse> {
  const { target } = request;
  const watch = new Watch(context);
  let client: Client | undefined;
  try {
    // What was checked is what is connected to: nobody looks the name up a second time.
    const addresses = await watch.guard(context.addressesOf(target));
    client = openClient(target, addresses, context);
    client.once("connect", () => watch.connected());
    const response = await client.request({
      path: target.path,
      method: request.method,
      headers: request.headers,
      body: request.body ?? null,
      reset: true,
      signal: watch.signal,
    });
    watch.heard();
    const encoding = response.headers["content-encoding"];
    if (encoding !== undefined && encoding !== "" && encoding !== "identity")
      throw new WebhookError("protocol", `the body is encoded as ${encoding}, which was not asked for`);
    const { body, truncated } = await read(response.body, request.maximumBytes, watch);
    return { status: response.statusCode, headers: response.headers, body, truncated };
  } catch (error) {
    if (watch.signal.aborted) throw watch.signal.reason;
    throw failureOf(error, watch.progress, target.protocol);
  } finally {
    watch.stop();
    await client?.destroy().catch(() => {});
  }
}

function openClient(target: Target, addresses: readonly string[], context: ExchangeContext): Client {
  const pinned = addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
  const { certificateAuthorities } = context;
  return new Client(target.origin, {
    allowH2: false,
    maxHeaderSize: HEADER_OCTETS,
    // The watch keeps all times.
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: {
      timeout: 0,
      lookup: (_host, options, callback) => {
        if (options.all === true) callback(null, pinned);
        else callback(null, pinned[0]!.address, pinned[0]!.family);
      },
      ...(certificateAuthorities.length > 0 ? { ca: [...rootCertificates, ...certificateAuthorities] } : {}),
    },
  });
}

async function read(
  stream: AsyncIterable<Uint8Array>,
  maximumBytes: number,
  watch: Watch,
): Promise<{ body: Uint8Array; truncated: boolean }> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  let truncated = false;
  for await (const chunk of stream) {
    watch.heard();
    const room = maximumBytes - length;
    chunks.push(chunk.length > room ? chunk.subarray(0, room) : chunk);
    length += Math.min(chunk.length, room);
    truncated = chunk.length > room;
    if (truncated) break;
  }
  return { body: new Uint8Array(Buffer.concat(chunks, length)), truncated };
}

/** Keeps the connect and read times of one exchange. */
class Watch {
  readonly #context: ExchangeContext;
  readonly #own = new AbortController();
  readonly signal: AbortSignal;
  progress: Progress = "connecting";
  #timer: { cancel(): void };

  constructor(context: ExchangeContext) {
    this.#context = context;
    this.signal = AbortSignal.any([context.signal, this.#own.signal]);
    const { connectTimeoutMs } = context.policy;
    this.#timer = this.#after(
      connectTimeoutMs,
      "connectTimeout",
      `no connection within ${connectTimeoutMs} ms`,
    );
  }

  connected(): void {
    this.progress = "connected";
    this.heard();
  }

  /** Something arrived: the wait for the next begins. */
  heard(): void {
    this.#timer.cancel();
    if (this.signal.aborted) return;
    const { readTimeoutMs } = this.#context.policy;
    this.#timer = this.#after(readTimeoutMs, "readTimeout", `nothing came for ${readTimeoutMs} ms`);
  }

  /** A promise that cannot be aborted, abandoned when the time is up. */
  guard<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const abandon = () => reject(this.signal.reason);
      if (this.signal.aborted) abandon();
      this.signal.addEventListener("abort", abandon, { once: true });
      promise.then(resolve, reject).finally(() => this.signal.removeEventListener("abort", abandon));
    });
  }

  stop(): void {
    this.#timer.cancel();
  }

  #after(ms: number, failure: WebhookFailure, message: string): { cancel(): void } {
    return this.#context.clock.setTimer(ms, () => this.#own.abort(new WebhookError(failure, message)));
  }
}
