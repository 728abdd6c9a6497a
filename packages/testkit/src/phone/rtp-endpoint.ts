import { randomBytes } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";

export interface RtpEndpointOptions extends RtpSpeech {
  /** Local address to bind. */
  readonly address: string;
}

/** What an endpoint says; of what it hears it keeps packets of the same payload type. */
export interface RtpSpeech {
  readonly payloadType: number;
  /** Encoded audio, repeated for ever: 160 octets are a packet (G.711, G.722); or the packets themselves, 20 ms each. */
  readonly audio: Uint8Array | readonly Uint8Array[];
  /** RTP timestamp units of 20 ms: 160 by default, 960 for Opus. */
  readonly packetUnits?: number;
}

const OCTETS_PER_PACKET = 160;
const DEFAULT_PACKET_UNITS = 160;
const PACKET_TIME_MS = 20;
const RTP_HEADER = 12;
/** Twenty minutes of 20 ms packets: what a phone remembers of what it heard. */
const MEMORY_PACKETS = 60_000;

/**
 * One end of an RTP stream over real sockets: speaks paced by the clock and remembers what it hears.
 * Its own small code on purpose: what it says about a platform should not rest on the platform's media plane.
 */
export class RtpEndpoint {
  #speech: RtpSpeech;
  readonly #rtp: Socket;
  readonly #rtcp: Socket;
  readonly #ssrc = randomBytes(4).readUInt32BE();
  readonly #heard = new Map<number, Uint8Array>();
  readonly #otherPayloads = new Map<number, number>();
  #sequence = randomBytes(2).readUInt16BE();
  #timestamp = randomBytes(4).readUInt32BE();
  #audioOffset = 0;
  #ticker: NodeJS.Timeout | undefined;
  #remote: { address: string; port: number; payloadType: number | undefined } | undefined;
  #extendedHighest: number | undefined;
  #packetsSent = 0;

  private constructor(options: RtpEndpointOptions, rtp: Socket, rtcp: Socket) {
    this.#speech = options;
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

  /** @param payloadType - what it wants to see in our packets; ours when absent */
  setRemote(address: string, port: number, payloadType?: number): void {
    this.#remote = { address, port, payloadType };
  }

  /** Another codec from the next packet on; what was heard in the one before is forgotten. */
  change(speech: RtpSpeech): void {
    this.#speech = speech;
    this.#audioOffset = 0;
    this.#heard.clear();
  }

  /** Speaks from where it stopped, a packet every 20 ms by an absolute schedule. */
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
      parts.push(this.#heard.get(sequence) ?? new Uint8Array(OCTETS_PER_PACKET).fill(fill));
    }
    return {
      payload: Buffer.concat(parts),
      packets: sequences.length,
      lost: last - first + 1 - sequences.length,
    };
  }

  /** Payloads in sequence order, `undefined` for packets that never came. */
  heardPackets(): readonly (Uint8Array | undefined)[] {
    const sequences = [...this.#heard.keys()];
    const first = Math.min(...sequences);
    return Array.from({ length: sequences.length === 0 ? 0 : Math.max(...sequences) - first + 1 }, (_, i) =>
      this.#heard.get(first + i),
    );
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
    const { payloadType, packetUnits = DEFAULT_PACKET_UNITS } = this.#speech;
    const payload = this.#nextPayload();
    const packet = Buffer.alloc(RTP_HEADER + payload.length);
    packet[0] = 0x80;
    packet[1] = (this.#remote?.payloadType ?? payloadType) | (marker ? 0x80 : 0);
    packet.writeUInt16BE(this.#sequence, 2);
    packet.writeUInt32BE(this.#timestamp, 4);
    packet.writeUInt32BE(this.#ssrc, 8);
    packet.set(payload, RTP_HEADER);
    this.#sequence = (this.#sequence + 1) & 0xffff;
    this.#timestamp = (this.#timestamp + packetUnits) >>> 0;
    this.#packetsSent++;
    if (this.#remote !== undefined) this.#rtp.send(packet, this.#remote.port, this.#remote.address);
  }

  #nextPayload(): Uint8Array {
    const { audio } = this.#speech;
    if (!(audio instanceof Uint8Array)) return audio[this.#audioOffset++ % audio.length]!;
    const payload = new Uint8Array(OCTETS_PER_PACKET);
    for (let i = 0; i < OCTETS_PER_PACKET; i++) {
      payload[i] = audio[this.#audioOffset]!;
      this.#audioOffset = (this.#audioOffset + 1) % audio.length;
    }
    return payload;
  }

  #receive(packet: Buffer): void {
    if (packet.length <= RTP_HEADER || packet[0] !== 0x80) return;
    const payloadType = packet[1]! & 0x7f;
    if (payloadType !== this.#speech.payloadType) {
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
