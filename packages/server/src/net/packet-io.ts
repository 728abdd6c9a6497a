import type { MessagePort } from "node:worker_threads";
import type { Millis } from "@callfork/protocol/text";

/** Names an open UDP port of one `PacketIo`: a small integer, given anew after the port is closed. */
export type PortIndex = number;

/** Longer datagrams are dropped and counted: more than any network path carries unfragmented. */
export const MAX_PACKET_BYTES = 2048;

/**
 * What came in since the last batch: struct of arrays, the first `count` entries count. Packets of one port are in the
 * order in which they came; nothing is said of the order among ports. Everything in it belongs to
 * the `PacketIo` and is valid until the handler returns.
 */
export interface PacketBatch {
  /** Packets received and packets to be sent lie in here, side by side. May be another array next time. */
  readonly bytes: Uint8Array;
  readonly count: number;
  /** Where each packet starts in `bytes`. */
  readonly offset: Uint32Array;
  /** Octets of each packet, at most `MAX_PACKET_BYTES`; 0 is possible. */
  readonly length: Uint16Array;
  /** The port each came to. One that was closed in the same turn may still appear. */
  readonly port: Uint32Array;
  /** 1 when it came from the port's peer (`setPeer`); kept true when the peer changes while the batch is dealt with. */
  readonly fromPeer: Uint8Array;
  /** Monotonic milliseconds (`performance.now()`), one time for the whole batch. */
  readonly receivedAt: Millis;
  sourceAddress(index: number): string;
  sourcePort(index: number): number;
}

/** Each call is a turn: what it queues by `send` leaves when it returns. */
export interface PacketIoHandlers {
  onBatch(batch: PacketBatch): void;
  /** The time asked for by `wakeAt` has come. */
  onWake(now: Millis): void;
  /**
   * ICMP said that nobody listens at the port's exclusive peer.
   *
   * @param wasSending - the kernel said so instead of sending the next packet, so that this one has not left either
   */
  onUnreachable(port: PortIndex, wasSending: boolean): void;
}

export interface PacketIoCounters {
  received: number;
  sent: number;
  /** Longer than `MAX_PACKET_BYTES`. */
  oversized: number;
  /** Not from the exclusive peer, as far as they were seen: the kernel drops most of them unseen. */
  strangers: number;
  /** The kernel's send queue of a port was full. */
  sendOverflow: number;
  /** One turn wanted to build more than the slab holds. */
  slabOverflow: number;
  /** Sends that the kernel refused for another reason than a full queue or a peer that is not there. */
  sendFailed: number;
  /** Receiving stood still until buffers were given back; what came meanwhile waited in the kernel. */
  receiveStarved: number;
  /** Completions had to wait in the kernel because the ring was full. */
  completionOverflow: number;
  /** The kernel could not take or do something for want of memory; it was tried again. */
  retried: number;
  /** Ports that could not be opened for want of descriptors or memory. */
  openFailed: number;
}

/**
 * What `receivedAt` of a batch is before there is any. A field that has never held anything but numbers is kept unboxed,
 * and boxed anew each time it is handed to a function: once a packet and callee. One that began otherwise holds a box,
 * made once a batch. `npm run bench -- packets` shows it.
 */
export const NO_TIME = undefined as unknown as Millis;

/** All at zero. */
export function newPacketIoCounters(): PacketIoCounters {
  return {
    received: 0,
    sent: 0,
    oversized: 0,
    strangers: 0,
    sendOverflow: 0,
    slabOverflow: 0,
    sendFailed: 0,
    receiveStarved: 0,
    completionOverflow: 0,
    retried: 0,
    openFailed: 0,
  };
}

/**
 * UDP packets in batches over one slab: the only way media meets sockets.
 *
 * A thread runs one `PacketIo`. Received packets and packets to be sent lie in the same slab, so that a packet can be
 * changed and sent on where it lies. Nothing here allocates for a packet beyond what the implementation behind it must.
 *
 * An implementation may block the thread while it waits; therefore timers and commands come through this face too.
 */
export interface PacketIo {
  /** For logs and metrics. */
  readonly name: "dgram" | "uring";
  /** Runs of equally long packets leave cheaper by `sendSegments` than one by one. */
  readonly joinsSegments: boolean;
  readonly counters: Readonly<PacketIoCounters>;

  /** Sets the handlers; packets that came before are kept by the kernel. */
  attach(handlers: PacketIoHandlers): void;

  /**
   * Binds a port.
   *
   * @param port - not 0: a number the kernel picked would be lost when a peer is cleared
   * @throws ListenError - `inUse` tells whether another port may succeed
   */
  open(address: string, port: number): Promise<PortIndex>;

  /** The number it is bound to. */
  localPort(port: PortIndex): number;

  /**
   * Where `send` sends to, and whose packets are marked `fromPeer`.
   *
   * @param exclusive - nothing from elsewhere is wanted: the kernel may drop it unseen, which makes both directions
   *   cheaper; only then ICMP errors are told
   */
  setPeer(port: PortIndex, address: string, remotePort: number, exclusive: boolean): void;

  /** Forgets the peer: `send` does nothing until there is another. */
  clearPeer(port: PortIndex): void;

  /**
   * Room in the slab for a packet that is to be built and sent in this turn.
   *
   * @returns its offset in `batch.bytes` (in `slab` outside of a batch), or −1 when this turn's share is used up
   */
  reserve(length: number): number;

  /**
   * Room in the slab that stays the caller's beyond this turn.
   *
   * @returns its offset, or −1 when there is none; there is none without `joinsSegments`
   */
  hold(length: number): number;

  /** Gives back what `hold` gave. */
  release(offset: number): void;

  /** The slab of this turn, for turns without a batch. */
  readonly slab: Uint8Array;

  /** Queues a region of the slab to the port's peer. The octets must not change again in this turn. */
  send(port: PortIndex, offset: number, length: number): void;

  /**
   * Queues a run of packets that lie one behind the other, each of `segmentLength` octets. On the wire they are packets
   * like any other; where the kernel can, they go to it as one.
   */
  sendSegments(port: PortIndex, offset: number, length: number, segmentLength: number): void;

  /** Closes the port. Resolves when its number is free for others. */
  close(port: PortIndex): Promise<void>;

  /** Asks for `onWake` at that time; replaces the time asked for before. `Infinity`: never. */
  wakeAt(at: Millis): void;

  /** Delivers what comes over a message port; each message is a turn of its own. */
  listen(port: MessagePort, handler: (message: unknown) => void): void;

  /** Closes all ports and message ports. */
  stop(): Promise<void>;
}
