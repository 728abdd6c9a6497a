import {
  averageRtcpSize,
  compactNtp,
  compactNtpFromMs,
  formatRtcp,
  ntpFromEpochMs,
  type Reception,
  type ReportBlock,
  type RtcpPacket,
  rtcpIntervalMs,
  SDES_CNAME,
  type SenderReport,
} from "@callfork/protocol/rtp";
import type { MediaContext } from "./media-context.ts";
import type { OutgoingStream } from "./outgoing-stream.ts";
import type { RtcpPath } from "./rtcp-path.ts";

/** 5 % of what G.711 takes with its headers: 80 kbit/s. The minimum of five seconds decides in any case. */
const RTCP_OCTETS_PER_SECOND = 500;
/** IPv4 and UDP headers count (RFC 3550 §6.2). */
const LOWER_LAYER_OCTETS = 28;

/**
 * Our own reports about one port pair: SR while we send, RR while we only receive, always with SDES CNAME (RFC 3550
 * §6.1), on the schedule of §6.3 for an RTP session of two members.
 */
export class RtcpReporter {
  /** Monotonic milliseconds; `Infinity` while there is nothing to report. */
  dueAt = Number.POSITIVE_INFINITY;
  /** Reports sent: without any, and without RTP, there is no BYE either (RFC 3550 §6.3.7). */
  sent = 0;
  readonly #context: MediaContext;
  readonly #cname: string;
  #averageSize = 100;
  /** The peer's last sender report: middle NTP bits and when it came. */
  #lastSenderReport = 0;
  #lastSenderReportAt = 0;
  #lastSenderReportSsrc = -1;
  #packetsAtLastReport = 0;

  constructor(context: MediaContext, cname: string) {
    this.#context = context;
    this.#cname = cname;
  }

  /**
   * There is something to report from now on.
   *
   * @param atOnce - for a sender: "the delay before sending the initial compound RTCP packet MAY be zero" in a unicast
   *   session (RFC 3550 §6.2), and whoever aligns our streams by their sender reports need not wait
   */
  start(now: number, atOnce: boolean): void {
    if (this.dueAt === Number.POSITIVE_INFINITY)
      this.dueAt = atOnce ? now : now + this.#interval(false, true);
  }

  stop(): void {
    this.dueAt = Number.POSITIVE_INFINITY;
  }

  /** Puts the next report off by an interval: somebody else's has gone out in its place. */
  postpone(now: number): void {
    if (this.dueAt !== Number.POSITIVE_INFINITY) this.dueAt = now + this.#interval(false, false);
  }

  /** The peer's sender report came: it is echoed as LSR and DLSR. */
  onSenderReport(report: SenderReport, now: number): void {
    this.#lastSenderReport = compactNtp(report.ntp);
    this.#lastSenderReportAt = now;
    this.#lastSenderReportSsrc = report.ssrc;
  }

  /** Sends a report when it is due. */
  run(
    now: number,
    path: RtcpPath,
    ssrc: number,
    stream: OutgoingStream | undefined,
    source: Reception | undefined,
  ): void {
    if (now < this.dueAt) return;
    const packets = this.#report(now, ssrc, stream, source);
    const bytes = formatRtcp(packets);
    this.#averageSize = averageRtcpSize(this.#averageSize, bytes.length + LOWER_LAYER_OCTETS);
    if (path.send(bytes)) this.sent++;
    this.dueAt = now + this.#interval(packets[0]!.kind === "sr", false);
  }

  /** Says goodbye for `ssrc`, in a compound with a last report. Nothing when nothing was ever sent. */
  bye(now: number, path: RtcpPath, ssrc: number, stream: OutgoingStream | undefined): void {
    if (this.sent === 0 && (stream === undefined || stream.packets === 0)) return;
    this.#packetsAtLastReport = -1;
    const packets = [
      ...this.#report(now, ssrc, stream, undefined),
      { kind: "bye", sources: [ssrc] } as const,
    ];
    path.send(formatRtcp(packets));
  }

  #report(
    now: number,
    ssrc: number,
    stream: OutgoingStream | undefined,
    source: Reception | undefined,
  ): RtcpPacket[] {
    const reports = source === undefined || source.firstPacketAt < 0 ? [] : [this.#block(source, now)];
    const sender = stream !== undefined && stream.packets > 0 && stream.packets !== this.#packetsAtLastReport;
    if (stream !== undefined) this.#packetsAtLastReport = stream.packets;
    const sdes = {
      kind: "sdes",
      chunks: [{ source: ssrc, items: [{ type: SDES_CNAME, value: this.#cname }] }],
    } as const;
    if (!sender) return [{ kind: "rr", ssrc, reports }, sdes];
    const report: SenderReport = {
      kind: "sr",
      ssrc,
      ntp: ntpFromEpochMs(this.#context.wallAt(now)),
      rtpTimestamp: stream.timestampAt(now),
      packets: stream.packetsOfSsrc >>> 0,
      octets: stream.octetsOfSsrc >>> 0,
      reports,
    };
    return [report, sdes];
  }

  #block(source: Reception, now: number): ReportBlock {
    const echoes = this.#lastSenderReportSsrc === source.ssrc;
    return {
      ssrc: source.ssrc,
      fractionLost: source.takeFractionLost(),
      cumulativeLost: source.cumulativeLost,
      extendedHighestSequence: source.extendedHighestSequence,
      jitter: Math.floor(source.jitter) >>> 0,
      lastSenderReport: echoes ? this.#lastSenderReport : 0,
      delaySinceLastSenderReport: echoes ? compactNtpFromMs(now - this.#lastSenderReportAt) : 0,
    };
  }

  #interval(weSent: boolean, initial: boolean): number {
    const [high, low] = this.#context.random.bytes(2);
    return rtcpIntervalMs({
      members: 2,
      senders: 1,
      weSent,
      rtcpOctetsPerSecond: RTCP_OCTETS_PER_SECOND,
      averageSizeOctets: this.#averageSize,
      initial,
      random: (high! * 256 + low!) / 65_536,
    });
  }
}
