import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { type ConfigSources, loadConfig } from "./load.ts";
import { NAMED_SETTINGS } from "./settings.ts";
import type { Config } from "./types.ts";

interface Case extends Omit<ConfigSources, "cwd"> {
  readonly yaml?: string;
  readonly file?: string;
}

function load({ yaml, file = "callfork.yaml", ...sources }: Case = {}) {
  const cwd = mkdtempSync(join(tmpdir(), "callfork-config-"));
  try {
    if (yaml !== undefined) writeFileSync(join(cwd, file), yaml);
    return { cwd, result: loadConfig({ ...sources, cwd }) };
  } finally {
    rmSync(cwd, { recursive: true });
  }
}

function good(given: Case = {}): Config {
  const { result } = load(given);
  assert.ok(result.ok, JSON.stringify(result));
  return result.value;
}

function problems(given: Case): Record<string, string> {
  const { result } = load(given);
  assert.ok(!result.ok, "expected problems");
  return Object.fromEntries(result.error.map(({ path, message }) => [path, message]));
}

test("nothing set: the published defaults, deeply frozen", () => {
  const { cwd, result } = load();
  assert.ok(result.ok);
  const { mediaWorkers, ...config } = result.value;
  assert.ok(mediaWorkers >= 1);
  assert.deepEqual(config, {
    dataDir: join(cwd, "data"),
    httpListen: { address: "127.0.0.1", port: 8080 },
    publicUrl: "http://127.0.0.1:8080",
    sipListen: [
      { transport: "udp", address: "0.0.0.0", port: 5060 },
      { transport: "tcp", address: "0.0.0.0", port: 5060 },
    ],
    tls: { certificate: [], key: [], ca: undefined, clientCertificates: "none" },
    dns: { servers: [] },
    websocket: { allowedOrigins: [] },
    rtpAddress: undefined,
    rtpPorts: { first: 10000, last: 19999 },
    edges: [],
    accountSid: undefined,
    authToken: undefined,
    secretKey: undefined,
    previousSecretKeys: [],
    roles: ["calls", "recorder", "api"],
    mediaIo: "auto",
    logLevel: "info",
    webhooks: { allowedAddresses: ["127.0.0.0/8", "::1"], timeoutMs: 15_000 },
    sip: {
      strangers: "refuse",
      maximumCalls: 10_000,
      maximumLoad: 95,
      maximumConnections: 10_000,
      maximumConnectionsPerAddress: 1_000,
      sessionInterval: 1_800,
      transfers: "phones",
      srtp: "offered",
      keysInClear: "taken",
    },
    recorder: {
      allowedAddresses: ["127.0.0.0/8", "::1"],
      allowedCertificateNames: [],
      user: "recorder",
      username: undefined,
      password: undefined,
      strict: false,
      statusCallback: undefined,
      statusCallbackMethod: "POST",
      statusCallbackEvents: ["recording-started", "recording-completed", "recording-failed"],
      twins: "keep",
      streamUrls: [],
      decoders: [],
      opus: false,
      peers: [],
      minimumFreeMebibytes: 256,
    },
    recordings: {
      url: undefined,
      endpoint: undefined,
      region: "us-east-1",
      accessKeyId: undefined,
      secretAccessKey: undefined,
      encryption: false,
      retentionDays: 0,
      auditDays: 3_650,
      participants: "keep",
      extensionData: "keep",
      documents: "keep",
      vconCertificate: undefined,
      vconKey: undefined,
    },
    siprec: {
      defaultTrack: "both_tracks",
      extensionNamespace: "urn:callfork:siprec",
      unsecuredCopies: "warn",
      notice: "none",
      announcement: undefined,
      toneFrequency: 1400,
      toneLevel: -18,
      toneDuration: 200,
      toneInterval: 15,
      preferences: "report",
    },
  });
  for (const part of [result.value, result.value.sipListen, result.value.sipListen[0], result.value.webhooks])
    assert.ok(Object.isFrozen(part));
});

test("flags beat environment, environment beats the file, the file beats the defaults", () => {
  const yaml = "logLevel: warn\nrtpPorts: 20000-20999\nwebhooks: { timeoutMs: 1000 }\n";
  const env = { CALLFORK_LOG_LEVEL: "error", CALLFORK_WEBHOOKS_TIMEOUT_MS: "2000" };
  const config = good({ yaml, env, flags: { "log-level": "debug" } });
  assert.equal(config.logLevel, "debug");
  assert.equal(config.webhooks.timeoutMs, 2000);
  assert.deepEqual(config.rtpPorts, { first: 20000, last: 20999 });
  assert.equal(config.recorder.user, "recorder");
});

test("lists come as text with commas, as YAML lists and as repeated flags", () => {
  const wanted = [
    { transport: "udp", address: "0.0.0.0", port: 5060 },
    { transport: "tcp", address: "::1", port: 0 },
  ];
  const text = "udp:0.0.0.0:5060, tcp:[::1]:0";
  assert.deepEqual(good({ env: { CALLFORK_SIP_LISTEN: text } }).sipListen, wanted);
  assert.deepEqual(good({ yaml: `sipListen: "${text}"` }).sipListen, wanted);
  assert.deepEqual(good({ yaml: 'sipListen:\n  - udp:0.0.0.0:5060\n  - "tcp:[::1]:0"' }).sipListen, wanted);
  assert.deepEqual(good({ flags: { "sip-listen": ["udp:0.0.0.0:5060", "tcp:[::1]:0"] } }).sipListen, wanted);
});

test("loopback webhooks are allowed by default only while REST listens on loopback", () => {
  const allowed = (given: Case) => good(given).webhooks.allowedAddresses;
  assert.deepEqual(allowed({ env: { CALLFORK_HTTP_LISTEN: "[::1]:0" } }), ["127.0.0.0/8", "::1"]);
  assert.deepEqual(allowed({ env: { CALLFORK_HTTP_LISTEN: "0.0.0.0:8080" } }), []);
  assert.deepEqual(allowed({ yaml: "webhooks: { allowedAddresses: [] }" }), []);
  assert.deepEqual(allowed({ env: { CALLFORK_WEBHOOKS_ALLOWED_ADDRESSES: "10.0.0.0/8,::1" } }), [
    "10.0.0.0/8",
    "::1",
  ]);
});

test("the public URL follows the listener unless it is set", () => {
  const url = (env: Record<string, string>) => good({ env }).publicUrl;
  assert.equal(url({ CALLFORK_HTTP_LISTEN: "0.0.0.0:9000" }), "http://localhost:9000");
  assert.equal(url({ CALLFORK_HTTP_LISTEN: "[::1]:9000" }), "http://[::1]:9000");
  assert.equal(
    url({ CALLFORK_PUBLIC_URL: "https://calls.example.com/base/" }),
    "https://calls.example.com/base",
  );
});

test("every problem is reported at once, each with its place and what would be right", () => {
  const found = problems({
    yaml: "httpListen: localhost\nwebhooks:\n  timeoutMs: soon\n  retries: 3\nlogLevel: loud\nrecorder: yes\n",
    env: {
      CALLFORK_SIP_LISTEN: "udp:0.0.0.0",
      CALLFORK_RTP_PORTS: "10001-10010",
      CALLFORK_RECORDER_STRICT: "perhaps",
      CALLFORK_RECORDER_ALLOWED_ADDRESSES: "10.0.0.0/33",
      CALLFORK_ROLES: "calls,cook",
    },
    flags: { "media-workers": "0" },
  });
  assert.match(found["callfork.yaml: httpListen"] ?? "", /127\.0\.0\.1:8080/);
  assert.match(found["callfork.yaml: webhooks.timeoutMs"] ?? "", /whole number from 100 to 15000/);
  assert.match(found["callfork.yaml: webhooks.retries"] ?? "", /unknown setting/);
  assert.match(found["callfork.yaml: logLevel"] ?? "", /one of debug, info, warn, error, silent/);
  assert.match(found["callfork.yaml: recorder"] ?? "", /unknown setting|mapping/);
  assert.match(found.CALLFORK_SIP_LISTEN ?? "", /udp:0\.0\.0\.0:5060/);
  assert.match(found.CALLFORK_RTP_PORTS ?? "", /even/);
  assert.match(found.CALLFORK_RECORDER_STRICT ?? "", /true or false/);
  assert.match(found.CALLFORK_RECORDER_ALLOWED_ADDRESSES ?? "", /CIDR/);
  assert.match(found.CALLFORK_ROLES ?? "", /calls, recorder, api/);
  assert.match(found["--media-workers"] ?? "", /from 1 to 64/);
  assert.equal(Object.keys(found).length, 11);
});

test("a mistake in a place that is overruled is a mistake all the same", () => {
  const found = problems({ yaml: "logLevel: loud\n", env: { CALLFORK_LOG_LEVEL: "warn" } });
  assert.deepEqual(Object.keys(found), ["callfork.yaml: logLevel"]);
});

test("unknown names are refused, with the nearest known one", () => {
  const found = problems({
    yaml: "htpListen: x\n",
    env: { CALLFORK_HTPP_LISTEN: "x", CALLFORK_COLOUR: "blue", PATH: "/bin" },
    flags: { "sip-lisen": "x" },
  });
  assert.match(found["callfork.yaml: htpListen"] ?? "", /did you mean httpListen\?/);
  assert.match(found.CALLFORK_HTPP_LISTEN ?? "", /did you mean CALLFORK_HTTP_LISTEN\?/);
  assert.match(found.CALLFORK_COLOUR ?? "", /docs\/configuration\.md/);
  assert.match(found["--sip-lisen"] ?? "", /did you mean --sip-listen\?/);
  assert.equal(Object.keys(found).length, 4);
});

test("settings of later versions are refused as such", () => {
  const env = {
    CALLFORK_DATABASE_URL: "postgres://u:hush@db/x",
    CALLFORK_NATS_URL: "nats://x",
    CALLFORK_RTPENGINE: "udp:127.0.0.1:22222",
  };
  const found = problems({ env });
  for (const name of Object.keys(env)) assert.match(found[name] ?? "", /^not in this version: /);
  assert.ok(!JSON.stringify(found).includes("hush"));
});

test("TLS: certificates with their keys, relative to the working directory; what contradicts is told", () => {
  const tls = "tls: { certificate: a.pem, key: a.key, ca: ca.pem, clientCertificates: required }\n";
  const { sipListen, ...config } = good({ yaml: `sipListen: tls:0.0.0.0:5061, wss:[::1]:8443\n${tls}` });
  assert.deepEqual(
    sipListen.map(({ transport }) => transport),
    ["tls", "wss"],
  );
  const inCwd = (name: string): string => join(dirname(config.dataDir), name);
  assert.deepEqual(config.tls, {
    certificate: [inCwd("a.pem")],
    key: [inCwd("a.key")],
    ca: inCwd("ca.pem"),
    clientCertificates: "required",
  });
  assert.match(
    problems({ yaml: "sipListen: tls:0.0.0.0:5061" })["tls.certificate"] ?? "",
    /needed for the tls:/,
  );
  assert.match(problems({ yaml: "tls: { certificate: [a, b], key: a }" })["tls.key"] ?? "", /1 for 2/);
  assert.match(
    problems({ yaml: "tls: { clientCertificates: optional }" })["tls.ca"] ?? "",
    /vouch for clients/,
  );
});

test("DNS servers and origins are read strictly", () => {
  const servers = "192.0.2.53,[2001:db8::53]:5353";
  assert.deepEqual(good({ env: { CALLFORK_DNS_SERVERS: servers } }).dns.servers, servers.split(","));
  assert.match(
    problems({ yaml: "dns: { servers: dns.example }" })["callfork.yaml: dns.servers"] ?? "",
    /numeric/,
  );
  const origins = "https://phone.example.com,*";
  const found = good({ env: { CALLFORK_WEBSOCKET_ALLOWED_ORIGINS: origins } });
  assert.deepEqual(found.websocket.allowedOrigins, origins.split(","));
  const wrong = problems({ yaml: "websocket: { allowedOrigins: phone.example.com }" });
  assert.match(wrong["callfork.yaml: websocket.allowedOrigins"] ?? "", /origin/);
});

test("secrets are checked without being repeated, and have no flag", () => {
  const found = problems({
    env: {
      CALLFORK_AUTH_TOKEN: "too-short",
      CALLFORK_SECRET_KEY: "tell-nobody",
      CALLFORK_ACCOUNT_SID: "AC1",
    },
    flags: { "auth-token": "0123456789abcdef" },
  });
  assert.deepEqual(Object.keys(found).sort(), [
    "--auth-token",
    "CALLFORK_ACCOUNT_SID",
    "CALLFORK_AUTH_TOKEN",
    "CALLFORK_SECRET_KEY",
  ]);
  assert.ok(!/too-short|tell-nobody|0123456789abcdef/.test(JSON.stringify(found)));
  const config = good({
    env: { CALLFORK_AUTH_TOKEN: "a".repeat(32), CALLFORK_SECRET_KEY: "0f".repeat(32) },
    yaml: `accountSid: AC${"1".repeat(32)}`,
  });
  assert.equal(config.accountSid, `AC${"1".repeat(32)}`);
});

test("the file: bad YAML is named by line, a named file must exist, an empty one says nothing", () => {
  assert.match(Object.keys(problems({ yaml: "a: [1\nb: 2" }))[0] ?? "", /^callfork\.yaml:\d+:\d+$/);
  assert.match(problems({ yaml: "logLevel: info\nlogLevel: warn" })["callfork.yaml:2:1"] ?? "", /unique/i);
  assert.match(problems({ yaml: "- a" })["callfork.yaml"] ?? "", /mapping/);
  assert.match(problems({ flags: { config: "gone.yaml" } })["gone.yaml"] ?? "", /cannot be read/);
  assert.equal(
    good({ yaml: "logLevel: warn", file: "b.yaml", env: { CALLFORK_CONFIG: "b.yaml" } }).logLevel,
    "warn",
  );
  assert.equal(good({ yaml: "# nothing\nwebhooks:\nrtpAddress:\n" }).logLevel, "info");
});

test("an empty variable is not set", () => {
  assert.equal(good({ env: { CALLFORK_LOG_LEVEL: "", CALLFORK_RTP_ADDRESS: "" } }).logLevel, "info");
});

test("no text whatever makes loadConfig throw", () => {
  const variable = fc.constantFrom(...NAMED_SETTINGS.map((one) => one.variable), "CALLFORK_X");
  fc.assert(
    fc.property(fc.dictionary(variable, fc.string(), { maxKeys: 5 }), (env) => {
      const result = loadConfig({ env, cwd: "/nonexistent" });
      if (!result.ok) for (const { message } of result.error) assert.ok(message.length > 0);
    }),
  );
});

test("names of recording clients' certificates are read in one spelling, and need certificates to be asked for", () => {
  const tls = "tls:\n  clientCertificates: optional\n  ca: /etc/ca.pem\n";
  const yaml = 'recorder:\n  allowedCertificateNames: ["sip:SBC.example.com.", "[2001:db8::1]"]\n';
  assert.deepEqual(Object.keys(problems({ yaml })), ["tls.clientCertificates"]);
  const { result } = load({ yaml: `${tls}${yaml}` });
  assert.ok(result.ok);
  assert.deepEqual(result.value.recorder.allowedCertificateNames, ["sbc.example.com", "2001:db8::1"]);
  const wild = 'recorder:\n  allowedCertificateNames: ["*.example.com"]\n';
  assert.match(Object.values(problems({ yaml: `${tls}${wild}` }))[0] ?? "", /must be a domain/);
});

test("a recorder's user needs its password, which has no flag", () => {
  assert.deepEqual(Object.keys(problems({ yaml: "recorder:\n  username: sbc\n" })), ["recorder.password"]);
  assert.deepEqual(Object.keys(problems({ env: { CALLFORK_RECORDER_PASSWORD: "x" } })), [
    "recorder.username",
  ]);
  const both = good({ env: { CALLFORK_RECORDER_USERNAME: "sbc", CALLFORK_RECORDER_PASSWORD: "x" } });
  assert.equal(both.recorder.username, "sbc");
  assert.match(
    problems({ flags: { "recorder-password": "x" } })["--recorder-password"] ?? "",
    /CALLFORK_RECORDER_PASSWORD/,
  );
});

test("object storage: bucket and prefix; keys are needed beside it, certificate and key go together", () => {
  const keys = { CALLFORK_RECORDINGS_ACCESS_KEY_ID: "a", CALLFORK_RECORDINGS_SECRET_ACCESS_KEY: "b" };
  const of = (url: string) => good({ env: { ...keys, CALLFORK_RECORDINGS_URL: url } }).recordings.url;
  assert.deepEqual(of("s3://calls"), { bucket: "calls", prefix: "" });
  assert.deepEqual(of("s3://calls.eu/a/b_2/"), { bucket: "calls.eu", prefix: "a/b_2" });
  for (const url of ["https://calls", "s3://", "s3://A", "s3://calls/../x", "s3://calls/a b"])
    assert.ok("CALLFORK_RECORDINGS_URL" in problems({ env: { ...keys, CALLFORK_RECORDINGS_URL: url } }), url);
  const lone = problems({ env: { CALLFORK_RECORDINGS_URL: "s3://calls" } });
  assert.deepEqual(Object.keys(lone), ["recordings.accessKeyId", "recordings.secretAccessKey"]);
  const half = problems({ env: { CALLFORK_RECORDINGS_VCON_KEY: "key.pem" } });
  assert.deepEqual(Object.keys(half), ["recordings.vconCertificate"]);
});
