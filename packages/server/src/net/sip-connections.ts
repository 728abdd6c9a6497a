import type { Log } from "../observe/index.ts";
import { TransportError } from "./transport-error.ts";
import type { SipFlow } from "./types.ts";

/** One connection that carries SIP, of whatever kind. */
export interface SipConnection {
  readonly flow: SipFlow;
  /** Can it take another message? */
  readonly usable: boolean;
  /** Resolves when the kernel took the octets; rejects with a `TransportError`. */
  send(bytes: Uint8Array): Promise<void>;
  /** Lets written octets leave, then closes. */
  end(): void;
}

export interface SipConnectionsLimits {
  /** Connections of all kinds and both directions together, unfinished handshakes included. */
  readonly maxConnections: number;
  /** Of these, accepted from one address. */
  readonly maxConnectionsPerSource: number;
  /** Octets of unfinished messages, of all connections together. */
  readonly maxUnfinishedBytes: number;
}

/** The right to hold one connection open. */
export interface Seat {
  /** It has carried SIP: it is not taken away any more. */
  prove(): void;
  /** Once the connection is gone; repeated calls do nothing. */
  release(): void;
}

/**
 * Who is connected, and how many may be. When every seat is taken, the oldest connection that has not carried one whole
 * message makes room: somebody who opens ten thousand of them and waits keeps nobody else out.
 */
export class SipConnections {
  readonly #limits: SipConnectionsLimits;
  readonly #log: Log;
  readonly #byId = new Map<string, SipConnection>();
  /** Connections that may take a message to a peer; the newest where there are several. */
  readonly #byPeer = new Map<string, SipConnection>();
  readonly #keysOf = new Map<SipConnection, string[]>();
  readonly #perSource = new Map<string, number>();
  /** Accepted, silent so far; oldest first. */
  readonly #unproven = new Set<() => void>();
  #taken = 0;
  #unfinishedBytes = 0;
  #nextId = 1;

  constructor(limits: SipConnectionsLimits, log: Log) {
    this.#limits = limits;
    this.#log = log;
  }

  nextId(transport: string): string {
    return `${transport}:${this.#nextId++}`;
  }

  /** @param evict - closes the connection at once, to make room; undefined: there is no room. */
  admit(remoteAddress: string, evict: () => void): Seat | undefined {
    const held = this.#perSource.get(remoteAddress) ?? 0;
    if (held >= this.#limits.maxConnectionsPerSource) {
      this.#log.warn({ remoteAddress, held }, "SIP connection refused: too many from this address");
      return undefined;
    }
    if (this.#taken >= this.#limits.maxConnections && !this.#makeRoom()) {
      this.#log.warn({ remoteAddress }, "SIP connection refused: too many are open");
      return undefined;
    }
    this.#perSource.set(remoteAddress, held + 1);
    this.#unproven.add(evict);
    return this.#seat(() => {
      const left = (this.#perSource.get(remoteAddress) ?? 1) - 1;
      if (left === 0) this.#perSource.delete(remoteAddress);
      else this.#perSource.set(remoteAddress, left);
    }, evict);
  }

  /** For a connection that we open. @throws TransportError "overloaded" */
  take(): Seat {
    if (this.#taken >= this.#limits.maxConnections && !this.#makeRoom()) {
      throw new TransportError("overloaded", "too many connections are open");
    }
    return this.#seat(() => {});
  }

  add(connection: SipConnection, key?: string): void {
    this.#byId.set(connection.flow.id, connection);
    if (key !== undefined) this.alias(connection, key);
  }

  /** Messages to the peer of that key may take this connection. */
  alias(connection: SipConnection, key: string): void {
    const keys = this.#keysOf.get(connection) ?? [];
    if (keys.length >= MAX_KEYS) return;
    if (!keys.includes(key)) this.#keysOf.set(connection, [...keys, key]);
    this.#byPeer.set(key, connection);
  }

  get(id: string): SipConnection | undefined {
    const found = this.#byId.get(id);
    return found?.usable === true ? found : undefined;
  }

  to(key: string): SipConnection | undefined {
    const found = this.#byPeer.get(key);
    return found?.usable === true ? found : undefined;
  }

  forget(connection: SipConnection): void {
    this.#byId.delete(connection.flow.id);
    for (const key of this.#keysOf.get(connection) ?? []) {
      if (this.#byPeer.get(key) === connection) this.#byPeer.delete(key);
    }
    this.#keysOf.delete(connection);
  }

  /**
   * A connection holds so many octets more (or fewer) of an unfinished message.
   *
   * @returns false when all together hold too many: that connection is to be closed
   */
  hold(change: number): boolean {
    this.#unfinishedBytes += change;
    return change <= 0 || this.#unfinishedBytes <= this.#limits.maxUnfinishedBytes;
  }

  endAll(): void {
    for (const connection of [...this.#byId.values()]) connection.end();
  }

  #seat(onRelease: () => void, evict?: () => void): Seat {
    this.#taken += 1;
    let held = true;
    return {
      prove: () => void (evict !== undefined && this.#unproven.delete(evict)),
      release: () => {
        if (!held) return;
        held = false;
        this.#taken -= 1;
        if (evict !== undefined) this.#unproven.delete(evict);
        onRelease();
      },
    };
  }

  #makeRoom(): boolean {
    const [oldest] = this.#unproven;
    if (oldest === undefined) return false;
    this.#unproven.delete(oldest);
    oldest();
    return true;
  }
}

/** A peer that claims port after port for one connection is not obeyed for ever. */
const MAX_KEYS = 8;
