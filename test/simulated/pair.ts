import type { UserAgentOptions } from "@callfork/server/signalling";
import { createUserAgent, type SipUserAgent, type UserAgentHandlers } from "@callfork/server/signalling";
import {
  FakeClock,
  SeededRandom,
  VirtualNetwork,
  type VirtualNetworkOptions,
  type VirtualNode,
  type VirtualNodeOptions,
} from "@callfork/testkit";

/** A logger that keeps what is worth reading when a test fails. */
export function memoryLog(): UserAgentOptions["log"] & { readonly lines: string[] } {
  const lines: string[] = [];
  const write =
    (level: string) =>
    (fields: object, message: string): void => {
      lines.push(
        `${level} ${message} ${JSON.stringify(fields, (_key, value) => (value instanceof Error ? value.stack : value))}`,
      );
    };
  const log = {
    lines,
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
    child: () => log,
  };
  return log;
}

export interface Party {
  readonly node: VirtualNode;
  readonly agent: SipUserAgent;
  readonly log: ReturnType<typeof memoryLog>;
}

/** A clock, a network, and user agents on it. */
export class World {
  readonly clock = new FakeClock();
  readonly network: VirtualNetwork;
  readonly #seed: number;
  #parties = 0;

  constructor({ seed = 1, ...conditions }: Partial<VirtualNetworkOptions> = {}) {
    this.#seed = seed;
    this.network = new VirtualNetwork({ ...conditions, clock: this.clock, seed });
  }

  party(
    address: string,
    handlers: UserAgentHandlers,
    options: VirtualNodeOptions & Partial<Omit<UserAgentOptions, "transports">> = {},
  ): Party {
    const node = this.network.node(address, options);
    const log = memoryLog();
    this.#parties += 1;
    const agent = createUserAgent({
      ...options,
      transports: node,
      resolver: this.network.resolver,
      clock: this.clock,
      random: new SeededRandom(this.#seed * 1000 + this.#parties),
      log,
      userAgentName: "test",
    });
    agent.attach(handlers);
    return { node, agent, log };
  }

  /** First lines on the wire, in order, as `from > to line`. */
  get wire(): string[] {
    return this.network.sent.map(({ startLine }) => startLine.replace(/ SIP\/2\.0$/, ""));
  }
}

export const refuseAll: UserAgentHandlers = { onInvite: (invite) => invite.reject(486) };

export const SDP = {
  contentType: "application/sdp",
  bytes: new TextEncoder().encode(
    "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n",
  ),
};
