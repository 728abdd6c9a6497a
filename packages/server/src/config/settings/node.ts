import { ok } from "@callfork/protocol/text";
import Type from "typebox";
import { EDGE_SCHEMA, readEdges } from "../edges.ts";
import { choice, each, same, setting, text, texts } from "../setting.ts";
import {
  type Read,
  readAccountSid,
  readAddress,
  readAuthToken,
  readListen,
  readPortRange,
  readPublicUrl,
  readSecretKey,
  readSipListen,
} from "../syntax.ts";

const ROLES: ["calls", "recorder", "api"] = ["calls", "recorder", "api"];

/** What a node is: its addresses, account, secrets and threads. */
export const NODE_SETTINGS = {
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
} as const;
