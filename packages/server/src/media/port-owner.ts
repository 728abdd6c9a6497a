import type { PacketBatch, PortIndex } from "../net/index.ts";
import type { MediaId, MediaStats } from "./types.ts";

/** A leg, a fork or a receiver: what has a port pair and is told what happens on it. */
export interface PortOwner {
  readonly id: MediaId;
  readonly rtpPort: PortIndex;
  readonly rtcpPort: PortIndex;
  onRtpPacket(batch: PacketBatch, index: number): void;
  onRtcpPacket(batch: PacketBatch, index: number): void;
  onUnreachable(now: number, wasSending: boolean): void;
  /** Several times a second: reports, silence. */
  onTick(now: number): void;
  stats(): MediaStats;
  /** Says goodbye; the ports are closed afterwards. */
  close(now: number): void;
  /** Gives its cells back; nothing is asked of it afterwards. */
  release(): void;
}
