/**
 * Opus in Ogg (RFC 7845), as little of it as carries packets to and from other programs; written for the tests alone,
 * so that they do not take our own writer's word.
 */

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let crc = n << 24;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000_0000 ? (crc << 1) ^ 0x04c1_1db7 : crc << 1;
  return crc >>> 0;
});

function page(packet: Uint8Array, sequence: number, granule: number, flags: number): Buffer {
  const lacing = [...Array(Math.floor(packet.length / 255)).fill(255), packet.length % 255];
  const head = Buffer.alloc(27 + lacing.length);
  head.write("OggS", 0, "latin1");
  head[5] = flags;
  head.writeBigUInt64LE(BigInt(granule), 6);
  head.writeUInt32LE(0x5eed, 14);
  head.writeUInt32LE(sequence, 18);
  head[26] = lacing.length;
  head.set(lacing, 27);
  const whole = Buffer.concat([head, packet]);
  let crc = 0;
  for (const octet of whole) crc = ((crc << 8) ^ CRC_TABLE[(crc >>> 24) ^ octet]!) >>> 0;
  whole.writeUInt32LE(crc, 22);
  return whole;
}

/** @param packetFrames - at 48 kHz */
export function writeOggOpus(packets: readonly Uint8Array[], packetFrames: number, channels = 1): Buffer {
  const head = Buffer.from("OpusHead\x01\x01\0\0\x80\xbb\0\0\0\0\0", "latin1");
  head[9] = channels;
  const tags = Buffer.from("OpusTags\x04\0\0\0test\0\0\0\0", "latin1");
  const pages = [page(head, 0, 0, 2), page(tags, 1, 0, 0)];
  packets.forEach((packet, i) => {
    pages.push(page(packet, i + 2, (i + 1) * packetFrames, i === packets.length - 1 ? 4 : 0));
  });
  return Buffer.concat(pages);
}

/** The packets after the two headers. */
export function readOggOpus(file: Buffer): Uint8Array[] {
  const packets: Uint8Array[] = [];
  let parts: Buffer[] = [];
  for (let at = 0; at < file.length; ) {
    const segments = file[at + 26]!;
    let from = at + 27 + segments;
    for (const length of file.subarray(at + 27, at + 27 + segments)) {
      parts.push(file.subarray(from, from + length));
      from += length;
      if (length === 255) continue;
      packets.push(new Uint8Array(Buffer.concat(parts)));
      parts = [];
    }
    at = from;
  }
  return packets.slice(2);
}
