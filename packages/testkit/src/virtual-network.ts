import type { Clock, Resolver, SipTransportName } from "@callfork/server/net";
import { SeededRandom } from "./random.ts";
import { VirtualNode } from "./virtual-node.ts";

/** How the wire behaves. Chances are per datagram, between 0 and 1. */
export interface LinkConditions {
  readonly lossChance: number;
  readonly duplicateChance: number;
  /** A datagram that is held back long enough for later ones to overtake it. */
  readonly reorderChance: number;
  /** One-way delay, drawn anew for each datagram. */
  readonly minimumDelayMs: number;
  readonly maximumDelayMs: number;
}

export interface VirtualNetworkOptions extends Partial<LinkConditions> {
  readonly clock: Clock;
  /** The same seed gives the same losses. */
  readonly seed?: number;
}

export interface VirtualNodeOptions {
  /** Default 5060. */
  readonly port?: number;
  /** What it listens on; default both. TCP to a node without it is refused. */
  readonly transports?: readonly SipTransportName[];
  /** The node is behind a NAT: others see its datagrams come from here, and reach it here only. */
  readonly behindNat?: { readonly address: string; readonly port: number };
}

/** One datagram or TCP message on the wire, as a filter sees it. */
export interface WireMessage {
  readonly transport: SipTransportName;
  readonly from: string;
  readonly to: string;
  /** First line of the SIP message. */
  readonly startLine: string;
  readonly text: string;
  readonly bytes: Uint8Array;
  /** Instant of sending, by the network's clock. */
  readonly at: number;
}

/**
 * An IP network in memory, for SIP: UDP with loss, duplicates, reordering and delay, TCP in order and without loss,
 * refused where nobody listens. Everything happens by the given clock and from one seed.
 */
export class VirtualNetwork {
  readonly clock: Clock;
  conditions: LinkConditions;
  /** Everything that was sent, lost messages included. */
  readonly sent: WireMessage[] = [];
  /** Decides about single UDP messages before chance does; `drop` loses them. */
  filter: ((message: WireMessage) => "pass" | "drop") | undefined;
  readonly #random: SeededRandom;
  readonly #nodes = new Map<string, VirtualNode>();
  readonly #names = new Map<string, readonly string[]>();
  #nextPort = 40_000;

  constructor({ clock, seed = 1, ...conditions }: VirtualNetworkOptions) {
    this.clock = clock;
    this.#random = new SeededRandom(seed);
    this.conditions = {
      lossChance: 0,
      duplicateChance: 0,
      reorderChance: 0,
      minimumDelayMs: 1,
      maximumDelayMs: 1,
      ...conditions,
    };
  }

  /** Adds a host; its transports are what a user agent takes. */
  node(address: string, options: VirtualNodeOptions = {}): VirtualNode {
    const node = new VirtualNode(this, address, options);
    const { behindNat } = options;
    const key = behindNat ? `${behindNat.address}:${behindNat.port}` : `${address}:${node.port}`;
    if (this.#nodes.has(key)) throw new Error(`${key} is taken`);
    this.#nodes.set(key, node);
    return node;
  }

  /** Gives a host name its addresses, best first. */
  name(host: string, addresses: readonly string[]): void {
    this.#names.set(host.toLowerCase(), addresses);
  }

  get resolver(): Resolver {
    return { addresses: async (host) => this.#names.get(host.toLowerCase()) ?? [] };
  }

  /** @internal */
  find(address: string, port: number): VirtualNode | undefined {
    return this.#nodes.get(`${address}:${port}`);
  }

  /** @internal */
  forget(node: VirtualNode): void {
    for (const [key, each] of this.#nodes) if (each === node) this.#nodes.delete(key);
  }

  /** @internal */
  ephemeralPort(): number {
    return this.#nextPort++;
  }

  /** @internal */
  record(transport: SipTransportName, from: string, to: string, bytes: Uint8Array): WireMessage {
    const text = new TextDecoder().decode(bytes);
    const startLine = text.slice(0, Math.max(0, text.indexOf("\r\n")));
    const message = { transport, from, to, startLine, text, bytes, at: this.clock.now() };
    this.sent.push(message);
    return message;
  }

  /** @internal Delays of the copies of one datagram: none when it is lost, two when it is doubled. */
  datagramDelays(message: WireMessage): number[] {
    const { lossChance, duplicateChance } = this.conditions;
    if (this.filter?.(message) === "drop") return [];
    const copies = this.#random.next() < duplicateChance ? 2 : 1;
    const delays: number[] = [];
    for (let i = 0; i < copies; i++) if (this.#random.next() >= lossChance) delays.push(this.delayMs(true));
    return delays;
  }

  /** @internal */
  delayMs(mayReorder: boolean): number {
    const { minimumDelayMs, maximumDelayMs, reorderChance } = this.conditions;
    const delayMs = minimumDelayMs + this.#random.next() * (maximumDelayMs - minimumDelayMs);
    const isHeldBack = mayReorder && this.#random.next() < reorderChance;
    return isHeldBack ? delayMs + 4 * maximumDelayMs : delayMs;
  }
}
