import Type from "typebox";
import { describeRule, firewallRules } from "../../config/index.ts";
import { NotFoundError } from "../http/errors.ts";
import { metaPage, metaPageSchema, PAGE_FIELDS, pageAsked } from "../http/paging.ts";
import { json, type Route, route } from "../http/route.ts";
import type { EdgeView } from "../ports.ts";
import { named, V1 } from "./prefix.ts";

const textOrNull = Type.Union([Type.String(), Type.Null()]);

export const EDGE_VIEW_SCHEMA = Type.Object(
  {
    name: Type.String(),
    signalling: Type.Array(
      Type.Object({
        transport: Type.Enum(["udp", "tcp", "tls"]),
        address: Type.String(),
        port: Type.Integer(),
      }),
    ),
    media: Type.Object({ address: Type.String(), first_port: Type.Integer(), last_port: Type.Integer() }),
    public_address: textOrNull,
    outbound_proxy: textOrNull,
    admit: Type.Array(
      Type.Object({
        direction: Type.Enum(["in", "out"]),
        purpose: Type.Enum(["signalling", "media"]),
        protocol: Type.Enum(["udp", "tcp"]),
        address: textOrNull,
        ports: textOrNull,
        rule: Type.String(),
      }),
      { description: "What a recorder's firewall must let through; `in` comes from here" },
    ),
    url: Type.String(),
  },
  { title: "Edge" },
);

/** /v1/Edges: local addresses that sessions can leave from. They are configuration: read only. */
export function edgeRoutes({
  edges,
  base,
}: {
  edges: readonly EdgeView[];
  base: () => string;
}): readonly Route[] {
  const tag = "Edges";
  const show = (edge: EdgeView) => showEdge(edge, base());

  return [
    route({
      methods: ["GET"],
      path: `${V1}/Edges`,
      alias: `${V1}/Edges.json`,
      tag,
      summary: "List edges, as they are configured",
      query: PAGE_FIELDS,
      answers: {
        200: { description: "A page of edges", schema: metaPageSchema("edges", EDGE_VIEW_SCHEMA) },
      },
      async handle({ query, url }) {
        const asked = pageAsked(url, query);
        const { offset, limit } = asked.window;
        return json(metaPage(asked, base(), "edges", edges.slice(offset, offset + limit), show));
      },
    }),
    route({
      methods: ["GET"],
      path: `${V1}/Edges/:Name`,
      tag,
      summary: "Fetch an edge, by name",
      answers: { 200: { description: "The edge", schema: EDGE_VIEW_SCHEMA } },
      async handle({ params, path }) {
        const name = named(params.Name).toLowerCase();
        const edge = edges.find((one) => one.name === name);
        if (edge === undefined) throw new NotFoundError(path);
        return json(show(edge));
      },
    }),
  ];
}

function showEdge(edge: EdgeView, base: string): object {
  const { name, sipListen, publicAddress, rtpAddress, rtpPorts, outboundProxy } = edge;
  return {
    name,
    signalling: sipListen.map(({ transport, address, port }) => ({ transport, address, port })),
    media: { address: rtpAddress, first_port: rtpPorts.first, last_port: rtpPorts.last },
    public_address: publicAddress ?? null,
    outbound_proxy: outboundProxy ?? null,
    admit: firewallRules(edge).map((rule) => ({
      direction: rule.direction,
      purpose: rule.purpose,
      protocol: rule.protocol,
      address: rule.address ?? null,
      ports: rule.ports === undefined ? null : [...new Set(rule.ports)].join("-"),
      rule: describeRule(rule),
    })),
    url: `${base}${V1}/Edges/${encodeURIComponent(name)}`,
  };
}
