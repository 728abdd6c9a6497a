import type { Config, SipListenAddress } from "./types.ts";

/** Packets that a recorder's firewall must let through. */
export interface FirewallRule {
  /** As the recorder sees it: `in` comes from here, `out` goes to here. */
  readonly direction: "in" | "out";
  readonly purpose: "signalling" | "media";
  readonly protocol: "udp" | "tcp";
  /** Address of ours; undefined: the one on the route to the recorder. */
  readonly address: string | undefined;
  /** Port of ours, or first and last; undefined: any, connections leave from a free one. */
  readonly ports: readonly [first: number, last: number] | undefined;
}

/** Listeners and media ports that sessions leave from. */
export interface Origin {
  readonly sipListen: readonly SipListenAddress[];
  readonly publicAddress: string | undefined;
  readonly rtpAddress: string | undefined;
  readonly rtpPorts: Config["rtpPorts"];
}

/** Of sessions that no edge is named for. */
export const defaultOrigin = ({ sipListen, rtpAddress, rtpPorts }: Config): Origin => ({
  sipListen,
  publicAddress: undefined,
  rtpAddress,
  rtpPorts,
});

/** What a recorder's firewall must admit for sessions from there, without repeats. */
export function firewallRules({
  sipListen,
  publicAddress,
  rtpAddress,
  rtpPorts,
}: Origin): readonly FirewallRule[] {
  const told = (address: string | undefined) => publicAddress ?? (isAnywhere(address) ? undefined : address);
  const signalling = sipListen
    .filter(({ transport }) => transport !== "ws" && transport !== "wss")
    .flatMap(({ transport, address, port }): FirewallRule[] => {
      const common = { purpose: "signalling", address: told(address) } as const;
      const own = [port, port] as const;
      // Over UDP requests leave from the port that listens; connections from any.
      return transport === "udp"
        ? [
            { ...common, direction: "in", protocol: "udp", ports: own },
            { ...common, direction: "out", protocol: "udp", ports: own },
          ]
        : [
            { ...common, direction: "in", protocol: "tcp", ports: undefined },
            { ...common, direction: "out", protocol: "tcp", ports: own },
          ];
    });
  const media = (["in", "out"] as const).map(
    (direction): FirewallRule => ({
      direction,
      purpose: "media",
      protocol: "udp",
      address: told(rtpAddress),
      ports: [rtpPorts.first, rtpPorts.last],
    }),
  );
  const rules = [...signalling, ...media];
  return rules.filter((rule, index) => rules.findIndex((one) => isSame(one, rule)) === index);
}

/** `udp from 192.0.2.7 port 5060 (signalling)`. */
export function describeRule({ direction, protocol, address, ports, purpose }: FirewallRule): string {
  const [first, last] = ports ?? [];
  const port = first === undefined ? "any port" : first === last ? `port ${first}` : `ports ${first}-${last}`;
  const preposition = direction === "in" ? "from" : "to";
  return `${protocol} ${preposition} ${address ?? "this node"} ${port} (${purpose})`;
}

const isAnywhere = (address: string | undefined): boolean =>
  address === undefined || address === "0.0.0.0" || address === "::";

const isSame = (a: FirewallRule, b: FirewallRule): boolean => describeRule(a) === describeRule(b);
