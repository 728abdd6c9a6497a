import { parseRtcp, randomSsrc } from "@callfork/protocol/rtp";
import type { PacketBatch, PortIndex } from "../net/index.ts";
import { InboundPath } from "./inbound-path.ts";
import type { MediaContext } from "./media-context.ts";
import type { PacketSink } from "./packet-sink.ts";
import type { PortOwner } from "./port-owner.ts";
import { RtcpReporter } from "./rtcp-reporter.ts";
import { SilenceWatch } from "./silence-watch.ts";
import { receivedStats, sentStats } from "./stream-stats.ts";
import type { MediaId, MediaSrtp, MediaStats, MediaTarget } from "./types.ts";

export interface ReceiverConnection {
  readonly remote: MediaTarget | null;
  readonly payloadTypes: readonly number[];
  readonly srtp: MediaSrtp | undefined;
}

/**
 * A port pair that only listens: every valid packet of the sender goes into the recorder's sink, RTCP too; receiver
 * reports go back from the port that RTCP comes to (RFC 7866 §8.1.8).
 */
export class Receiver implements PortOwner {
  readonly id: MediaId;
  readonly rtpPort: PortIndex;
  readonly rtcpPort: PortIndex;
  readonly #context: MediaContext;
  readonly #sink: PacketSink;
  readonly #clockRateHz: number;
  readonly #inbound: InboundPath;
  readonly #silence: SilenceWatch;
  readonly #reporter: RtcpReporter;
  #ssrc: number;

  constructor(
    context: MediaContext,
    id: MediaId,
    ports: { readonly rtpPort: PortIndex; readonly rtcpPort: PortIndex },
    options: { readonly sink: PacketSink; readonly cname: string; readonly clockRateHz: number },
  ) {
    this.#context = context;
    this.id = id;
    this.rtpPort = ports.rtpPort;
    this.rtcpPort = ports.rtcpPort;
    this.#sink = options.sink;
    this.#clockRateHz = options.clockRateHz;
    this.#inbound = new InboundPath(context, ports.rtpPort, ports.rtcpPort);
    this.#silence = new SilenceWatch(context, id, this.#inbound);
    this.#reporter = new RtcpReporter(context, options.cname);
    this.#ssrc = randomSsrc(context.random);
  }

  connect({ remote, payloadTypes, srtp }: ReceiverConnection, now: number): void {
    this.#inbound.expect(remote);
    this.#inbound.srtp.update(this.#context.ciphers, srtp);
    this.#inbound.agree(payloadTypes.map((type) => [type, this.#clockRateHz] as const));
    this.#inbound.open = true;
    this.#inbound.listening = payloadTypes.length > 0;
    this.#silence.restart(now);
  }

  onRtpPacket(batch: PacketBatch, index: number): void {
    const kind = this.#inbound.classify(batch, index);
    if (kind === "rtcp") this.onRtcpPacket(batch, index);
    if (kind !== "rtp") return;
    // Also what A.1 would hold back for a moment: the recorder judges by timestamps, and nothing said is dropped.
    this.#silence.onPacket();
    this.#reporter.start(batch.receivedAt, false);
    this.#sink.write(batch, index, this.id, "rtp");
  }

  onRtcpPacket(batch: PacketBatch, index: number): void {
    if (!this.#inbound.admitsRtcp(batch, index)) return;
    const parsed = parseRtcp(batch.bytes, batch.offset[index]!, batch.length[index]!);
    if (!parsed.ok) {
      this.#inbound.dropped++;
      return;
    }
    const now = batch.receivedAt;
    for (const packet of parsed.value) {
      if (packet.kind === "sr") this.#reporter.onSenderReport(packet, now);
      if ((packet.kind === "sr" || packet.kind === "rr") && packet.ssrc === this.#ssrc) {
        // RFC 3550 §8.2: our identifier is in use by another.
        this.#reporter.bye(now, this.#inbound.rtcp, this.#ssrc, undefined);
        this.#ssrc = randomSsrc(this.#context.random, this.#ssrc);
      }
    }
    this.#reporter.start(now, false);
    this.#sink.write(batch, index, this.id, "rtcp");
  }

  /** A receiver that reports to a sender that is gone hears ICMP; there is nobody to tell. */
  onUnreachable(): void {}

  onTick(now: number): void {
    this.#silence.run(now);
    this.#reporter.run(now, this.#inbound.rtcp, this.#ssrc, undefined, this.#inbound.received.current);
  }

  stats(): MediaStats {
    const { wallAt } = this.#context;
    return {
      received: receivedStats(this.#inbound.received, wallAt),
      sent: sentStats(undefined, undefined, wallAt),
      dropped: this.#inbound.dropped,
      rejected: this.#inbound.rejected,
    };
  }

  close(now: number): void {
    this.#reporter.bye(now, this.#inbound.rtcp, this.#ssrc, undefined);
    this.#sink.flush();
  }

  release(): void {
    this.#inbound.release();
  }
}
