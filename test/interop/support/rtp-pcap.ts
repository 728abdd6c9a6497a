/** One packet of a recorded stream. */
interface Packet {
  readonly atMs: number;
  readonly rtp: Uint8Array;
}

const PACKET_MS = 20;
const SAMPLES = 160;
const SSRC = 0x5a5a_0001;
const VOICE = 0;
const TELEPHONE_EVENT = 101;
/** A digit lasts 100 ms: five packets, the end sent three times (RFC 4733 §2.5.1.4). */
const DIGIT_PACKETS = 5;

/**
 * A pcap file for SIPp's play_pcap_audio: µ-law voice every 20 ms and, instead of it, a pressed key each second.
 * One SSRC and sequence; a digit's packets all carry the timestamp of its beginning (RFC 4733 §2.2.1).
 */
export function voiceWithDigits(voice: Uint8Array, seconds: number): Uint8Array {
  const packets: Packet[] = [];
  let sequence = 1000;
  const push = (slot: number, payloadType: number, timestamp: number, payload: Uint8Array): void => {
    const header = Buffer.alloc(12);
    header[0] = 0x80;
    header[1] = payloadType;
    header.writeUInt16BE(sequence++, 2);
    header.writeUInt32BE(timestamp, 4);
    header.writeUInt32BE(SSRC, 8);
    packets.push({ atMs: slot * PACKET_MS, rtp: Buffer.concat([header, payload]) });
  };
  for (let slot = 0; slot < seconds * 50; slot++) {
    const inDigit = (slot % 50) - 25;
    if (inDigit >= 0 && inDigit < DIGIT_PACKETS) {
      const isLast = inDigit === DIGIT_PACKETS - 1;
      const duration = (inDigit + 1) * SAMPLES;
      const event = Uint8Array.of(4, (isLast ? 0x80 : 0) | 10, duration >> 8, duration & 0xff);
      for (let copy = 0; copy < (isLast ? 3 : 1); copy++)
        push(slot, TELEPHONE_EVENT, (slot - inDigit) * SAMPLES, event);
      continue;
    }
    const offset = (slot * SAMPLES) % (voice.length - SAMPLES);
    push(slot, VOICE, slot * SAMPLES, voice.subarray(offset, offset + SAMPLES));
  }
  return pcapFile(packets);
}

/** Ethernet, IPv4, UDP around each packet; SIPp writes its own addresses over ours. */
function pcapFile(packets: readonly Packet[]): Uint8Array {
  const head = Buffer.alloc(24);
  head.writeUInt32LE(0xa1b2_c3d4, 0);
  head.writeUInt16LE(2, 4);
  head.writeUInt16LE(4, 6);
  head.writeUInt32LE(65_535, 16);
  head.writeUInt32LE(1, 20);
  return Buffer.concat([
    head,
    ...packets.flatMap(({ atMs, rtp }) => [recordHead(atMs, 42 + rtp.length), frameHead(rtp.length), rtp]),
  ]);
}

function recordHead(atMs: number, length: number): Uint8Array {
  const head = Buffer.alloc(16);
  head.writeUInt32LE(Math.floor(atMs / 1000), 0);
  head.writeUInt32LE((atMs % 1000) * 1000, 4);
  head.writeUInt32LE(length, 8);
  head.writeUInt32LE(length, 12);
  return head;
}

function frameHead(rtpLength: number): Uint8Array {
  const head = Buffer.alloc(42);
  head.writeUInt16BE(0x0800, 12);
  head[14] = 0x45;
  head.writeUInt16BE(28 + rtpLength, 16);
  head[22] = 64;
  head[23] = 17;
  head.set([127, 0, 0, 1, 127, 0, 0, 1], 26);
  head.writeUInt16BE(4000, 34);
  head.writeUInt16BE(4002, 36);
  head.writeUInt16BE(8 + rtpLength, 38);
  return head;
}
