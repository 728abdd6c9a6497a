import {
  checkRtcp,
  isRtcp,
  type ReceptionVerdict,
  RTP_FIXED_HEADER_LENGTH,
  rtpPayloadEnd,
  rtpPayloadStart,
  rtpPayloadType,
  rtpSequenceNumber,
  rtpSsrc,
  rtpTimestamp,
} from "@callfork/protocol/rtp";
import type { PacketBatch, PortIndex } from "../net/index.ts";
import { Latch } from "./latch.ts";
import type { MediaContext } from "./media-context.ts";
import { ReceivedStream } from "./received-stream.ts";
import { RtcpPath } from "./rtcp-path.ts";
import { SrtpState } from "./srtp-state.ts";
import { FLOW_DROPPED, FLOW_PACKET_AT, FLOW_RECEPTION, FLOW_TYPE, type SteadyFlows } from "./steady-flows.ts";
import type { MediaTarget } from "./types.ts";

/** What `InboundPath.classify` makes of a datagram on the RTP port. */
export type InboundKind =
  /** Passed all checks: the fields of the path tell about it. */
  | "rtp"
  /** A compound RTCP packet on the RTP port. */
  | "rtcp"
  | "dropped";

/**
 * The way in of a port pair: validation, payload types, symmetric latching, counting. Legs and receivers have one
 * each. After "rtp" the fields below describe the packet; nothing is allocated for it.
 */
export class InboundPath {
  readonly latch: Latch;
  readonly rtcp: RtcpPath;
  readonly received: ReceivedStream;
  readonly srtp = new SrtpState();
  /** SRTP and SRTCP packets that were not authentic, came twice, or came in the clear. */
  rejected = 0;
  /** False before anything is known of the party: RTP and RTCP are dropped. */
  open = false;
  /** False while we told the party not to send (hold): RTP is dropped, RTCP goes on (RFC 3264 §5.1). */
  listening = false;
  /** Its block of cells: see `SteadyFlows`. */
  readonly flow: number;

  ssrc = 0;
  sequence = 0;
  timestamp = 0;
  payloadType = 0;
  /** From the start of the packet. */
  payloadStart = 0;
  payloadEnd = 0;
  verdict: ReceptionVerdict = "in-order";

  /** Clock rate by payload type; 0: nobody agreed on that type. */
  readonly #clockRates = new Uint32Array(128);
  readonly #flows: SteadyFlows;
  readonly #cells: Float64Array;
  #telephoneEvent = -1;

  constructor({ io, flows }: MediaContext, rtpPort: PortIndex, rtcpPort: PortIndex) {
    this.#flows = flows;
    this.#cells = flows.cells.numbers;
    this.flow = flows.cells.take();
    this.received = new ReceivedStream(this.#cells, this.flow + FLOW_RECEPTION);
    this.unsettle();
    this.lastPacketAt = -1;
    this.dropped = 0;
    this.latch = new Latch(io, rtpPort);
    this.rtcp = new RtcpPath(io, rtcpPort, this.srtp, rtpPort);
  }

  /** Packets that were not taken, for whatever reason. */
  get dropped(): number {
    return this.#cells[this.flow + FLOW_DROPPED]!;
  }

  set dropped(packets: number) {
    this.#cells[this.flow + FLOW_DROPPED] = packets;
  }

  /** Monotonic milliseconds of the last packet taken; −1 before the first. */
  get lastPacketAt(): number {
    return this.#cells[this.flow + FLOW_PACKET_AT]!;
  }

  set lastPacketAt(at: number) {
    this.#cells[this.flow + FLOW_PACKET_AT] = at;
  }

  /** Something about its way has changed: packets are looked at again. */
  unsettle(): void {
    this.#cells[this.flow + FLOW_TYPE] = -1;
  }

  /** Nothing comes any more, and nobody asks. */
  release(): void {
    this.unsettle();
    this.#flows.setReceiver(this.flow, undefined);
    this.#flows.cells.release(this.flow);
  }

  /** The peer has fallen silent: see `Latch.reopen`. */
  reopen(): void {
    this.unsettle();
    this.latch.reopen();
  }

  expect(remote: MediaTarget | null): void {
    this.unsettle();
    // 0.0.0.0 is how RFC 2543 puts a party on hold: there is nobody to send to (RFC 3264 §8.4).
    const known = remote !== null && !isUnspecified(remote.address);
    this.latch.expect(known ? remote.address : "", known ? remote.rtpPort : 0);
    const isMuxed = remote !== null && remote.rtcpPort === remote.rtpPort;
    const rtcpAddress = remote?.rtcpAddress ?? remote?.address ?? "";
    this.rtcp.expect(known ? rtcpAddress : "", known ? remote.rtcpPort : 0, isMuxed);
  }

  agree(types: Iterable<readonly [payloadType: number, clockRateHz: number]>, telephoneEvent = -1): void {
    this.unsettle();
    this.#clockRates.fill(0);
    for (const [type, clockRateHz] of types) this.#clockRates[type & 0x7f] = clockRateHz;
    this.#telephoneEvent = telephoneEvent;
  }

  /** Is the packet that was classified last one like all of its flow, so that the next may go by unlooked at? */
  get isOrdinary(): boolean {
    return (
      this.verdict === "in-order" &&
      this.latch.latched &&
      this.payloadStart === RTP_FIXED_HEADER_LENGTH &&
      this.payloadType !== this.#telephoneEvent
    );
  }

  get isTelephoneEvent(): boolean {
    return this.payloadType === this.#telephoneEvent;
  }

  classify(batch: PacketBatch, index: number): InboundKind {
    const bytes = batch.bytes;
    const at = batch.offset[index]!;
    let length = batch.length[index]!;
    if (isRtcp(bytes, at, length)) return "rtcp";
    const { receiver } = this.srtp;
    if (receiver !== undefined) {
      length = receiver.unprotectRtp(bytes, at, length);
      if (length < 0) return this.#reject();
      batch.length[index] = length;
    }
    const start = rtpPayloadStart(bytes, at, length);
    if (start < 0 || !this.listening) return this.#drop();
    const payloadType = rtpPayloadType(bytes, at);
    const clockRateHz = this.#clockRates[payloadType]!;
    if (clockRateHz === 0) return this.#drop();
    const ssrc = rtpSsrc(bytes, at);
    const sequence = rtpSequenceNumber(bytes, at);
    const wasLatched = this.latch.latched;
    if (!this.latch.admits(batch, index, ssrc, sequence)) return this.#drop();
    if (!wasLatched) this.rtcp.followRtp(this.latch.address, this.latch.remotePort);
    this.ssrc = ssrc;
    this.sequence = sequence;
    this.timestamp = rtpTimestamp(bytes, at);
    this.payloadType = payloadType;
    this.payloadStart = start;
    this.payloadEnd = rtpPayloadEnd(bytes, at, length);
    this.lastPacketAt = batch.receivedAt;
    this.verdict = this.received.receive(
      ssrc,
      clockRateHz,
      sequence,
      this.timestamp,
      batch.receivedAt,
      this.payloadEnd - start,
      payloadType !== this.#telephoneEvent,
    );
    return "rtp";
  }

  /** Is it a compound packet of the party's? Then it lies in the batch in the clear. */
  admitsRtcp(batch: PacketBatch, index: number): boolean {
    const { receiver } = this.srtp;
    if (receiver !== undefined) {
      const length = receiver.unprotectRtcp(batch.bytes, batch.offset[index]!, batch.length[index]!);
      if (length < 0) {
        this.rejected++;
        return false;
      }
      batch.length[index] = length;
    }
    const fault = checkRtcp(batch.bytes, batch.offset[index]!, batch.length[index]!);
    if (fault === undefined && this.open && this.rtcp.admits(batch, index)) return true;
    this.dropped++;
    return false;
  }

  #drop(): "dropped" {
    this.dropped++;
    return "dropped";
  }

  #reject(): "dropped" {
    this.rejected++;
    return "dropped";
  }
}

function isUnspecified(address: string): boolean {
  return address === "0.0.0.0" || address === "::";
}
