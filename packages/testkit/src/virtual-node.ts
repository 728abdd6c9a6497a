import {
  type SipDestination,
  type SipFlow,
  type SipTransportHandlers,
  type SipTransportName,
  type SipTransports,
  TransportError,
} from "@callfork/server/net";
import type { VirtualNetwork, VirtualNodeOptions } from "./virtual-network.ts";

/** One end of a TCP connection. */
interface TcpEnd {
  readonly node: VirtualNode;
  readonly flow: SipFlow;
  peer: TcpEnd | undefined;
  /** When the last message arrives: none may arrive before it. */
  lastArrival: number;
}

/** The SIP transports of one host on the virtual network. */
export class VirtualNode implements SipTransports {
  readonly address: string;
  readonly port: number;
  readonly available: readonly SipTransportName[];
  readonly #network: VirtualNetwork;
  readonly #nat: VirtualNodeOptions["behindNat"];
  readonly #connections = new Map<string, TcpEnd>();
  readonly #connecting = new Map<string, Promise<TcpEnd>>();
  #handlers: SipTransportHandlers | undefined;
  #isClosed = false;

  constructor(network: VirtualNetwork, address: string, options: VirtualNodeOptions) {
    this.#network = network;
    this.address = address;
    this.port = options.port ?? 5060;
    this.available = options.transports ?? ["udp", "tcp"];
    this.#nat = options.behindNat;
  }

  attach(handlers: SipTransportHandlers): void {
    this.#handlers = handlers;
  }

  sentBy(): { readonly host: string; readonly port: number } {
    return { host: this.address, port: this.port };
  }

  async send(bytes: Uint8Array, to: SipDestination | SipFlow): Promise<void> {
    if (this.#isClosed) throw new TransportError("closed", "the node is closed");
    if (!this.available.includes(to.transport)) {
      throw new TransportError("unavailable", `this node has no ${to.transport}`);
    }
    const address = "address" in to ? to.address : to.remoteAddress;
    const port = "address" in to ? to.port : to.remotePort;
    if (to.transport === "udp") this.#sendDatagram(bytes.slice(), address, port);
    else await this.#sendStream(bytes.slice(), address, port, "id" in to ? to.id : undefined);
  }

  /** Resets every TCP connection; both sides learn of it. */
  resetConnections(): void {
    for (const end of [...this.#connections.values()]) {
      end.node.#drop(end);
      if (end.peer !== undefined) end.peer.node.#drop(end.peer);
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.resetConnections();
    this.#network.forget(this);
  }

  #sendDatagram(bytes: Uint8Array, address: string, port: number): void {
    const source = this.#nat ?? { address: this.address, port: this.port };
    const message = this.#network.record(
      "udp",
      `${source.address}:${source.port}`,
      `${address}:${port}`,
      bytes,
    );
    for (const delayMs of this.#network.datagramDelays(message)) {
      this.#network.clock.setTimer(delayMs, () =>
        this.#network.find(address, port)?.receiveDatagram(bytes.slice(), source),
      );
    }
  }

  /** @internal */
  receiveDatagram(bytes: Uint8Array, source: { readonly address: string; readonly port: number }): void {
    if (this.#isClosed || !this.available.includes("udp")) return;
    this.#handlers?.onMessage(bytes, {
      id: `udp ${this.address}:${this.port} ${source.address}:${source.port}`,
      transport: "udp",
      localAddress: this.address,
      localPort: this.port,
      remoteAddress: source.address,
      remotePort: source.port,
    });
  }

  async #sendStream(bytes: Uint8Array, address: string, port: number, flowId?: string): Promise<void> {
    const open =
      (flowId === undefined ? undefined : this.#connections.get(flowId)) ?? this.#openTo(address, port);
    const end = open ?? (await this.#connectOnce(address, port));
    const { clock } = this.#network;
    this.#network.record("tcp", `${this.address}:${end.flow.localPort}`, `${address}:${port}`, bytes);
    const arrival = Math.max(end.lastArrival, clock.now() + this.#network.delayMs(false));
    end.lastArrival = arrival;
    clock.setTimer(arrival - clock.now(), () => {
      if (end.peer !== undefined) end.peer.node.#receiveStream(end.peer, bytes);
    });
  }

  #openTo(address: string, port: number): TcpEnd | undefined {
    return [...this.#connections.values()].find(
      ({ flow }) => flow.remoteAddress === address && flow.remotePort === port,
    );
  }

  /** Messages that come while a connection is being opened wait for it together, in order. */
  #connectOnce(address: string, port: number): Promise<TcpEnd> {
    const key = `${address}:${port}`;
    const pending = this.#connecting.get(key);
    if (pending !== undefined) return pending;
    const connecting = this.#connect(address, port).finally(() => this.#connecting.delete(key));
    this.#connecting.set(key, connecting);
    return connecting;
  }

  async #connect(address: string, port: number): Promise<TcpEnd> {
    const roundTripMs = 2 * this.#network.delayMs(false);
    await new Promise<void>((resolve) => void this.#network.clock.setTimer(roundTripMs, resolve));
    const peer = this.#network.find(address, port);
    if (peer === undefined || peer.#isClosed || !peer.available.includes("tcp")) {
      throw new TransportError("refused", `connection to ${address}:${port} refused`);
    }
    const localPort = this.#network.ephemeralPort();
    const mine = this.#end(localPort, address, port);
    const theirs = peer.#end(port, this.address, localPort);
    mine.peer = theirs;
    theirs.peer = mine;
    return mine;
  }

  #end(localPort: number, remoteAddress: string, remotePort: number): TcpEnd {
    const id = `tcp ${this.address}:${localPort} ${remoteAddress}:${remotePort}`;
    const flow: SipFlow = {
      id,
      transport: "tcp",
      localAddress: this.address,
      localPort,
      remoteAddress,
      remotePort,
    };
    const end: TcpEnd = { node: this, flow, peer: undefined, lastArrival: 0 };
    this.#connections.set(id, end);
    return end;
  }

  #receiveStream(end: TcpEnd, bytes: Uint8Array): void {
    if (this.#isClosed || !this.#connections.has(end.flow.id)) return;
    this.#handlers?.onMessage(bytes, end.flow);
  }

  #drop(end: TcpEnd): void {
    if (this.#connections.delete(end.flow.id)) this.#handlers?.onFlowClosed?.(end.flow);
  }
}
