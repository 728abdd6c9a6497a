import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { once } from "node:events";
import type { TestContext } from "node:test";
import {
  formatRtcp,
  isRtcp,
  parseRtcp,
  type RtcpPacket,
  rtpMarker,
  rtpPayloadEnd,
  rtpPayloadStart,
  rtpPayloadType,
  rtpSequenceNumber,
  rtpSsrc,
  rtpTimestamp,
  writeRtpHeader,
} from "@callfork/protocol/rtp";
import type { PacketIoChoice } from "../../net/index.ts";
import type { Log } from "../../observe/index.ts";
import { createMediaPlane, type LocalMediaPlane, type MediaPlaneOptions } from "../media-plane.ts";
import type { MediaEvent, MediaId, MediaPlane, MediaStats, MediaTarget } from "../types.ts";

export const LOCALHOST = "127.0.0.1";
const quiet: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet };

/** A media plane on loopback for one test. Test files run side by side, so each takes a range of its own. */
export async function startPlane(
  t: TestContext,
  firstPort: number,
  options: Partial<MediaPlaneOptions> = {},
): Promise<LocalMediaPlane> {
  const plane = await createMediaPlane({
    advertisedAddress: LOCALHOST,
    ports: { first: firstPort, last: firstPort + 199 },
    workers: 1,
    // Any test of media can be run on either.
    io: process.env.CALLFORK_MEDIA_IO as PacketIoChoice | undefined,
    log: quiet,
    ...options,
  });
  t.after(() => plane.stop());
  return plane;
}

export interface SentRtp {
  readonly sequence: number;
  readonly timestamp: number;
  readonly ssrc?: number;
  readonly payloadType?: number;
  readonly marker?: boolean;
  readonly payload?: Uint8Array;
}

export interface SeenRtp extends Required<SentRtp> {
  readonly bytes: Uint8Array;
  readonly from: RemoteInfo;
}

/** The other end of an RTP session: a port pair that sends what it is told and keeps what comes. */
export class TestParty {
  readonly rtp: Socket;
  readonly rtcp: Socket;
  readonly packets: SeenRtp[] = [];
  readonly reports: { readonly packets: readonly RtcpPacket[]; readonly from: RemoteInfo }[] = [];

  static async open(t: TestContext): Promise<TestParty> {
    for (;;) {
      const rtp = createSocket("udp4");
      rtp.bind(0, LOCALHOST);
      await once(rtp, "listening");
      const rtcp = createSocket("udp4");
      try {
        rtcp.bind(rtp.address().port + 1, LOCALHOST);
        await once(rtcp, "listening");
      } catch {
        rtp.close();
        rtcp.close();
        continue;
      }
      const party = new TestParty(rtp, rtcp);
      t.after(() => party.close());
      return party;
    }
  }

  private constructor(rtp: Socket, rtcp: Socket) {
    this.rtp = rtp;
    this.rtcp = rtcp;
    rtp.on("message", (bytes, from) => {
      if (isRtcp(bytes, 0, bytes.length)) this.#takeReports(bytes, from);
      else this.packets.push(readRtp(bytes, from));
    });
    rtcp.on("message", (bytes, from) => this.#takeReports(bytes, from));
  }

  #takeReports(bytes: Uint8Array, from: RemoteInfo): void {
    const parsed = parseRtcp(bytes);
    if (!parsed.ok) throw new Error(`RTCP that cannot be read: ${parsed.error.code}`);
    this.reports.push({ packets: parsed.value, from });
  }

  get target(): MediaTarget {
    return { address: LOCALHOST, rtpPort: this.rtp.address().port, rtcpPort: this.rtcp.address().port };
  }

  /** Sends one packet; resolves when the kernel has it, so that order is kept. */
  send(to: { readonly rtpPort: number }, packet: SentRtp): Promise<void> {
    return this.sendRaw(to.rtpPort, buildRtp(packet));
  }

  sendRaw(port: number, bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.rtp.send(bytes, port, LOCALHOST, (error) => (error === null ? resolve() : reject(error)));
    });
  }

  sendReports(to: { readonly rtcpPort: number }, packets: readonly RtcpPacket[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.rtcp.send(formatRtcp(packets), to.rtcpPort, LOCALHOST, (error) =>
        error === null ? resolve() : reject(error),
      );
    });
  }

  /** Waits until `count` RTP packets are there and takes all of them. */
  async take(t: TestContext, count: number): Promise<SeenRtp[]> {
    await until(t, () => this.packets.length >= count);
    return this.packets.splice(0);
  }

  close(): void {
    for (const socket of [this.rtp, this.rtcp]) {
      try {
        socket.close();
      } catch {
        // Closed by the test.
      }
    }
  }
}

/** Lets the loop turn until something has happened; the runner's time-out ends it when nothing does. */
export async function until(t: TestContext, happened: () => boolean): Promise<void> {
  while (!happened()) {
    t.signal.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** Asks for the counters again and again until they show something. */
export async function untilStats(
  t: TestContext,
  plane: MediaPlane,
  id: MediaId,
  shows: (stats: MediaStats) => boolean,
): Promise<MediaStats> {
  for (;;) {
    t.signal.throwIfAborted();
    const stats = await plane.stats(id);
    if (stats !== undefined && shows(stats)) return stats;
  }
}

/** All events of one id, as they come. */
export function eventsOf(plane: MediaPlane, id: number): MediaEvent[] {
  const events: MediaEvent[] = [];
  plane.onEvent(id, (event) => events.push(event));
  return events;
}

export function buildRtp(packet: SentRtp): Uint8Array {
  const { sequence, timestamp, ssrc = 0x11223344, payloadType = 0, marker = false } = packet;
  const payload = packet.payload ?? voice(sequence);
  const bytes = new Uint8Array(12 + payload.length);
  writeRtpHeader(bytes, 0, marker, payloadType, sequence, timestamp, ssrc);
  bytes.set(payload, 12);
  return bytes;
}

/** 20 ms of G.711 that no two sequence numbers share. */
export function voice(sequence: number, length = 160): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (sequence * 31 + i * 7 + (sequence >> 8)) & 0xff);
}

function readRtp(bytes: Uint8Array, from: RemoteInfo): SeenRtp {
  const start = rtpPayloadStart(bytes, 0, bytes.length);
  if (start < 0) throw new Error("RTP that cannot be read");
  return {
    sequence: rtpSequenceNumber(bytes, 0),
    timestamp: rtpTimestamp(bytes, 0),
    ssrc: rtpSsrc(bytes, 0),
    payloadType: rtpPayloadType(bytes, 0),
    marker: rtpMarker(bytes, 0),
    payload: bytes.subarray(start, rtpPayloadEnd(bytes, 0, bytes.length)),
    bytes,
    from,
  };
}
