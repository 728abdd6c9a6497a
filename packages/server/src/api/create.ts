import type { Calls, Forks } from "../calls/index.ts";
import type { Config } from "../config/index.ts";
import type { Log, Metrics } from "../observe/index.ts";
import type { RecordingArchive, RecordingLibrary, RecordingStreams } from "../recording-server/index.ts";
import { Gate } from "./http/auth.ts";
import type { Route } from "./http/route.ts";
import { createHttpServer } from "./http/server.ts";
import { Upgrades } from "./http/upgrade.ts";
import type { ApiStore, CallTraces, Credentials, EdgeView, Readiness } from "./ports.ts";
import { systemRoutes } from "./system.ts";
import { accountRoutes } from "./twilio/accounts.ts";
import { callRoutes } from "./twilio/calls.ts";
import { keyRoutes } from "./twilio/keys.ts";
import { numberRoutes } from "./twilio/numbers.ts";
import { siprecRoutes } from "./twilio/siprec.ts";
import { alertRoutes } from "./v1/alerts.ts";
import { archiveRoutes } from "./v1/archive.ts";
import { connectorRoutes } from "./v1/connectors.ts";
import { edgeRoutes } from "./v1/edges.ts";
import { recordingRoutes } from "./v1/recordings.ts";
import { listenHandler, streamRoutes } from "./v1/streams.ts";
import { traceRoutes } from "./v1/traces.ts";
import { trunkRoutes } from "./v1/trunks.ts";
import { wholeRoutes } from "./v1/whole.ts";

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
  readonly archive: RecordingArchive;
  readonly streams: RecordingStreams;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly config: Pick<Config, "httpListen" | "publicUrl">;
  readonly readiness: () => Readiness | Promise<Readiness>;
  readonly version: string;
  readonly trace?: CallTraces | undefined;
  /** None by default. */
  readonly edges?: readonly EdgeView[];
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

const LIMITS: ApiLimits = {
  requestsPerSecond: 200,
  requestBurst: 400,
  failedLogins: 20,
  bodyBytes: 256 * 1024,
};

/** How long requests that are under way may take when the node stops. */
const CLOSE_LIMIT_MS = 2_000;

/** The REST interface of one node. */
export async function createApi(options: ApiOptions): Promise<ApiServer> {
  const {
    store,
    credentials,
    calls,
    forks,
    recordings,
    archive,
    streams,
    trace,
    readiness,
    metrics,
    log,
    config,
    version,
    edges = [],
  } = options;
  const limits = { ...LIMITS, ...options.limits };
  let base = config.publicUrl;
  const gate = new Gate({ ...limits, credentials, now: options.now ?? (() => performance.now()) });
  const own = { store, base: () => base };
  const isEdge = (name: string): boolean => edges.some((edge) => edge.name === name.toLowerCase());
  const routes: readonly Route[] = [
    ...systemRoutes({ store, readiness, metrics, version, openApi: () => app.swagger() }),
    ...accountRoutes({ store }),
    ...callRoutes({ store, calls }),
    ...siprecRoutes({ store, forks, isEdge }),
    ...numberRoutes({ store }),
    ...keyRoutes({ store }),
    ...connectorRoutes({ ...own, isEdge }),
    ...edgeRoutes({ edges, base: () => base }),
    ...trunkRoutes(own),
    ...recordingRoutes({ recordings, archive, base: () => base }),
    ...wholeRoutes({ recordings, archive, base: () => base }),
    ...archiveRoutes({ archive, base: () => base }),
    ...streamRoutes({ recordings, archive, streams, base: () => base }),
    ...alertRoutes(own),
    ...(trace === undefined ? [] : traceRoutes({ trace })),
  ];
  const upgrades = new Upgrades({
    gate,
    handler: listenHandler(streams, archive),
    bodyBytes: limits.bodyBytes,
  });
  const app = await createHttpServer({ routes, gate, log, metrics, bodyBytes: limits.bodyBytes, version });

  return {
    async listen() {
      const { address: host, port: wanted } = config.httpListen;
      upgrades.attach(app.server);
      await app.listen({ host, port: wanted });
      const bound = app.server.address();
      const { address, port } =
        typeof bound === "object" && bound !== null ? bound : { address: host, port: wanted };
      // Links that were to name port 0 name the real one.
      if (wanted === 0) base = base.replace(/:0$/, `:${port}`);
      const name = address === "0.0.0.0" || address === "::" ? "localhost" : address;
      return { address, port, url: `http://${name.includes(":") ? `[${name}]` : name}:${port}` };
    },
    async close() {
      upgrades.close();
      // Whoever is slow with a request, or with reading an answer, must not keep the node from stopping.
      const limit = setTimeout(() => app.server.closeAllConnections(), CLOSE_LIMIT_MS);
      await app.close();
      clearTimeout(limit);
    },
    async inject(request) {
      const { payload, headers, remoteAddress, method, url } = request;
      return await app.inject({
        method,
        url,
        ...(headers === undefined ? {} : { headers }),
        ...(payload === undefined ? {} : { payload }),
        ...(remoteAddress === undefined ? {} : { remoteAddress }),
      });
    },
  };
}
