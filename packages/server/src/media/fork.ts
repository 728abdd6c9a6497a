import {
  parseRtcp,
  type ReportBlock,
  RTP_FIXED_HEADER_LENGTH,
  randomSsrc,
  randomUint32,
  rtpMarker,
  rtpPayloadType,
  rtpSequenceNumber,
  rtpSsrc,
  rtpTimestamp,
  writeRtpHeader,
} from "@callfork/protocol/rtp";
import type { PacketBatch, PortIndex } from "../net/index.ts";
import { type ForkFormat, ForkFormats } from "./fork-formats.ts";
import type { MediaContext } from "./media-context.ts";
import { firstSequence, OutgoingStream } from "./outgoing-stream.ts";
import { type HeldRuns, PacketRun } from "./packet-run.ts";
import type { PortOwner } from "./port-owner.ts";
import { RtcpPath } from "./rtcp-path.ts";
import { RtcpReporter } from "./rtcp-reporter.ts";
import { SrtpState, sendProtected } from "./srtp-state.ts";
import {
  beginTurn,
  SENT_BEFORE_TURN,
  SENT_DROPPED,
  SENT_EARLIER,
  SENT_PORT,
  SENT_TAKES,
  SENT_TYPE,
  TURN_AT,
} from "./steady-flows.ts";
import { receivedStats, sentStats } from "./stream-stats.ts";
import type { TranscodeQueue } from "./transcode-queue.ts";
import type { TranscodedSink } from "./transcoder.ts";
import type { ForkConnection, MediaId, MediaStats } from "./types.ts";

/** ICMP answers every packet we send; one event in this time is enough. */
const UNREACHABLE_EVERY_MS = 1000;
/** Ten report intervals of five seconds. */
const LOOP_MS = 50_000;

/**
 * A copy of one direction of a leg on its way to a recorder: an RTP stream of our own (RFC 7866 §8.2.3, endpoint role).
 * The payload is the leg's, bit for bit, where the recorder takes its codec, else it is transcoded; header extensions,
 * CSRC list and padding stay behind, because nobody agreed on them with the recorder. Payload types that are of no use
 * to the recorder are left out without a gap in the sequence.
 */
export class Fork implements PortOwner, TranscodedSink {
  readonly id: MediaId;
  readonly rtpPort: PortIndex;
  readonly rtcpPort: PortIndex;
  readonly #context: MediaContext;
  readonly #srtp = new SrtpState();
  readonly #rtcp: RtcpPath;
  readonly #formats: ForkFormats;
  /** Of the packet that was forwarded last. */
  #active: ForkFormat | undefined;
  /** Of the packet that is being forwarded. */
  #now = 0;
  #reporter: RtcpReporter | undefined;
  #stream: OutgoingStream | undefined;
  #remoteReport: ReportBlock | undefined;
  #unreachableAt = Number.NEGATIVE_INFINITY;
  #collidedAt = Number.NEGATIVE_INFINITY;
  /** Its block of cells: see `SteadyFlows`. */
  readonly block: number;
  #rejected = 0;
  #withholds = false;
  readonly #held: HeldRuns;
  #run: PacketRun | undefined;
  #withheld = 0;
  #unforwarded = 0;

  constructor(
    context: MediaContext,
    id: MediaId,
    rtpPort: PortIndex,
    rtcpPort: PortIndex,
    shared: {
      readonly held: HeldRuns;
      readonly transcodings: TranscodeQueue;
    },
  ) {
    const { held, transcodings } = shared;
    this.block = context.flows.cells.take();
    const cells = context.flows.cells.numbers;
    for (const cell of [SENT_BEFORE_TURN, SENT_EARLIER, SENT_DROPPED]) cells[this.block + cell] = 0;
    for (const cell of [SENT_TAKES, TURN_AT]) cells[this.block + cell] = -1;
    cells[this.block + SENT_PORT] = rtpPort;
    this.#formats = new ForkFormats(this, transcodings);
    this.#held = held;
    this.#context = context;
    this.id = id;
    this.rtpPort = rtpPort;
    this.rtcpPort = rtcpPort;
    this.#rtcp = new RtcpPath(context.io, rtcpPort, this.#srtp);
  }

  /** May be told again when the recorder changes its answer: the stream goes on with its SSRC and sequence. */
  start(connection: ForkConnection): void {
    const { remote, clockRateHz, cname } = connection;
    this.#set(SENT_TAKES, -1);
    // What waits belongs to the time before.
    this.#useRun(connection.batching !== false);
    this.#context.io.setPeer(this.rtpPort, remote.address, remote.rtpPort, true);
    this.#rtcp.expect(remote.address, remote.rtcpPort);
    this.#formats.use(connection);
    if (this.#active !== undefined && !this.#formats.has(this.#active)) this.#active = undefined;
    this.#withholds = connection.withhold === true;
    // What filters and half-filled packets remember of before must not come out after.
    if (this.#withholds) this.#formats.reset();
    this.#reporter ??= new RtcpReporter(this.#context, cname);
    const { random, ciphers } = this.#context;
    const before = this.#srtp.update(ciphers, connection.srtp);
    const stream = this.#stream;
    if (stream !== undefined) {
      if (before?.hasRolledOver(stream.ssrc) === true) stream.changeSsrc(randomSsrc(random, stream.ssrc));
      return;
    }
    const options = {
      ssrc: randomSsrc(random),
      firstSequence: firstSequence(random),
      firstTimestamp: randomUint32(random),
      clockRateHz,
      followsClock: true,
    };
    this.#stream = new OutgoingStream(options, this.#context.flows.cells.numbers, this.block);
  }

  /** Copies one RTP packet of the leg: the region as it lies in the slab, payload from `start` to `end` within it. */
  forward(bytes: Uint8Array, at: number, start: number, end: number, now: number): void {
    const stream = this.#stream;
    if (stream === undefined) return;
    const format = this.#formats.at(rtpPayloadType(bytes, at));
    const ssrc = rtpSsrc(bytes, at);
    const sequence = rtpSequenceNumber(bytes, at);
    if (this.#withholds || format === undefined) {
      if (format !== undefined) this.#withheld++;
      else {
        this.#unforwarded++;
        this.#active?.transcoder?.skip(ssrc, sequence, now);
      }
      stream.skip(ssrc, sequence);
      return;
    }
    this.#now = now;
    if (format !== this.#active) this.#change(format, stream);
    if (format.transcoder !== undefined) {
      const payload = bytes.subarray(at + start, at + end);
      format.transcoder.push(ssrc, sequence, rtpTimestamp(bytes, at), payload, now);
      return;
    }
    stream.map(ssrc, sequence, rtpTimestamp(bytes, at), now);
    const length = RTP_FIXED_HEADER_LENGTH + end - start;
    const { sender } = this.#srtp;
    const room = sender === undefined ? length : length + sender.rtpOverhead;
    const run = this.#run;
    const held =
      run === undefined
        ? -1
        : run.begin(room, rtpMarker(bytes, at), format.payloadType, stream.timestamp | 0);
    const copy = held < 0 ? this.#context.io.reserve(room) : held;
    if (copy < 0) {
      this.#drop();
      return;
    }
    writeRtpHeader(
      bytes,
      copy,
      rtpMarker(bytes, at),
      format.payloadType,
      stream.sequence,
      stream.timestamp,
      stream.ssrc,
    );
    bytes.copyWithin(copy + RTP_FIXED_HEADER_LENGTH, at + start, at + end);
    const protectedLength = sender === undefined ? length : sender.protectRtp(bytes, copy, length);
    beginTurn(this.#context.flows.cells.numbers, this.block, now);
    if (protectedLength < 0) this.#drop();
    else if (run !== undefined && held >= 0) run.end(protectedLength, now);
    else this.#context.io.send(this.rtpPort, copy, protectedLength);
    stream.count(end - start, now);
    if (stream.packets === 1) this.#reporter?.start(now, true);
    // The next one like it need not come by here.
    this.#set(SENT_TYPE, format.payloadType);
    this.#set(SENT_TAKES, rtpPayloadType(bytes, at));
    this.#context.flows.setSender(this.block, sender);
  }

  /** A packet that a transcoder has made of the leg's. */
  onTranscoded(payload: Uint8Array, units: number, skippedUnits: number): void {
    const stream = this.#stream;
    const format = this.#active;
    if (stream === undefined || format === undefined) return;
    this.#run?.flush();
    const now = this.#now;
    if (skippedUnits < 0) stream.restart();
    const isFirst = stream.next(units, now, Math.max(0, skippedUnits));
    const { io } = this.#context;
    const { sender } = this.#srtp;
    const length = RTP_FIXED_HEADER_LENGTH + payload.length;
    const at = io.reserve(sender === undefined ? length : length + sender.rtpOverhead);
    if (at < 0) {
      this.#drop();
      return;
    }
    // "The first packet after a silence period" carries the marker (RFC 3551 §4.1).
    const marker = isFirst || skippedUnits > 0;
    const bytes = io.slab;
    writeRtpHeader(bytes, at, marker, format.payloadType, stream.sequence, stream.timestamp, stream.ssrc);
    bytes.set(payload, at + RTP_FIXED_HEADER_LENGTH);
    beginTurn(this.#context.flows.cells.numbers, this.block, now);
    if (sender === undefined) io.send(this.rtpPort, at, length);
    else if (!sendProtected(io, this.rtpPort, sender, bytes, at, length)) this.#drop();
    stream.count(payload.length, now);
    if (stream.packets === 1) this.#reporter?.start(now, true);
  }

  /** Nothing but reports is expected from a recorder; what comes all the same may tell that our SSRC is taken. */
  onRtpPacket(batch: PacketBatch, index: number): void {
    this.#drop();
    const stream = this.#stream;
    const at = batch.offset[index]!;
    const isClear = this.#srtp.receiver === undefined; // one that is not authenticated proves nothing
    if (!isClear || batch.fromPeer[index] !== 1 || batch.length[index]! < RTP_FIXED_HEADER_LENGTH) return;
    if (stream?.started && rtpSsrc(batch.bytes, at) === stream.ssrc) this.#collided(stream, batch.receivedAt);
  }

  onRtcpPacket(batch: PacketBatch, index: number): void {
    const { receiver } = this.#srtp;
    const at = batch.offset[index]!;
    const length = batch.length[index]!;
    const clear = receiver === undefined ? length : receiver.unprotectRtcp(batch.bytes, at, length);
    if (clear < 0) {
      this.#rejected++;
      return;
    }
    const parsed = parseRtcp(batch.bytes, at, clear);
    const stream = this.#stream;
    if (!parsed.ok || stream === undefined || !this.#rtcp.admits(batch, index)) {
      this.#drop();
      return;
    }
    for (const packet of parsed.value) {
      if (packet.kind !== "sr" && packet.kind !== "rr") continue;
      if (packet.ssrc === stream.ssrc) this.#collided(stream, batch.receivedAt);
      for (const report of packet.reports) if (report.ssrc === stream.ssrc) this.#remoteReport = report;
    }
  }

  onUnreachable(now: number, wasSending: boolean): void {
    if (now - this.#unreachableAt < UNREACHABLE_EVERY_MS) return;
    this.#unreachableAt = now;
    this.#context.emit({ kind: "unreachable", id: this.id, delivered: this.#delivered(wasSending) });
  }

  /** ICMP speaks of what left last: a run, or what was sent in one turn; of the one before when this one was refused. */
  #delivered(wasSending: boolean): number {
    const run = this.#run;
    if (run === undefined) return this.#get(wasSending ? SENT_EARLIER : SENT_BEFORE_TURN);
    const left = (this.#stream?.packets ?? 0) - run.waiting - run.lastCount;
    return Math.max(0, wasSending ? left - run.countBefore : left);
  }

  onTick(now: number): void {
    const stream = this.#stream;
    if (stream !== undefined) this.#reporter?.run(now, this.#rtcp, stream.ssrc, stream, undefined);
  }

  stats(): MediaStats {
    const { wallAt } = this.#context;
    return {
      received: receivedStats(undefined, wallAt),
      sent: sentStats(this.#stream, this.#remoteReport, wallAt),
      dropped: this.#get(SENT_DROPPED) + (this.#run?.dropped ?? 0),
      rejected: this.#rejected,
      withheld: this.#withheld,
      unforwarded: this.#unforwarded,
      transcoding: this.#formats.transcoding(this.#active),
      isReported: this.#remoteReport !== undefined,
      packetTimeMs: this.#stream?.packetTimeMs ?? 20,
    };
  }

  close(now: number): void {
    const stream = this.#stream;
    this.#now = now;
    if (!this.#withholds) this.#active?.transcoder?.flush();
    this.#formats.close();
    this.#set(SENT_TAKES, -1);
    this.#useRun(false);
    if (stream !== undefined) this.#reporter?.bye(now, this.#rtcp, stream.ssrc, stream);
  }

  release(): void {
    this.#context.flows.setFork(this.block, undefined, undefined);
    this.#context.flows.setSender(this.block, undefined);
    this.#context.flows.cells.release(this.block);
  }

  #useRun(wanted: boolean): void {
    const run = this.#run;
    run?.flush();
    if (run !== undefined && !wanted) {
      run.close();
      this.#drop(run.dropped);
      this.#run = undefined;
    }
    if (wanted) this.#run ??= PacketRun.create(this.#context.io, this.rtpPort, this.#held);
    this.#context.flows.setFork(this.block, this, this.#run);
  }

  #drop(packets = 1): void {
    this.#set(SENT_DROPPED, this.#get(SENT_DROPPED) + packets);
  }

  #get(cell: number): number {
    return this.#context.flows.cells.numbers[this.block + cell]!;
  }

  #set(cell: number, value: number): void {
    this.#context.flows.cells.numbers[this.block + cell] = value;
  }

  /** Packets of another format come: what the one before holds back goes first. */
  #change(format: ForkFormat, stream: OutgoingStream): void {
    const { transcoder } = this.#active ?? {};
    transcoder?.flush();
    transcoder?.reset();
    this.#active = format;
    if (format.clockRateHz === stream.clockRateHz) return;
    // "When the clock rate changes" there has to be another SSRC, or nobody can tell time by it (RFC 3550 §5.2).
    if (stream.started) this.#takeAnotherSsrc(stream, this.#now);
    stream.changeClockRate(format.clockRateHz);
  }

  /**
   * The recorder uses our SSRC. When it does so again it sends back what it gets: "a loop", for which nothing is changed
   * until it has been quiet for ten report intervals (RFC 3550 §8.2).
   */
  #collided(stream: OutgoingStream, now: number): void {
    const isLoop = now - this.#collidedAt < LOOP_MS;
    this.#collidedAt = now;
    if (!isLoop) this.#takeAnotherSsrc(stream, now);
  }

  /** "If a source discovers its own identifier in use by another" it says BYE and takes a new one (RFC 3550 §8.2). */
  #takeAnotherSsrc(stream: OutgoingStream, now: number): void {
    this.#run?.flush();
    this.#reporter?.bye(now, this.#rtcp, stream.ssrc, stream);
    stream.changeSsrc(randomSsrc(this.#context.random, stream.ssrc));
  }
}
