import Type from "typebox";
import type { Metrics } from "../observe/index.ts";
import { json, type Route, route } from "./http/route.ts";
import type { ApiStore, Readiness } from "./ports.ts";

/** What needs no credentials: where things are, whether the node is well, and its counters. */
export function systemRoutes(options: {
  readonly store: ApiStore;
  readonly readiness: () => Readiness | Promise<Readiness>;
  readonly metrics: Metrics;
  readonly version: string;
  readonly openApi: () => object;
}): readonly Route[] {
  const { store, readiness, metrics, version, openApi } = options;
  const tag = "System";
  const open = true;
  const state = Type.Object({ ready: Type.Boolean(), checks: Type.Record(Type.String(), Type.Boolean()) });

  return [
    route({
      methods: ["GET"],
      path: "/",
      tag,
      open,
      summary: "Where things are",
      answers: { 200: { description: "Links", mediaType: "application/json" } },
      handle: async () =>
        json({
          name: "callfork",
          version,
          links: {
            twilio_resources: "/2010-04-01/Accounts/{AccountSid}.json",
            own_resources: ["/v1/Connectors", "/v1/Trunks", "/v1/Recordings", "/v1/Alerts"],
            openapi: "/openapi.json",
            health: "/healthz",
            readiness: "/readyz",
            metrics: "/metrics",
          },
          authentication: "Basic: AccountSid and AuthToken, or an API key's SID and secret",
        }),
    }),
    route({
      methods: ["GET"],
      path: "/healthz",
      tag,
      open,
      summary: "The process answers",
      answers: { 200: { description: "Alive", schema: Type.Object({ status: Type.String() }) } },
      handle: async () => json({ status: "ok" }),
    }),
    route({
      methods: ["GET"],
      path: "/readyz",
      tag,
      open,
      summary: "The node can do its work",
      answers: {
        200: { description: "Ready", schema: state },
        503: { description: "Not ready", schema: state },
      },
      async handle() {
        const [node, database] = await Promise.all([readiness(), store.healthy().catch(() => false)]);
        const ready = node.ready && database;
        return json({ ready, checks: { ...node.checks, database } }, ready ? 200 : 503);
      },
    }),
    route({
      methods: ["GET"],
      path: "/metrics",
      tag,
      open,
      summary: "Counters for Prometheus",
      answers: { 200: { description: "Prometheus text exposition", mediaType: "text/plain" } },
      handle: async () => ({
        status: 200,
        headers: { "content-type": metrics.contentType },
        body: await metrics.text(),
      }),
    }),
    route({
      methods: ["GET"],
      path: "/openapi.json",
      tag,
      open,
      summary: "This description",
      answers: { 200: { description: "OpenAPI 3.1", mediaType: "application/json" } },
      handle: async () => json(openApi()),
    }),
  ];
}
