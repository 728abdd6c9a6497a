// SRTP packets protected and unprotected per second of CPU, on one core, next to werift-rtp in the same run.
//   node bench/srtp.ts [seconds per figure]
//
// A packet is 20 ms of G.711: 12 octets of header, 160 of payload. Several streams take turns, as in a real process.

import { randomBytes } from "node:crypto";
import { writeRtpHeader } from "@callfork/protocol/rtp";
import { SRTP_SUITES, SrtpReceiver, SrtpSender, type SrtpSuite } from "@callfork/protocol/srtp";
import {
  ProtectionProfileAeadAes128Gcm,
  ProtectionProfileAes128CmHmacSha1_80,
  RtpHeader,
  SrtpSession,
} from "werift-rtp";
import { createSrtpCiphers } from "../packages/server/src/net/srtp-ciphers.ts";

const CPU_MICROSECONDS = Number(process.argv[2] ?? 1) * 1e6;
const STREAMS = 50;
const LENGTH = 172;
const ROOM = 64;
/** Rounds for which packets are made ready at once. */
const BLOCK = 64;

for (const suite of Object.keys(SRTP_SUITES) as SrtpSuite[]) {
  const ours = benchOurs(suite);
  const theirs = benchWerift(suite);
  const times = (figure: keyof typeof ours): string =>
    theirs === undefined ? "" : `${(ours[figure] / theirs[figure]).toFixed(1)}×`;
  for (const figure of ["protect", "unprotect"] as const) {
    console.log(
      suite.padEnd(24),
      figure.padEnd(10),
      `callfork ${rate(ours[figure])}`,
      theirs === undefined ? "werift-rtp          –" : `werift-rtp ${rate(theirs[figure])}`,
      times(figure),
    );
  }
}

function rate(perSecond: number): string {
  return `${Math.round(perSecond).toLocaleString("en").padStart(9)}/s`;
}

function benchOurs(suite: SrtpSuite): { protect: number; unprotect: number } {
  const { keyLength, saltLength } = SRTP_SUITES[suite];
  const ciphers = createSrtpCiphers();
  const streams = Array.from({ length: STREAMS }, (_, ssrc) => {
    const keying = { suite, keys: [{ key: randomBytes(keyLength), salt: randomBytes(saltLength) }] };
    return {
      ssrc,
      keying,
      sender: new SrtpSender(ciphers, keying),
      receiver: new SrtpReceiver(ciphers, keying),
    };
  });
  const slab = Buffer.alloc(LENGTH + ROOM);
  const protect = (round: number) => {
    for (const { ssrc, sender } of streams) {
      writeRtpHeader(slab, 0, false, 0, round & 0xffff, round * 160, ssrc);
      if (sender.protectRtp(slab, 0, LENGTH) < 0) throw new Error("not protected");
    }
  };
  const protectPerSecond = measure(protect);
  // What is taken off was put on by fresh senders, outside of the measured time.
  const packets: Buffer[][] = streams.map(() => []);
  return {
    protect: protectPerSecond,
    unprotect: measure(
      (round) => {
        for (const [i, { receiver }] of streams.entries()) {
          if (receiver.unprotectRtp(packets[i]![round % BLOCK]!, 0, packets[i]![round % BLOCK]!.length) < 0)
            throw new Error("not authentic");
        }
      },
      (from) => {
        for (const [i, stream] of streams.entries()) {
          if (from === 0) stream.sender = new SrtpSender(ciphers, stream.keying);
          packets[i] = Array.from({ length: BLOCK }, (_, k) => {
            const bytes = Buffer.alloc(LENGTH + ROOM, 0x55);
            writeRtpHeader(bytes, 0, false, 0, (from + k) & 0xffff, (from + k) * 160, stream.ssrc);
            return bytes.subarray(0, stream.sender.protectRtp(bytes, 0, LENGTH));
          });
        }
      },
    ),
  };
}

function benchWerift(suite: SrtpSuite): { protect: number; unprotect: number } | undefined {
  const profile =
    suite === "AES_CM_128_HMAC_SHA1_80"
      ? ProtectionProfileAes128CmHmacSha1_80
      : suite === "AEAD_AES_128_GCM"
        ? ProtectionProfileAeadAes128Gcm
        : undefined;
  if (profile === undefined) return undefined;
  const { keyLength, saltLength } = SRTP_SUITES[suite];
  const streams = Array.from({ length: STREAMS }, (_, ssrc) => {
    const key = randomBytes(keyLength);
    const salt = randomBytes(saltLength);
    const keys = { localMasterKey: key, localMasterSalt: salt, remoteMasterKey: key, remoteMasterSalt: salt };
    const session = () => new SrtpSession({ profile, keys });
    return { ssrc, session, sender: session(), receiver: session() };
  });
  const payload = Buffer.alloc(LENGTH - 12, 0x55);
  const header = (ssrc: number, round: number): RtpHeader =>
    new RtpHeader({ ssrc, sequenceNumber: round & 0xffff, timestamp: (round * 160) >>> 0, payloadType: 0 });
  const packets: Buffer[][] = streams.map(() => []);
  return {
    protect: measure((round) => {
      for (const { ssrc, sender } of streams) sender.encrypt(payload, header(ssrc, round));
    }),
    unprotect: measure(
      (round) => {
        for (const [i, { receiver }] of streams.entries()) receiver.decrypt(packets[i]![round % BLOCK]!);
      },
      (from) => {
        for (const [i, stream] of streams.entries()) {
          if (from === 0) stream.sender = stream.session();
          packets[i] = Array.from({ length: BLOCK }, (_, k) =>
            stream.sender.encrypt(payload, header(stream.ssrc, from + k)),
          );
        }
      },
    ),
  };
}

/** Packets per CPU second; `prepare` is called before each block of rounds and is not counted. */
function measure(run: (round: number) => void, prepare: (from: number) => void = () => {}): number {
  let round = 0;
  let used = 0;
  let counted = 0;
  const warmRounds = 10 * BLOCK;
  while (used < CPU_MICROSECONDS) {
    prepare(round);
    const before = process.cpuUsage();
    for (let i = 0; i < BLOCK; i++) run(round + i);
    const { user, system } = process.cpuUsage(before);
    round += BLOCK;
    if (round <= warmRounds) continue;
    used += user + system;
    counted += BLOCK * STREAMS;
  }
  return (counted * 1e6) / used;
}
