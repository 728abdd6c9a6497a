import {
  isNextReceived,
  RECEPTION_CELLS,
  RTP_FIXED_HEADER_LENGTH,
  receiveNext,
  rewriteRtpHeader,
  rtpSequenceNumber,
  rtpSsrc,
  rtpTimestamp,
  writeRtpHeader,
} from "@callfork/protocol/rtp";
import type { SrtpReceiver, SrtpSender } from "@callfork/protocol/srtp";
import type { PacketBatch, PacketIo } from "../net/index.ts";
import { BLOCK_CELLS, FlowCells } from "./flow-cells.ts";
import {
  countNext,
  isNext,
  mapNext,
  STREAM_CELLS,
  STREAM_PACKETS,
  STREAM_SEQUENCE,
  STREAM_SSRC,
  STREAM_TIMESTAMP,
} from "./outgoing-stream.ts";
import type { PacketRun } from "./packet-run.ts";
import { sendProtectedCopy } from "./srtp-state.ts";

/*
 * A block of what comes from a party (`InboundPath`): its way through the worker as it is now.
 */
/** The payload type that takes this way; −1: each packet needs to be looked at. */
export const FLOW_TYPE = 0;
/** The block of the stream that it is relayed on, and the payload type there. */
export const FLOW_RELAY = 1;
export const FLOW_RELAY_TYPE = 2;
/** Blocks of up to two copies of what comes, then of up to two of what is relayed; −1 where there is none. */
export const FLOW_FORKS = 3;
export const FLOW_FORKS_EACH = 2;
/** Monotonic milliseconds of the last packet taken. */
export const FLOW_PACKET_AT = 7;
/** 1 when it comes by SRTP. */
const FLOW_IS_PROTECTED = 8;
/** The first of the cells of the `Reception`. */
export const FLOW_RECEPTION = 9;
/** Packets that were not taken. */
export const FLOW_DROPPED = FLOW_RECEPTION + RECEPTION_CELLS;

/*
 * A block of a stream that we send, behind the cells of its `OutgoingStream`.
 */
/** A fork: the payload type of the leg that is copied as it is. A leg: 0 while what comes may be relayed as it is. −1: not. */
export const SENT_TAKES = STREAM_CELLS;
/** A fork: the payload type towards the recorder. */
export const SENT_TYPE = STREAM_CELLS + 1;
export const SENT_PORT = STREAM_CELLS + 2;
/** When the last turn was in which it sent, and how many packets it had sent before it, and before the one before. */
export const TURN_AT = STREAM_CELLS + 3;
export const SENT_BEFORE_TURN = STREAM_CELLS + 4;
export const SENT_EARLIER = STREAM_CELLS + 5;
/** Packets of a fork for which there was no room. */
export const SENT_DROPPED = STREAM_CELLS + 6;
/** 1 when it leaves by SRTP. */
const SENT_IS_PROTECTED = STREAM_CELLS + 7;

const VERSION_2 = 0x80;
/** Two of what comes and two of what is relayed. */
const FLOW_FORKS_ALL = 2 * FLOW_FORKS_EACH;

/** What becomes of a packet that a fork cannot simply copy. */
export interface Forwarder {
  forward(bytes: Uint8Array, at: number, start: number, end: number, now: number): void;
}

/**
 * The way of the ordinary packet: the next in line of a source that is known, relayed to the other party and copied to
 * recorders as it is. All that it takes, but for SRTP, is in cells, so nothing but arrays is touched, and everything that
 * is the least out of the ordinary is left to `Leg` and `Fork`, who also decide what is ordinary: they write a flow's way
 * into its block when a packet has taken it, and take it back when anything about it changes.
 */
export class SteadyFlows {
  readonly cells: FlowCells;
  readonly #io: PacketIo;
  readonly #cells: Float64Array;
  /** By the number of their block. */
  readonly #forks: (Forwarder | undefined)[] = [];
  readonly #runs: (PacketRun | undefined)[] = [];
  readonly #receivers: (SrtpReceiver | undefined)[] = [];
  readonly #senders: (SrtpSender | undefined)[] = [];

  constructor(io: PacketIo, cells = new FlowCells()) {
    this.#io = io;
    this.cells = cells;
    this.#cells = cells.numbers;
  }

  /** Who looks after the fork of that block; undefined: nobody any more. */
  setFork(block: number, fork: Forwarder | undefined, run: PacketRun | undefined): void {
    put(this.#forks, block, fork);
    put(this.#runs, block, run);
  }

  setReceiver(flow: number, receiver: SrtpReceiver | undefined): void {
    this.#cells[flow + FLOW_IS_PROTECTED] = receiver === undefined ? 0 : 1;
    put(this.#receivers, flow, receiver);
  }

  setSender(block: number, sender: SrtpSender | undefined): void {
    this.#cells[block + SENT_IS_PROTECTED] = sender === undefined ? 0 : 1;
    put(this.#senders, block, sender);
  }

  /** Looks at what a packet of that flow will need, and at nothing of it: see `MediaEngine.onBatch`. */
  touch(flow: number): number {
    const cells = this.#cells;
    return cells[flow]! + cells[flow + 8]! + cells[flow + 16]! + cells[flow + 24]!;
  }

  /** The same of the streams that it is sent on. */
  touchSent(flow: number): number {
    const cells = this.#cells;
    if (cells[flow + FLOW_TYPE]! < 0) return 0;
    let sum = touchStream(cells, cells[flow + FLOW_RELAY]!);
    for (let i = 0; i < FLOW_FORKS_ALL; i++) {
      const fork = cells[flow + FLOW_FORKS + i]!;
      if (fork >= 0) sum += touchStream(cells, fork) + (this.#runs[fork / BLOCK_CELLS]?.waiting ?? 0);
    }
    return sum;
  }

  /** @returns false: nothing was done, the packet's owner has to look at it */
  take(batch: PacketBatch, index: number, flow: number): boolean {
    const cells = this.#cells;
    const { bytes } = batch;
    const at = batch.offset[index]!;
    let length = batch.length[index]!;
    if (length <= RTP_FIXED_HEADER_LENGTH || bytes[at] !== VERSION_2) return false;
    if (bytes[at + 1] !== cells[flow + FLOW_TYPE] || batch.fromPeer[index] !== 1) return false;
    const ssrc = rtpSsrc(bytes, at);
    const sequence = rtpSequenceNumber(bytes, at);
    const timestamp = rtpTimestamp(bytes, at);
    const relay = cells[flow + FLOW_RELAY]!;
    if (cells[relay + SENT_TAKES] !== 0 || !isNext(cells, relay, ssrc, sequence, timestamp)) return false;
    if (cells[flow + FLOW_IS_PROTECTED] !== 0) {
      if (!isNextReceived(cells, flow + FLOW_RECEPTION, ssrc, sequence)) return false;
      const clear = this.#receivers[flow / BLOCK_CELLS]!.unprotectRtp(bytes, at, length);
      // Not authentic, and still as it came; or too short to be taken by this way, which its owner finds out.
      if (clear < 0) return false;
      length = clear;
      batch.length[index] = clear;
    }
    const now = batch.receivedAt;
    const octets = length - RTP_FIXED_HEADER_LENGTH;
    if (!receiveNext(cells, flow + FLOW_RECEPTION, ssrc, sequence, timestamp, now, octets)) return false;
    cells[flow + FLOW_PACKET_AT] = now;
    for (let i = 0; i < FLOW_FORKS_EACH; i++) {
      const fork = cells[flow + FLOW_FORKS + i]!;
      if (fork >= 0) this.#copy(fork, bytes, at, length, now);
    }
    mapNext(cells, relay, now);
    bytes[at + 1] = cells[flow + FLOW_RELAY_TYPE]!;
    rewriteRtpHeader(
      bytes,
      at,
      cells[relay + STREAM_SEQUENCE]!,
      cells[relay + STREAM_TIMESTAMP]! | 0,
      cells[relay + STREAM_SSRC]! | 0,
    );
    this.#relay(flow, relay, bytes, at, length);
    countNext(cells, relay, now, octets);
    for (let i = FLOW_FORKS_EACH; i < FLOW_FORKS_ALL; i++) {
      const fork = cells[flow + FLOW_FORKS + i]!;
      if (fork >= 0) this.#copy(fork, bytes, at, length, now);
    }
    return true;
  }

  #relay(flow: number, relay: number, bytes: Uint8Array, at: number, length: number): void {
    const cells = this.#cells;
    const port = cells[relay + SENT_PORT]!;
    if (cells[relay + SENT_IS_PROTECTED] === 0) {
      this.#io.send(port, at, length);
      return;
    }
    const sender = this.#senders[relay / BLOCK_CELLS]!;
    if (!sendProtectedCopy(this.#io, port, sender, bytes, at, length)) cells[flow + FLOW_DROPPED]!++;
  }

  /** What `Fork.forward` does. */
  #copy(fork: number, bytes: Uint8Array, at: number, length: number, now: number): void {
    const cells = this.#cells;
    const isPlain =
      cells[fork + SENT_TAKES] === bytes[at + 1] &&
      isNext(cells, fork, rtpSsrc(bytes, at), rtpSequenceNumber(bytes, at), rtpTimestamp(bytes, at));
    if (!isPlain) {
      this.#forks[fork / BLOCK_CELLS]?.forward(bytes, at, RTP_FIXED_HEADER_LENGTH, length, now);
      return;
    }
    mapNext(cells, fork, now);
    const type = cells[fork + SENT_TYPE]!;
    const run = this.#runs[fork / BLOCK_CELLS];
    const sender = cells[fork + SENT_IS_PROTECTED] === 0 ? undefined : this.#senders[fork / BLOCK_CELLS];
    const room = sender === undefined ? length : length + sender.rtpOverhead;
    const held = run === undefined ? -1 : run.begin(room, false, type, cells[fork + STREAM_TIMESTAMP]! | 0);
    const copy = held < 0 ? this.#io.reserve(room) : held;
    if (copy < 0) {
      cells[fork + SENT_DROPPED]!++;
      return;
    }
    writeRtpHeader(
      bytes,
      copy,
      false,
      type,
      cells[fork + STREAM_SEQUENCE]!,
      // As signed numbers they cost no box when they are handed over.
      cells[fork + STREAM_TIMESTAMP]! | 0,
      cells[fork + STREAM_SSRC]! | 0,
    );
    bytes.copyWithin(copy + RTP_FIXED_HEADER_LENGTH, at + RTP_FIXED_HEADER_LENGTH, at + length);
    const sent = sender === undefined ? length : sender.protectRtp(bytes, copy, length);
    beginTurn(cells, fork, now);
    if (sent < 0) cells[fork + SENT_DROPPED]!++;
    else if (run !== undefined && held >= 0) run.end(sent, now);
    else this.#io.send(cells[fork + SENT_PORT]!, copy, sent);
    countNext(cells, fork, now, length - RTP_FIXED_HEADER_LENGTH);
  }
}

/** Notes how many packets a fork had sent before this turn. */
export function beginTurn(cells: Float64Array, fork: number, now: number): void {
  if (now === cells[fork + TURN_AT]) return;
  cells[fork + TURN_AT] = now;
  cells[fork + SENT_EARLIER] = cells[fork + SENT_BEFORE_TURN]!;
  cells[fork + SENT_BEFORE_TURN] = cells[fork + STREAM_PACKETS]!;
}

function put<T>(list: (T | undefined)[], block: number, value: T | undefined): void {
  const number = block / BLOCK_CELLS;
  while (list.length <= number) list.push(undefined);
  list[number] = value;
}

function touchStream(cells: Float64Array, at: number): number {
  return cells[at]! + cells[at + 8]! + cells[at + 16]! + cells[at + 24]!;
}
