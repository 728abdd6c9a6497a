import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { Random } from "@callfork/protocol/text";
import { createApi } from "../api/index.ts";
import {
  createDocumentFetcher,
  createOutboxWorker,
  createStreamConnector,
  createWebhookClient,
} from "../callbacks/index.ts";
import { createCalls, type Director } from "../calls/index.ts";
import type { Config } from "../config/index.ts";
import { createConnectorDirectory } from "../connectors/index.ts";
import { createMediaPlane } from "../media/index.ts";
import {
  type Clock,
  createResolver,
  createSipDns,
  createSipLocator,
  createSipTransports,
  createSystemClock,
} from "../net/index.ts";
import { createAlerts, createLog, createMetrics, type Log } from "../observe/index.ts";
import { createRecordingClient, type RecordingClient } from "../recording-client/index.ts";
import { createRecordingServer, type RecordingWebhook } from "../recording-server/index.ts";
import { createUserAgent } from "../signalling/index.ts";
import { openStore } from "../store/index.ts";
import { createDirector } from "../verbs/index.ts";
import { clientEdges, edgeListeners, edgeViews, mediaEdges } from "./edges.ts";
import { createEntrance } from "./entrance.ts";
import { packetReport } from "./packet-report.ts";
import { createRecordingArchive, ownRecorder } from "./recording-archive.ts";
import { recordingPolicy } from "./recording-policy.ts";
import { answerOptions, routeInvite } from "./route.ts";
import { type AccountFile, loadMasterKey, previousMasterKeys, writeAccountFile } from "./secrets.ts";
import { VERSION } from "./version.ts";

/** How often levels that nobody counts as they change are read for /metrics. */
const SAMPLE_INTERVAL_MS = 5_000;

/** How long the recorders of live forks may take to answer BYE when the node stops. */
const FORKS_STOP_MS = 3_000;

/** How long the object storage may take with what it was asked when the node stops. */
const ARCHIVE_STOP_MS = 3_000;

/** One running node. */
export interface App {
  /** Base URL of the REST interface as it is bound; undefined without the role "api". */
  readonly url: string | undefined;
  /** What SIP listens on, the real ports where 0 was asked for. */
  readonly sip: readonly { readonly transport: string; readonly address: string; readonly port: number }[];
  /** SIP URI of this node's recorder, for a connector on the same machine; undefined without that role. */
  readonly recorderUri: string | undefined;
  readonly account: AccountFile & { readonly created: boolean };
  readonly recordingsFolder: string;
  readonly liveCalls: number;
  /** No new calls; waits up to `limitMs` for live ones, then ends them with BYE. Repeated calls shorten the wait. */
  stop(limitMs: number): Promise<void>;
}

/** Puts the rooms together as the configuration says. What was opened is closed again when a later step fails. */
export async function startApp(config: Config, options: { readonly log?: Log } = {}): Promise<App> {
  const log = options.log ?? createLog({ level: config.logLevel });
  const opened: (() => Promise<void>)[] = [];
  const closeAll = async (): Promise<void> => {
    for (const close of opened.reverse()) {
      await close().catch((error: unknown) => log.error({ err: error }, "shut-down step failed"));
    }
    opened.length = 0;
  };
  try {
    return await compose(config, log, opened, closeAll);
  } catch (error) {
    await closeAll();
    throw error;
  }
}

async function compose(
  config: Config,
  log: Log,
  opened: (() => Promise<void>)[],
  closeAll: () => Promise<void>,
): Promise<App> {
  const clock = createSystemClock();
  const random: Random = { bytes: (length) => randomBytes(length) };
  const resolver = createResolver();
  const dns = createSipDns({ clock, resolver, servers: config.dns.servers });
  const metrics = createMetrics();

  const masterKey = loadMasterKey(config);
  const store = await openStore({
    file: join(config.dataDir, "callfork.db"),
    masterKey,
    previousMasterKeys: previousMasterKeys(config),
    log,
    now: () => clock.wallNow(),
  });
  opened.push(() => store.close());
  const ensured = await store.accounts.ensureAccount({ sid: config.accountSid, authToken: config.authToken });
  const account: AccountFile = { accountSid: ensured.account.sid, authToken: ensured.authToken };
  writeAccountFile(config.dataDir, account);

  const alerts = createAlerts({ sink: async (alert) => store.alerts.raise(alert), log, metrics });
  opened.push(() => alerts.flush());

  const client = createWebhookClient({
    allowedAddresses: config.webhooks.allowedAddresses,
    timeoutMs: config.webhooks.timeoutMs,
    clock,
    resolver,
  });
  if (config.webhooks.allowedAddresses.length > 0) {
    log.info(
      { allowedAddresses: config.webhooks.allowedAddresses },
      "webhooks may reach these non-public addresses",
    );
  }
  const outbox = createOutboxWorker({
    outbox: store.outbox,
    accounts: store.accounts,
    client,
    alerts,
    log,
    clock,
  });
  outbox.start();
  opened.push(() => outbox.stop());

  const media = await createMediaPlane({
    advertisedAddress: config.rtpAddress,
    ports: config.rtpPorts,
    edges: mediaEdges(config),
    workers: config.mediaWorkers,
    io: config.mediaIo,
    log,
  });
  opened.push(() => media.stop());

  const transports = await createSipTransports({
    listen: [...config.sipListen, ...edgeListeners(config)],
    log,
    clock,
    tls: config.tls,
    allowedOrigins: config.websocket.allowedOrigins,
    limits: {
      maxConnections: config.sip.maximumConnections,
      maxConnectionsPerSource: config.sip.maximumConnectionsPerAddress,
    },
  });
  opened.push(() => transports.close());
  const sipHost = sipHostOf(config);
  const entrance = createEntrance({ config, clock, random, realm: sipHost });
  opened.push(async () => entrance.stop());
  const userAgent = createUserAgent({
    transports,
    resolver,
    locator: createSipLocator({ dns, clock, random }),
    clock,
    random,
    log,
    userAgentName: `callfork/${VERSION}`,
    sessionIntervalSeconds: config.sip.sessionInterval || undefined,
    strangers: entrance.strangers,
    isOverloaded: entrance.isOverloaded,
    refusesKeysInClear: config.sip.keysInClear === "refused",
    onTurnedAway: (reason) => metrics.sipRefusedTotal.inc({ reason }),
  });
  const sip = transports.available.map((transport) => {
    const asked = config.sipListen.find((listen) => listen.transport === transport);
    const address = asked?.address ?? "";
    const near = address.includes(":") ? "::1" : "127.0.0.1";
    return {
      transport,
      address,
      port: transports.sentBy(transport, isWildcard(address) ? near : address).port,
    };
  });

  // The director is built on forks, forks on calls, calls on the director: the knot is tied by looking late.
  let recordingClient: RecordingClient | undefined;
  const fetcher = createDocumentFetcher({ client, accounts: store.accounts, alerts });
  const director: Director = createDirector({
    fetcher,
    forks: () => recordingClient!,
    clock,
    log,
    alerts,
  });
  const policy = recordingPolicy({ config, fetcher, clock, forks: () => recordingClient! });
  const calls = createCalls({
    userAgent,
    media,
    store: store.calls,
    director,
    clock,
    random,
    log,
    alerts,
    sipHost,
    limits: { liveCalls: config.sip.maximumCalls },
    authenticator: entrance.authenticator,
    transfers: config.sip.transfers,
    srtpPolicy: config.sip.srtp,
    recording: policy,
    onRefused: (refusal) => metrics.sipRefusedTotal.inc({ reason: refusal.cause }),
    onEnded: (call) => metrics.callsTotal.inc({ direction: call.direction, status: call.status }),
  });
  recordingClient = createRecordingClient({
    calls,
    userAgent,
    media,
    connectors: createConnectorDirectory({ rows: store.connectors, alerts }),
    store: store.siprecs,
    authenticator: entrance.authenticator,
    clock,
    random,
    log,
    alerts,
    sipHost,
    defaultTrack: config.siprec.defaultTrack,
    extensionNamespace: config.siprec.extensionNamespace,
    unsecuredCopies: config.siprec.unsecuredCopies,
    announce: async ({ accountSid, callSid, audio }) => {
      const isUrl = typeof audio === "string";
      const samples = isUrl ? await policy.announcement({ accountSid, callSid, url: audio }) : audio;
      await calls.announce(callSid, samples);
    },
    edges: clientEdges(config),
    onStarted: () => metrics.siprecSessionsLive.inc(),
    onEnded: (result, wasStarted) => {
      metrics.siprecSessionsTotal.inc({ result });
      if (wasStarted) metrics.siprecSessionsLive.dec();
    },
    onAttempt: (connector, result) => metrics.connectorAttemptsTotal.inc({ connector, result }),
    onTranscoding: (from, to) => metrics.siprecTranscodingsTotal.inc({ from, to }),
    onMissed: (connector, packets) => metrics.connectorMissedPacketsTotal.inc({ connector }, packets),
  });

  const recordingsFolder = join(config.dataDir, "recordings");
  const { files, archive, vconSigner, metadataPolicy } = createRecordingArchive({
    config,
    masterKey,
    isOwnRecorder: ownRecorder(config, sip),
    folder: recordingsFolder,
    store,
    clock,
    log,
    alerts,
    accountSid: account.accountSid,
  });
  const recordingServer = createRecordingServer({
    media,
    store: store.recordings,
    folder: recordingsFolder,
    files,
    vconSigner,
    metadataPolicy,
    accountSid: account.accountSid,
    allowedAddresses: config.recorder.allowedAddresses,
    allowedCertificateNames: config.recorder.allowedCertificateNames,
    strict: config.recorder.strict,
    peers: config.recorder.peers,
    decoders: config.recorder.decoders,
    opus: config.recorder.opus,
    twins: config.recorder.twins,
    limits: { freeBytes: config.recorder.minimumFreeMebibytes * 2 ** 20 },
    srtpPolicy: config.sip.srtp,
    clock,
    random,
    log,
    alerts,
    webhook: recordingWebhookOf(config),
    liveAudio: {
      connector: createStreamConnector({
        allowedAddresses: config.webhooks.allowedAddresses,
        accounts: store.accounts,
        resolver,
      }),
      urls: config.recorder.streamUrls,
    },
    onStarted: () => metrics.recordingsLive.inc(),
    onEnded: (recording) => {
      metrics.recordingsLive.dec();
      if (recording.status !== "in-progress") metrics.recordingsTotal.inc({ status: recording.status });
      archive.ended();
    },
    onRefused: (reason) => metrics.sipRefusedTotal.inc({ reason }),
    onWarning: (code) => metrics.recordingWarningsTotal.inc({ code }),
  });
  await calls.start();
  entrance.attach(calls, recordingClient);
  await recordingClient.recover();
  await recordingServer.start();
  await archive.start();
  opened.push(() => atMost(ARCHIVE_STOP_MS, clock, archive.stop()));
  opened.push(() => recordingServer.stop());

  userAgent.attach({
    onInvite: (invite) =>
      routeInvite({ config, calls, client: recordingClient, recorder: recordingServer, entrance }, invite),
    onRequest: ({ method, uri }) =>
      method === "OPTIONS" ? answerOptions({ config, recorder: recordingServer, entrance }, uri) : undefined,
    onTrace: (event) =>
      metrics.sipMessagesTotal.inc({ direction: event.direction, kind: kindOf(event.startLine) }),
  });
  opened.push(() => userAgent.stop(2_000));
  // Before dialogs are cut: recorders, our own among them, hear BYE with the last metadata.
  opened.push(() => atMost(FORKS_STOP_MS, clock, recordingClient.stopAll()));

  const reportPackets = packetReport(media, metrics);
  const sampler = setInterval(() => {
    metrics.callsLive.set(calls.liveCount);
    reportPackets().catch(() => {});
    store.outbox.pending().then(
      (pending) => metrics.outboxPending.set(pending),
      () => {},
    );
  }, SAMPLE_INTERVAL_MS).unref();
  opened.push(async () => clearInterval(sampler));

  let bound: { readonly url: string } | undefined;
  if (config.roles.includes("api")) {
    const api = await createApi({
      store: store.api,
      credentials: store.credentials,
      calls,
      forks: recordingClient,
      recordings: recordingServer.library,
      archive,
      streams: recordingServer.streams,
      metrics,
      log,
      config,
      readiness: () => {
        const checks = { media: media.implementation.workers > 0 };
        return { ready: checks.media, checks };
      },
      version: VERSION,
      edges: edgeViews(config, transports),
    });
    bound = await api.listen();
    opened.push(() => api.close());
  }

  let stopping: Promise<void> | undefined;
  return {
    url: bound?.url,
    sip,
    recorderUri: recorderUriOf(config, sip),
    account: { ...account, created: ensured.created },
    recordingsFolder,
    get liveCalls() {
      return calls.liveCount;
    },
    stop(limitMs) {
      const drained = calls.drain(limitMs);
      stopping ??= drained.then(closeAll);
      return Promise.all([drained, stopping]).then(() => {});
    },
  };
}

/** The method of a request line, the status code of a status line. */
function kindOf(startLine: string): string | number {
  const [first = "", second = ""] = startLine.split(" ", 2);
  return first === "SIP/2.0" ? Number(second) : first;
}

function sipHostOf(config: Config): string {
  const specific = config.sipListen.find((listen) => !isWildcard(listen.address))?.address;
  return specific ?? config.rtpAddress ?? new URL(config.publicUrl).hostname.replace(/^\[|\]$/g, "");
}

const isWildcard = (address: string): boolean => address === "0.0.0.0" || address === "::";

function recordingWebhookOf({ recorder, publicUrl }: Config): RecordingWebhook | undefined {
  const { statusCallback: url, statusCallbackMethod: method, statusCallbackEvents: events } = recorder;
  return url === undefined ? undefined : { url, method, events, publicUrl };
}

function recorderUriOf(config: Config, sip: App["sip"]): string | undefined {
  if (!config.roles.includes("recorder")) return undefined;
  const listener = sip.find((each) => each.transport === "tcp") ?? sip[0];
  if (listener === undefined) return undefined;
  const host = isWildcard(listener.address) ? "127.0.0.1" : listener.address;
  const literal = host.includes(":") ? `[${host}]` : host;
  return `sip:${config.recorder.user}@${literal}:${listener.port};transport=${listener.transport}`;
}

function atMost(limitMs: number, clock: Clock, work: Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimer(limitMs, resolve);
    work.finally(() => timer.cancel()).then(resolve, reject);
  });
}
