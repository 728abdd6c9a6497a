import { availableParallelism } from "node:os";
import { ok } from "@callfork/protocol/text";
import Type, { type Static, type TSchema } from "typebox";
import { EDGE_SCHEMA, readEdges } from "./edges.ts";
import {
  isLoopback,
  type Read,
  readAccountSid,
  readAddress,
  readAddressRange,
  readAuthToken,
  readCertificateName,
  readDecoderCommand,
  readDnsServer,
  readListen,
  readNamespace,
  readObjectUrl,
  readOrigin,
  readPeerRule,
  readPortRange,
  readPublicUrl,
  readSecretKey,
  readSipListen,
  readSipUser,
  readStreamUrl,
  readWebhookUrl,
} from "./syntax.ts";
import type { Config } from "./types.ts";

/**
 * One setting: the JSON schema of what is written (in callfork.yaml; flags and variables are text that is turned into
 * it), its default in the same form, and how that becomes the value that the rooms get.
 */
export interface Setting<S extends TSchema = TSchema, T = unknown> {
  readonly schema: S;
  /** Undefined: stays unset, or `derive` finds it. */
  readonly standard: Static<S> | undefined;
  /** How docs name a default that is not a constant. */
  readonly standardText?: string;
  readonly meaning: string;
  readonly example?: string;
  readonly read: (written: Static<S>) => Read<T>;
  /** Secrets have no flag (others see command lines) and are never repeated in a problem. */
  readonly secret?: boolean;
  /** Flags and variables write it in JSON. */
  readonly isJson?: boolean;
  /** A file or files, or a folder: relative ones start at the working directory. */
  readonly isPath?: boolean;
}

const setting = <S extends TSchema, T>(one: Setting<S, T>): Setting<S, T> => one;

const text = Type.String({ minLength: 1, maxLength: 4096 });
const texts = Type.Array(text, { maxItems: 256 });
const same = <T>(written: T): Read<T> => ok(written);

const each =
  <T>(read: (one: string) => Read<T>, emptyProblem?: string) =>
  (written: readonly string[]): Read<readonly T[]> => {
    if (written.length === 0 && emptyProblem !== undefined) return { ok: false, error: emptyProblem };
    const values: T[] = [];
    for (const one of written) {
      const value = read(one);
      if (!value.ok) return value;
      values.push(value.value);
    }
    return ok(values);
  };

const choice = <const Names extends string[]>(...names: Names) => Type.Enum<Names>(names);

const ROLES: ["calls", "recorder", "api"] = ["calls", "recorder", "api"];

const RECORDING_EVENTS: ["recording-started", "recording-completed", "recording-failed"] = [
  "recording-started",
  "recording-completed",
  "recording-failed",
];

/** Every setting there is; a group is one level of nesting in callfork.yaml. */
export const SETTINGS = {
  dataDir: setting({
    schema: text,
    standard: "./data",
    meaning: "Database, recordings and generated secrets (mode 0600).",
    read: same,
    isPath: true,
  }),
  httpListen: setting({
    schema: text,
    standard: "127.0.0.1:8080",
    meaning: "REST and metrics. Port 0 takes any free one.",
    read: readListen,
  }),
  publicUrl: setting({
    schema: text,
    standard: undefined,
    standardText: "from `httpListen`",
    meaning: "How links and webhooks name this server.",
    example: "https://callfork.example.com",
    read: readPublicUrl,
  }),
  sipListen: setting({
    schema: texts,
    standard: ["udp:0.0.0.0:5060", "tcp:0.0.0.0:5060"],
    meaning: "SIP. Calls are accepted from loopback only until a trunk says otherwise.",
    example: "udp:0.0.0.0:5060,tcp:[::1]:5060,tls:0.0.0.0:5061",
    read: each(readSipListen, "must name at least one listener"),
  }),
  rtpAddress: setting({
    schema: text,
    standard: undefined,
    standardText: "chosen by the route to each peer",
    meaning: "Media address written into SDP.",
    example: "198.51.100.7",
    read: readAddress,
  }),
  rtpPorts: setting({
    schema: text,
    standard: "10000-19999",
    meaning: "Port range of RTP and RTCP.",
    read: readPortRange,
  }),
  edges: setting({
    schema: Type.Array(EDGE_SCHEMA, { maxItems: 64 }),
    standard: [],
    standardText: "none",
    meaning: "Named local addresses that recording sessions can leave from, see [edges](edges.md).",
    example: '[{"name": "dublin", "sip": ["udp:192.0.2.7:5062", "tcp:192.0.2.7:5062"]}]',
    read: readEdges,
    isJson: true,
  }),
  accountSid: setting({
    schema: text,
    standard: undefined,
    standardText: "made at first start",
    meaning: "The first account.",
    read: readAccountSid,
  }),
  authToken: setting({
    schema: text,
    standard: undefined,
    standardText: "made at first start",
    meaning: "Its Auth Token: Basic authentication, and the key that signs webhooks.",
    read: readAuthToken,
    secret: true,
  }),
  secretKey: setting({
    schema: text,
    standard: undefined,
    standardText: "made at first start, in the data dir",
    meaning: "Master key for secrets at rest: 32 octets in base64 or hexadecimal.",
    read: readSecretKey,
    secret: true,
  }),
  previousSecretKeys: setting({
    schema: texts,
    standard: [],
    standardText: "none",
    meaning:
      "Master keys from before a change of `secretKey`: what is still sealed with them is sealed anew at the start. Take them away afterwards.",
    read: each(readSecretKey),
    secret: true,
  }),
  roles: setting({
    schema: Type.Array(choice(...ROLES), { maxItems: 3 }),
    standard: [...ROLES],
    meaning: "What this node does: `calls`, `recorder`, `api`.",
    read: (written): Read<readonly (typeof ROLES)[number][]> =>
      written.length === 0
        ? { ok: false, error: "must name at least one of calls, recorder, api" }
        : ok([...new Set(written)]),
  }),
  mediaWorkers: setting({
    schema: Type.Integer({ minimum: 1, maximum: 64 }),
    standard: undefined,
    standardText: "one per core, less one",
    meaning: "Threads that carry RTP.",
    read: same,
  }),
  mediaIo: setting({
    schema: choice("auto", "uring", "dgram"),
    standard: "auto",
    meaning:
      "How packets meet the kernel: `uring` (io_uring, Linux 6.1 or later) or `dgram`. `auto` tries io_uring and falls back, with a line in the log; `uring` refuses to start without.",
    read: same,
  }),
  logLevel: setting({
    schema: choice("debug", "info", "warn", "error", "silent"),
    standard: "info",
    meaning: "The least level that is written.",
    read: same,
  }),
  tls: {
    certificate: setting({
      schema: texts,
      standard: [],
      standardText: "none",
      meaning:
        "PEM files with the certificates of `tls:` and `wss:` listeners, each followed by its chain. With several, the name that a client asks for (SNI) picks one; the first is for all others.",
      example: "/etc/callfork/sip.pem",
      read: same<readonly string[]>,
      isPath: true,
    }),
    key: setting({
      schema: texts,
      standard: [],
      standardText: "none",
      meaning: "PEM files with their private keys, in the same order.",
      example: "/etc/callfork/sip.key",
      read: same<readonly string[]>,
      isPath: true,
    }),
    ca: setting({
      schema: text,
      standard: undefined,
      standardText: "the authorities that Node trusts",
      meaning: "PEM file of the authorities that may vouch for SIP peers.",
      example: "/etc/callfork/ca.pem",
      read: same<string>,
      isPath: true,
    }),
    clientCertificates: setting({
      schema: choice("none", "optional", "required"),
      standard: "none",
      meaning:
        "Whether those who connect to `tls:` and `wss:` listeners are asked for a certificate of their own, and refused without; needs `tls.ca`.",
      read: same,
    }),
  },
  dns: {
    servers: setting({
      schema: texts,
      standard: [],
      standardText: "the system's",
      meaning: "DNS servers that SIP names are looked up at.",
      example: "192.0.2.53,[2001:db8::53]:5353",
      read: each(readDnsServer),
    }),
  },
  websocket: {
    allowedOrigins: setting({
      schema: texts,
      standard: [],
      standardText: "none",
      meaning:
        "Origins of the web pages that may connect to `ws:` and `wss:` listeners; `*` for any. Programs that send no Origin are not asked.",
      example: "https://phone.example.com",
      read: each(readOrigin),
    }),
  },
  webhooks: {
    allowedAddresses: setting({
      schema: texts,
      standard: undefined,
      standardText: "`127.0.0.0/8,::1` while `httpListen` is loopback, else none",
      meaning: "Addresses and ranges that webhooks may reach although they are not public.",
      example: "10.0.0.0/8",
      read: each(readAddressRange),
    }),
    timeoutMs: setting({
      schema: Type.Integer({ minimum: 100, maximum: 15_000 }),
      standard: 15_000,
      meaning: "Longest time one webhook may take in all, in milliseconds.",
      read: same,
    }),
  },
  sip: {
    strangers: setting({
      schema: choice("refuse", "drop"),
      standard: "refuse",
      meaning:
        "Requests from addresses that no trunk and no recorder setting names: `refuse` answers the first few with 403 and then falls silent, `drop` is silent from the first.",
      read: same,
    }),
    maximumCalls: setting({
      schema: Type.Integer({ minimum: 1, maximum: 1_000_000 }),
      standard: 10_000,
      meaning: "Live calls, dialled ones included; beyond them new ones get 503 with Retry-After.",
      read: same,
    }),
    maximumLoad: setting({
      schema: Type.Integer({ minimum: 10, maximum: 100 }),
      standard: 95,
      meaning:
        "Percentage of its time that the signalling thread may be busy, over some seconds; beyond it new calls get 503 with Retry-After and live ones go on. 100 never refuses.",
      read: same,
    }),
    maximumConnections: setting({
      schema: Type.Integer({ minimum: 1, maximum: 1_000_000 }),
      standard: 10_000,
      meaning:
        "Connections over TCP, TLS and WebSocket, both directions together, unfinished handshakes included. When all are taken, the oldest that has not carried a message makes room.",
      read: same,
    }),
    maximumConnectionsPerAddress: setting({
      schema: Type.Integer({ minimum: 1, maximum: 1_000_000 }),
      standard: 1_000,
      meaning: "Of these, accepted from one address.",
      read: same,
    }),
    sessionInterval: setting({
      schema: Type.Integer({ minimum: 0, maximum: 86_400 }),
      standard: 1_800,
      meaning:
        "Seconds after which a call or recording session without a refresh is over (RFC 4028), asked for in calls that Callfork makes or takes; at least 90. 0 asks for nothing.",
      read: (seconds): Read<number> =>
        seconds === 0 || seconds >= 90
          ? ok(seconds)
          : { ok: false, error: "must be 0, or at least 90 seconds" },
    }),
    transfers: setting({
      schema: choice("none", "phones", "all"),
      standard: "phones",
      meaning:
        "Who may transfer a call by REFER: `phones` are legs that no trunk carries, `all` are those of trunks too. With `none` nobody takes a party's place by Replaces either; else whoever may call may.",
      read: same,
    }),
    srtp: setting({
      schema: choice("never", "offered", "opportunistic", "required"),
      standard: "offered",
      meaning:
        "SRTP (SDES) on call legs and recording sessions that come in: `offered` answers it where a peer offers it, `opportunistic` also offers keys in RTP/AVP, `required` takes nothing else. A URI with `secure=true` always requires it.",
      read: same,
    }),
    keysInClear: setting({
      schema: choice("taken", "refused"),
      standard: "taken",
      meaning:
        "SRTP keys that come by UDP, TCP or WebSocket, where everybody on the way can read them: `taken` answers them, `refused` is 488.",
      read: same,
    }),
  },
  recorder: {
    allowedAddresses: setting({
      schema: texts,
      standard: ["127.0.0.0/8", "::1"],
      meaning: "Who may record to us.",
      example: "192.0.2.0/24",
      read: each(readAddressRange),
    }),
    allowedCertificateNames: setting({
      schema: texts,
      standard: [],
      standardText: "none: addresses alone decide",
      meaning:
        "Who may record to us from anywhere: SIP domains that a client's certificate, verified by `tls.ca`, stands for.",
      example: "sbc.example.com",
      read: each(readCertificateName),
    }),
    user: setting({
      schema: text,
      standard: "recorder",
      meaning: "User part that names the recorder on a shared listener: `sip:recorder@host`.",
      read: readSipUser,
    }),
    username: setting({
      schema: text,
      standard: undefined,
      standardText: "none: addresses alone decide",
      meaning: "Who records to us must also prove by digest to be this user.",
      read: same,
    }),
    password: setting({
      schema: text,
      standard: undefined,
      standardText: "none",
      meaning: "The password of `recorder.username`.",
      read: same,
      secret: true,
    }),
    strict: setting({
      schema: Type.Boolean(),
      standard: false,
      meaning: "Refuse recording clients that break RFC 7866, instead of recording them with a warning.",
      read: same,
    }),
    statusCallback: setting({
      schema: text,
      standard: undefined,
      standardText: "none",
      meaning: "Webhook that hears of recordings: signed, from the outbox, so that no news is lost.",
      example: "https://example.com/recordings",
      read: readWebhookUrl,
    }),
    statusCallbackMethod: setting({
      schema: choice("POST", "GET"),
      standard: "POST",
      meaning: "How `recorder.statusCallback` is called.",
      read: same,
    }),
    statusCallbackEvents: setting({
      schema: Type.Array(choice(...RECORDING_EVENTS), { maxItems: 3 }),
      standard: [...RECORDING_EVENTS],
      meaning: "What `recorder.statusCallback` hears of.",
      read: (written): Read<readonly (typeof RECORDING_EVENTS)[number][]> => ok([...new Set(written)]),
    }),
    twins: setting({
      schema: choice("keep", "refuse"),
      standard: "keep",
      meaning:
        "An INVITE that begins once more what its sender began within two seconds: `keep` records it too and marks it, `refuse` answers 482.",
      read: same,
    }),
    streamUrls: setting({
      schema: texts,
      standard: [],
      standardText: "none",
      meaning:
        "WebSockets that hear every recording while it is made, in the format of Twilio's Media Streams. Their addresses are checked as webhooks' are.",
      example: "wss://speech.example.com/in",
      read: each(readStreamUrl),
    }),
    peers: setting({
      schema: texts,
      standard: [],
      standardText: "none: `recorder.strict` says it for all",
      meaning:
        "How single recording clients are taken: `<address or range>=`, `certificate:<name>=` or `user:<digest user>=`, and `strict`, `lenient` or `plain` (lenient, and each of its INVITEs is a recording session). The first that fits counts.",
      example: "192.0.2.0/24=strict",
      read: each(readPeerRule),
    }),
    opus: setting({
      schema: Type.Boolean(),
      standard: false,
      meaning:
        "Make `Media.opus` of every recording when it has ended. Without, it is made when it is asked for the first time.",
      read: same,
    }),
    decoders: setting({
      schema: texts,
      standard: [],
      standardText: "none: such audio is kept, and not heard",
      meaning:
        "Commands that make audio of codecs which Callfork does not know, run when it is asked for: `<codec>=<command>`. They read the payloads, one behind the other, and write 16-bit samples at the codec's clock rate, mono.",
      example: "G729=ffmpeg -v error -f g729 -i pipe:0 -f s16le -ac 1 -ar 8000 pipe:1",
      read: each(readDecoderCommand),
    }),
    minimumFreeMebibytes: setting({
      schema: Type.Integer({ minimum: 0, maximum: 1_000_000_000 }),
      standard: 256,
      meaning:
        "With less space than this on the disk of the data directory, new recordings get 503 with Retry-After; those in progress go on.",
      read: same,
    }),
  },
  recordings: {
    url: setting({
      schema: text,
      standard: undefined,
      standardText: "files in the data directory",
      meaning: "Object storage (S3) that ended recordings are moved to.",
      example: "s3://bucket/prefix",
      read: readObjectUrl,
    }),
    endpoint: setting({
      schema: text,
      standard: undefined,
      standardText: "Amazon's for `recordings.region`",
      meaning: "Base URL of the object storage; the bucket becomes the first part of its path.",
      example: "https://s3.example.com",
      read: readPublicUrl,
    }),
    region: setting({
      schema: text,
      standard: "us-east-1",
      meaning: "Region that requests to the object storage are signed for.",
      read: same,
    }),
    accessKeyId: setting({
      schema: text,
      standard: undefined,
      standardText: "none",
      meaning: "Access key of the object storage.",
      read: same,
    }),
    secretAccessKey: setting({
      schema: text,
      standard: undefined,
      standardText: "none",
      meaning: "Its secret.",
      read: same,
      secret: true,
    }),
    encryption: setting({
      schema: Type.Boolean(),
      standard: false,
      meaning:
        "Encrypt new recordings at rest, each with a key of its own under the master key. They can then be read through this server only.",
      read: same,
    }),
    retentionDays: setting({
      schema: Type.Integer({ minimum: 0, maximum: 36_500 }),
      standard: 0,
      meaning: "Days after which recordings are deleted that no retention rule is for; 0: never.",
      read: same,
    }),
    auditDays: setting({
      schema: Type.Integer({ minimum: 1, maximum: 36_500 }),
      standard: 3_650,
      meaning: "Days for which the audit trail of deleted recordings is kept.",
      read: same,
    }),
    participants: setting({
      schema: choice("keep", "hash", "drop"),
      standard: "keep",
      meaning:
        "What recordings keep of addresses and names: all, pseudonyms (a keyed hash: equal addresses stay equal), or nothing.",
      read: same,
    }),
    extensionData: setting({
      schema: choice("keep", "drop"),
      standard: "keep",
      meaning: "Whether recordings keep what vendors and parameters put into the metadata.",
      read: same,
    }),
    documents: setting({
      schema: choice("keep", "drop"),
      standard: "keep",
      meaning:
        "Whether recordings keep metadata documents as they came. Dropped too when addresses or extension data are not kept.",
      read: same,
    }),
    vconCertificate: setting({
      schema: text,
      standard: undefined,
      standardText: "vCons cannot be signed",
      meaning: "PEM file with the certificate that signed vCons show (`x5c`), its chain included.",
      read: same,
      isPath: true,
    }),
    vconKey: setting({
      schema: text,
      standard: undefined,
      standardText: "none",
      meaning: "PEM file with its private key: RSA of 2,048 bits at least (RS256), or P-256 (ES256).",
      read: same,
      isPath: true,
    }),
  },
  siprec: {
    defaultTrack: setting({
      schema: choice("inbound_track", "outbound_track", "both_tracks"),
      standard: "both_tracks",
      meaning: "What a fork carries when nobody says.",
      read: same,
    }),
    extensionNamespace: setting({
      schema: text,
      standard: "urn:callfork:siprec",
      meaning: "XML namespace of `ExtensionParameters` in the metadata.",
      read: readNamespace,
    }),
    unsecuredCopies: setting({
      schema: choice("warn", "refuse"),
      standard: "warn",
      meaning:
        "A call whose media is SRTP, and a recorder without `secure=true`: forked with an alert (the path to the recorder is trusted), or not forked to that recorder.",
      read: same,
    }),
    notice: setting({
      schema: choice("none", "tone", "announcement"),
      standard: "none",
      meaning:
        "How parties whose phones do not show `a=record` hear that they are recorded: a `tone` now and then, an `announcement` when it begins, or not at all, because their contract says it. A number can say it otherwise (`RecordingNotice`).",
      read: same,
    }),
    announcement: setting({
      schema: text,
      standard: undefined,
      standardText: "none",
      meaning: "What is announced: a WAV file of 8 or 16 kHz, or its URL.",
      example: "/etc/callfork/recorded.wav",
      read: same<string>,
    }),
    toneFrequency: setting({
      schema: Type.Integer({ minimum: 300, maximum: 3400 }),
      standard: 1400,
      meaning: "Frequency of the recording tone, in Hz.",
      read: same,
    }),
    toneLevel: setting({
      schema: Type.Integer({ minimum: -40, maximum: -3 }),
      standard: -18,
      meaning: "Its level, in dBm0.",
      read: same,
    }),
    toneDuration: setting({
      schema: Type.Integer({ minimum: 20, maximum: 2000 }),
      standard: 200,
      meaning: "How long it sounds, in milliseconds.",
      read: same,
    }),
    toneInterval: setting({
      schema: Type.Integer({ minimum: 2, maximum: 600 }),
      standard: 15,
      meaning: "Seconds from one tone to the next.",
      read: same,
    }),
    preferences: setting({
      schema: choice("report", "honour"),
      standard: "report",
      meaning:
        "What a party's wish not to be recorded (`a=recordpref`) does: an alert, or an alert and a pause of the call's forks until it wishes otherwise.",
      read: same,
    }),
  },
} as const;

/** What of a configuration depends on the rest of it or on the machine. */
export function derive(found: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const listen = found.httpListen as Config["httpListen"];
  return {
    publicUrl: publicUrlOf(listen),
    mediaWorkers: Math.max(1, Math.min(64, availableParallelism() - 1)),
    "webhooks.allowedAddresses": isLoopback(listen.address) ? ["127.0.0.0/8", "::1"] : [],
  };
}

/** Settings that are right alone and wrong together. */
export function contradictions(
  found: Readonly<Record<string, unknown>>,
): readonly { readonly path: string; readonly message: string }[] {
  const certificates = found["tls.certificate"] as Config["tls"]["certificate"];
  const keys = found["tls.key"] as Config["tls"]["key"];
  const edges = found.edges as Config["edges"];
  const secure = [
    ...(found.sipListen as Config["sipListen"]),
    ...edges.flatMap((edge) => edge.sipListen),
  ].find(({ transport }) => transport === "tls" || transport === "wss");
  const problems: { path: string; message: string }[] = [];
  if (secure !== undefined && certificates.length === 0) {
    problems.push({ path: "tls.certificate", message: `is needed for the ${secure.transport}: listener` });
  }
  if (keys.length !== certificates.length) {
    const message = `must name one key for each certificate: ${keys.length} for ${certificates.length}`;
    problems.push({ path: "tls.key", message });
  }
  if (found["tls.clientCertificates"] !== "none" && found["tls.ca"] === undefined) {
    const message = "is needed for tls.clientCertificates: it says who may vouch for clients";
    problems.push({ path: "tls.ca", message });
  }
  const names = found["recorder.allowedCertificateNames"] as readonly string[];
  if (names.length > 0 && found["tls.clientCertificates"] === "none") {
    const message = "is needed for recorder.allowedCertificateNames: clients are not asked for certificates";
    problems.push({ path: "tls.clientCertificates", message });
  }
  const { "recorder.username": username, "recorder.password": password } = found;
  if ((username === undefined) !== (password === undefined)) {
    const [path, other] = username === undefined ? ["username", "password"] : ["password", "username"];
    problems.push({ path: `recorder.${path}`, message: `is needed beside recorder.${other}` });
  }
  problems.push(...storageContradictions(found));
  return problems;
}

function storageContradictions(
  found: Readonly<Record<string, unknown>>,
): readonly { readonly path: string; readonly message: string }[] {
  const problems: { path: string; message: string }[] = [];
  const isNeeded = found["recordings.url"] !== undefined;
  for (const name of ["accessKeyId", "secretAccessKey"]) {
    const path = `recordings.${name}`;
    if (isNeeded && found[path] === undefined)
      problems.push({ path, message: "is needed beside recordings.url" });
  }
  if ((found["recordings.vconKey"] === undefined) !== (found["recordings.vconCertificate"] === undefined)) {
    const path = found["recordings.vconKey"] === undefined ? "vconKey" : "vconCertificate";
    problems.push({ path: `recordings.${path}`, message: "is needed: certificate and key go together" });
  }
  return problems;
}

/** The base URL for a listen address: a wildcard becomes localhost, IPv6 gets its brackets. */
export function publicUrlOf(listen: { readonly address: string; readonly port: number }): string {
  const { address, port } = listen;
  const wild = address === "0.0.0.0" || address === "::";
  const host = wild ? "localhost" : address.includes(":") ? `[${address}]` : address;
  return `http://${host}:${port}`;
}

/** Variables that later versions may know: said so plainly, instead of ignored. */
export const NOT_IN_THIS_VERSION: Readonly<Record<string, string>> = {
  databaseUrl: "the database is SQLite in the data dir",
  natsUrl: "a node runs alone",
  rtpengine: "media is embedded",
};

/** A setting with its names: `webhooks.timeoutMs`, `CALLFORK_WEBHOOKS_TIMEOUT_MS`, `webhooks-timeout-ms`. */
export interface NamedSetting {
  readonly path: string;
  readonly variable: string;
  readonly flag: string;
  readonly setting: Setting;
}

export const NAMED_SETTINGS: readonly NamedSetting[] = Object.entries(SETTINGS).flatMap(([name, one]) =>
  "schema" in one
    ? [named(name, one as unknown as Setting)]
    : Object.entries(one).map(([inner, leaf]) => named(`${name}.${inner}`, leaf as unknown as Setting)),
);

function named(path: string, one: Setting): NamedSetting {
  return { path, variable: variableOf(path), flag: flagOf(path), setting: one };
}

export function variableOf(path: string): string {
  return `CALLFORK_${flagOf(path).replaceAll("-", "_").toUpperCase()}`;
}

export function flagOf(path: string): string {
  return path
    .replaceAll(".", "-")
    .replace(/[A-Z]/g, (capital) => `-${capital}`)
    .toLowerCase();
}
