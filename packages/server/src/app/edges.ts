import type { EdgeView } from "../api/index.ts";
import type { Config, Origin } from "../config/index.ts";
import type { MediaEdge } from "../media/index.ts";
import type { SipListener, SipTransports } from "../net/index.ts";
import type { ClientEdge } from "../recording-client/index.ts";

type Edge = Config["edges"][number];

/** Where the edges' signalling listens. */
export const edgeListeners = ({ edges }: Config): readonly SipListener[] =>
  edges.flatMap(({ name, publicAddress, sipListen }) =>
    sipListen.map((listen) => ({ ...listen, edge: name, publicAddress })),
  );

export const mediaEdges = ({ edges }: Config): readonly MediaEdge[] =>
  edges.map(({ name, publicAddress, rtpAddress, rtpPorts }) => ({
    name,
    bindAddress: rtpAddress,
    advertisedAddress: publicAddress ?? rtpAddress,
    ports: rtpPorts,
  }));

export const clientEdges = ({ edges }: Config): readonly ClientEdge[] =>
  edges.map(({ name, publicAddress, sipListen, outboundProxy }) => ({
    name,
    host: publicAddress ?? sipListen[0]!.address,
    outboundProxy,
  }));

/** What a recorder sees of an edge. */
export const edgeOrigin = (config: Config, { sipListen, publicAddress, rtpAddress, rtpPorts }: Edge) =>
  ({ sipListen, publicAddress, rtpAddress, rtpPorts: rtpPorts ?? config.rtpPorts }) satisfies Origin;

/** Edges as they are bound: the real ports where 0 was asked for. */
export function edgeViews(config: Config, transports: SipTransports): readonly EdgeView[] {
  return config.edges.map((edge) => ({
    ...edgeOrigin(config, edge),
    name: edge.name,
    outboundProxy: edge.outboundProxy,
    sipListen: edge.sipListen.map((listen) => ({
      ...listen,
      port: listen.port || transports.sentBy(listen.transport, listen.address, edge.name).port,
    })),
  }));
}
