import { randomBytes } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";

export interface RtpEndpointOptions {
  /** Local address to bind. */
  readonly address: string;
  readonly payloadType: number;
  /** Encoded audio, one octet a sample (G.711); repeated for ever. */
  readonly audio: Uint8Array;
}

const SAMPLES_PER_PACKET = 160;
const PACKET_TIME_MS = 20;
const RTP_HEADER = 12;
/** Twenty minutes of 20 ms packets: what a phone remembers of what it heard. */
const MEMORY_PACKETS = 60_000;

/**
 * One end of an RTP stream over real sockets: speaks G.711 paced by the clock and remembers what it hears.
 * Its own small code on purpose: what it says about a platform should not rest on the platform's media plane.
 */
export class RtpEndpoint {
  readonly #options: RtpEndpointOptions;
  readonly #rtp: Socket;
  readonly #rtcp: Socket;
  readonly #ssrc = randomBytes(4).readUInt32BE();
  readonly #heard = new Map<number, Uint8Array>();
  readonly #otherPayloads = new Map<number, number>();
  #sequence = randomBytes(2).readUInt16BE();
  #timestamp = randomBytes(4).readUInt32BE();
  #audioOffset = 0;
  #ticker: NodeJS.Timeout | undefined;
  #remote: { address: string; port: number } | undefined;
  #extendedHighest: number | undefined;
  #packetsSent = 0;

  private constructor(options: RtpEndpointOptions, rtp: Socket, rtcp: Socket) {
    this.#options = options;
    this.#rtp = rtp;
    this.#rtcp = rtcp;
    rtp.on("message", (packet) => this.#receive(packet));
    // A refused packet comes back as an error on the socket; the far end closing first is no failure of this one.
    rtp.on("error", () => {});
    rtcp.on("error", () => {});
  }

  /** Binds an even RTP port and the odd one above it. */
  static async open(options: RtpEndpointOptions): Promise<RtpEndpoint> {
    for (let attempt = 0; attempt < 50; attempt++) {
      const rtp = await bind(options.address, 0);
      const { port } = rtp.address();
      if (port % 2 === 0 && port < 65_535) {
        const rtcp = await bind(options.address, port + 1).catch(() => undefined);
        if (rtcp !== undefined) return new RtpEndpoint(options, rtp, rtcp);
      }
      rtp.close();
    }
    throw new Error("no free pair of RTP ports");
  }

  get port(): number {
    return this.#rtp.address().port;
  }

  /** Packets sent so far. */
  get packetsSent(): number {
    return this.#packetsSent;
  }

  setRemote(address: string, port: number): void {
    this.#remote = { address, port };
  }

  /** Speaks from where it stopped, 160 samples every 20 ms by an absolute schedule. */
  speak(): void {
    if (this.#ticker !== undefined) return;
    const start = performance.now();
    let sent = 0;
    this.#ticker = setInterval(() => {
      const due = Math.floor((performance.now() - start) / PACKET_TIME_MS) + 1;
      for (; sent < due; sent++) this.#send(sent === 0);
    }, PACKET_TIME_MS / 2);
  }

  mute(): void {
    clearInterval(this.#ticker);
    this.#ticker = undefined;
  }

  /** Payload octets in sequence order, silence (`fill`) for packets that never came. */
  heard(fill = 0xff): { readonly payload: Uint8Array; readonly packets: number; readonly lost: number } {
    const sequences = [...this.#heard.keys()].sort((a, b) => a - b);
    const first = sequences[0];
    const last = sequences.at(-1);
    if (first === undefined || last === undefined) return { payload: new Uint8Array(0), packets: 0, lost: 0 };
    const parts: Uint8Array[] = [];
    for (let sequence = first; sequence <= last; sequence++) {
      parts.push(this.#heard.get(sequence) ?? new Uint8Array(SAMPLES_PER_PACKET).fill(fill));
    }
    return {
      payload: Buffer.concat(parts),
      packets: sequences.length,
      lost: last - first + 1 - sequences.length,
    };
  }

  /** How many packets of other payload types came (telephone-event, say), by type. */
  otherPayloads(): ReadonlyMap<number, number> {
    return this.#otherPayloads;
  }

  close(): void {
    this.mute();
    this.#rtp.close();
    this.#rtcp.close();
  }

  #send(marker: boolean): void {
    const { audio, payloadType } = this.#options;
    const packet = Buffer.alloc(RTP_HEADER + SAMPLES_PER_PACKET);
    packet[0] = 0x80;
    packet[1] = payloadType | (marker ? 0x80 : 0);
    packet.writeUInt16BE(this.#sequence, 2);
    packet.writeUInt32BE(this.#timestamp, 4);
    packet.writeUInt32BE(this.#ssrc, 8);
    for (let i = 0; i < SAMPLES_PER_PACKET; i++) {
      packet[RTP_HEADER + i] = audio[this.#audioOffset]!;
      this.#audioOffset = (this.#audioOffset + 1) % audio.length;
    }
    this.#sequence = (this.#sequence + 1) & 0xffff;
    this.#timestamp = (this.#timestamp + SAMPLES_PER_PACKET) >>> 0;
    this.#packetsSent++;
    if (this.#remote !== undefined) this.#rtp.send(packet, this.#remote.port, this.#remote.address);
  }

  #receive(packet: Buffer): void {
    if (packet.length <= RTP_HEADER || packet[0] !== 0x80) return;
    const payloadType = packet[1]! & 0x7f;
    if (payloadType !== this.#options.payloadType) {
      this.#otherPayloads.set(payloadType, (this.#otherPayloads.get(payloadType) ?? 0) + 1);
      return;
    }
    const sequence = packet.readUInt16BE(2);
    const highest = this.#extendedHighest ?? sequence;
    const extended = highest + (((sequence - highest) << 16) >> 16);
    this.#extendedHighest = Math.max(highest, extended);
    if (this.#heard.size < MEMORY_PACKETS)
      this.#heard.set(extended, Uint8Array.from(packet.subarray(RTP_HEADER)));
  }
}

async function bind(address: string, port: number): Promise<Socket> {
  const socket = createSocket({ type: address.includes(":") ? "udp6" : "udp4", recvBufferSize: 1 << 20 });
  socket.bind(port, address);
  await once(socket, "listening");
  return socket;
}
