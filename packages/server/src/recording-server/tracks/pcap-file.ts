import { createFile, type FilePlace, type FileWriter, reopenFile } from "../files/file-writer.ts";

/*
 * Packets of one line as a capture file (pcap 2.4, microseconds, LINKTYPE_RAW): each in IPv4 and UDP headers that were
 * made for it, from 192.0.2.1 to 192.0.2.2 and to the port that it came to, so that every tool for captures reads it.
 * RTCP goes to the port above. What was SRTP stands here in the clear.
 */

const GLOBAL_HEADER_BYTES = 24;
const PACKET_HEADER_BYTES = 16;
const IP_UDP_BYTES = 28;
const LINKTYPE_RAW = 101;
const BUFFER_BYTES = 65_536 + PACKET_HEADER_BYTES;
const SOURCE = [192, 0, 2, 1];
const DESTINATION = [192, 0, 2, 2];
const MAX_PACKET_BYTES = 65_535 - IP_UDP_BYTES;

/** Packets of a line that is no audio, as they came. All calls are synchronous and may throw. */
export class PcapFile {
  readonly #file: FileWriter;
  readonly #rtpPort: number;
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  readonly #view = new DataView(this.#buffer.buffer);
  #buffered = 0;

  /** Makes the file; one that exists is an error. */
  constructor(place: FilePlace, rtpPort: number) {
    this.#rtpPort = rtpPort;
    const header = new DataView(new ArrayBuffer(GLOBAL_HEADER_BYTES));
    header.setUint32(0, 0xa1b2_c3d4, true);
    header.setUint16(4, 2, true);
    header.setUint16(6, 4, true);
    header.setUint32(16, 65_535, true);
    header.setUint32(20, LINKTYPE_RAW, true);
    this.#file = createFile(place, new Uint8Array(header.buffer));
  }

  /** @param arrivalTime - epoch milliseconds */
  append(packet: Uint8Array, kind: "rtp" | "rtcp", arrivalTime: number): void {
    if (packet.length > MAX_PACKET_BYTES) return;
    const captured = IP_UDP_BYTES + packet.length;
    if (this.#buffered + PACKET_HEADER_BYTES + captured > BUFFER_BYTES) this.flush();
    const view = this.#view;
    let at = this.#buffered;
    view.setUint32(at, Math.floor(arrivalTime / 1_000), true);
    view.setUint32(at + 4, Math.floor((arrivalTime % 1_000) * 1_000), true);
    view.setUint32(at + 8, captured, true);
    view.setUint32(at + 12, captured, true);
    at += PACKET_HEADER_BYTES;
    this.#writeIpv4(at, captured);
    const port = kind === "rtp" ? this.#rtpPort : this.#rtpPort + 1;
    view.setUint16(at + 20, port);
    view.setUint16(at + 22, port);
    view.setUint16(at + 24, captured - 20);
    view.setUint16(at + 26, 0); // RFC 768: no checksum
    this.#buffer.set(packet, at + IP_UDP_BYTES);
    this.#buffered = at + captured;
  }

  flush(): void {
    if (this.#buffered === 0) return;
    this.#file.append(this.#buffer.subarray(0, this.#buffered));
    this.#buffered = 0;
  }

  /** Writes what is buffered and waits for the disk. The file is closed in any case. */
  close(): void {
    try {
      this.flush();
    } catch (error) {
      this.#file.abandon();
      throw error;
    }
    this.#file.close();
  }

  abandon(): void {
    this.#file.abandon();
  }

  #writeIpv4(at: number, length: number): void {
    const view = this.#view;
    view.setUint16(at, 0x4500);
    view.setUint16(at + 2, length);
    view.setUint32(at + 4, 0x0000_4000); // not to be fragmented
    view.setUint16(at + 8, 0x4011); // 64 hops, UDP
    view.setUint16(at + 10, 0);
    this.#buffer.set(SOURCE, at + 12);
    this.#buffer.set(DESTINATION, at + 16);
    let sum = 0;
    for (let word = 0; word < 20; word += 2) sum += view.getUint16(at + word);
    sum = (sum & 0xffff) + (sum >>> 16);
    view.setUint16(at + 10, ~(sum + (sum >>> 16)) & 0xffff);
  }
}

/** Finishes a file that was not closed. @returns whether there is one with a whole header */
export function repairPcapFile(place: FilePlace): boolean {
  const file = reopenFile(place, GLOBAL_HEADER_BYTES);
  file?.close();
  return file !== undefined;
}
