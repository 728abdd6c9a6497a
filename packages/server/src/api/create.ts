import type { Calls, Forks } from "../calls/index.ts";
import type { Config } from "../config/index.ts";
import type { Log, Metrics } from "../observe/index.ts";
import type { RecordingLibrary } from "../recording-server/index.ts";
import type { ApiStore, Credentials } from "./ports.ts";

/** Whether this node can do its work; `checks` names what was looked at. */
export interface Readiness {
  readonly ready: boolean;
  readonly checks: Readonly<Record<string, boolean>>;
}

/** The SIP messages of a call and its forks, in order; `undefined`: no such call in that account. */
export interface CallTraces {
  trace(accountSid: string, callSid: string): Promise<object | undefined>;
}

export interface ApiLimits {
  /** Requests a second that one principal may send, after a burst. Default 200, burst 400. */
  readonly requestsPerSecond: number;
  readonly requestBurst: number;
  /** Wrong credentials one address may send before it waits; one more every 3 s. Default 20. */
  readonly failedLogins: number;
  /** Octets of a request body. Default 256 KiB. */
  readonly bodyBytes: number;
}

export interface ApiOptions {
  readonly store: ApiStore;
  readonly credentials: Credentials;
  readonly calls: Calls;
  readonly forks: Forks;
  readonly recordings: RecordingLibrary;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly config: Pick<Config, "httpListen" | "publicUrl">;
  readonly readiness: () => Readiness | Promise<Readiness>;
  readonly version: string;
  readonly trace?: CallTraces | undefined;
  readonly limits?: Partial<ApiLimits> | undefined;
  /** Milliseconds on any monotonic clock; rate limits run on it. Default `performance.now`. */
  readonly now?: (() => number) | undefined;
}

export interface ApiServer {
  /** Binds `config.httpListen`; resolves to what it bound (the real port where 0 was asked for). */
  listen(): Promise<{ readonly address: string; readonly port: number; readonly url: string }>;
  /** No new connections; resolves when the requests in flight are answered. */
  close(): Promise<void>;
  /** One request without a socket, for tests. */
  inject(request: InjectRequest): Promise<InjectResponse>;
}

export interface InjectRequest {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS";
  readonly url: string;
  readonly headers?: Record<string, string>;
  readonly payload?: string;
  readonly remoteAddress?: string;
}

export interface InjectResponse {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string | string[] | number | undefined>>;
  readonly body: string;
  readonly rawPayload: Uint8Array;
  json(): unknown;
}

/** The REST interface of one node. */
export function createApi(options: ApiOptions): Promise<ApiServer> {
  return Promise.reject(new Error(options.version));
}
