import assert from "node:assert/strict";
import { createCipheriv, createDecipheriv, createHmac } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { writeRtpHeader } from "../rtp/index.ts";
import {
  deriveSessionKeys,
  estimatePacketIndex,
  keyingFault,
  NO_TRAILER,
  REPLAY_WINDOW,
  RTP_LABELS,
  SRTP_KEY_EXPIRED,
  SRTP_MALFORMED,
  SRTP_REPLAYED,
  SRTP_SUITES,
  SRTP_TOO_MANY_SOURCES,
  SRTP_UNAUTHENTICATED,
  SRTP_UNKNOWN_MKI,
  type SrtpCiphers,
  type SrtpKeying,
  SrtpReceiver,
  SrtpSender,
  type SrtpSuite,
  sameKeying,
} from "./index.ts";
import { Keystream } from "./keystream.ts";

/** The plainest ciphers there are, to hold the transforms against. */
const ciphers: SrtpCiphers = {
  aesEcb: (key) => ({
    encrypt: (blocks) => {
      const cipher = createCipheriv(`aes-${8 * key.length}-ecb`, key, null).setAutoPadding(false);
      return new Uint8Array(Buffer.concat([cipher.update(blocks), cipher.final()]));
    },
  }),
  hmacSha1: (key) => {
    const tag = (bytes: Uint8Array, at: number, length: number, trailer: number): Buffer => {
      const hmac = createHmac("sha1", key).update(bytes.subarray(at, at + length));
      if (trailer !== NO_TRAILER) hmac.update(hex(trailer.toString(16).padStart(8, "0")));
      return hmac.digest();
    };
    return {
      sign: (bytes, at, length, trailer, tagAt, tagLength) =>
        bytes.set(tag(bytes, at, length, trailer).subarray(0, tagLength), tagAt),
      verify: (bytes, at, length, trailer, tagAt, tagLength) =>
        tag(bytes, at, length, trailer)
          .subarray(0, tagLength)
          .equals(bytes.subarray(tagAt, tagAt + tagLength)),
    };
  },
  aesGcm: (key) => ({
    seal: (nonce, associatedData, bytes, from, to) => {
      const cipher = createCipheriv(`aes-${8 * key.length}-gcm` as "aes-128-gcm", key, nonce);
      cipher.setAAD(associatedData);
      bytes.set(Buffer.concat([cipher.update(bytes.subarray(from, to)), cipher.final()]), from);
      bytes.set(cipher.getAuthTag(), to);
    },
    open: (nonce, associatedData, bytes, from, to) => {
      const decipher = createDecipheriv(`aes-${8 * key.length}-gcm` as "aes-128-gcm", key, nonce);
      decipher.setAAD(associatedData).setAuthTag(bytes.subarray(to, to + 16));
      try {
        bytes.set(Buffer.concat([decipher.update(bytes.subarray(from, to)), decipher.final()]), from);
        return true;
      } catch {
        return false;
      }
    },
  }),
};

const ALL = Object.keys(SRTP_SUITES) as SrtpSuite[];
const SSRC = 0xcafebabe;

test("[R3711-B.2-1] the AES counter mode keystream is that of the RFC, to beyond 2^16 − 256 blocks", () => {
  const stream = new Keystream(
    ciphers.aesEcb(hex("2B7E151628AED2A6ABF7158809CF4F3C")),
    hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD"),
    0,
  );
  const bytes = new Uint8Array(0xff02 * 16);
  stream.apply(bytes, 0, bytes.length, 0);
  const block = (at: number) => toHex(bytes.subarray(at * 16, at * 16 + 16));
  assert.equal(block(0), "e03ead0935c95e80e166b16dd92b4eb4");
  assert.equal(block(1), "d23513162b02d0f72a43a2fe4a5f97ab");
  assert.equal(block(2), "41e95b3bb0a2e8dd477901e4fca894c0");
  assert.equal(block(0xfeff), "ec8cdf7398607cb0f2d21675ea9ea1e4");
  assert.equal(block(0xff00), "362b7c3c6773516318a077d7fc5073ae");
  assert.equal(block(0xff01), "6a2cc3787889374fbeb4c81b17ba6c44");
});

test("[R3711-B.3-1] session keys are derived as the RFC shows", () => {
  const master = { key: hex("E1F97A0D3E018BE0D64FA32C06DE4139"), salt: hex("0EC675AD498AFEEBB6960B3AABE6") };
  const keys = deriveSessionKeys(ciphers, master, SRTP_SUITES.AES_CM_128_HMAC_SHA1_80, RTP_LABELS);
  assert.equal(toHex(keys.encryption), "c61e7a93744f39ee10734afe3ff7a087");
  assert.equal(toHex(keys.salt), "30cbbc08863d8c85d49db34a9ae1");
  assert.equal(toHex(keys.authentication), "cebe321f6ff7716b6fd4ab49af256a156d38baa4");
});

test("[R6188-7.1-1] the AES-256 counter mode keystream is that of the RFC", () => {
  const stream = new Keystream(
    ciphers.aesEcb(hex("57f82fe3613fd170a85ec93c40b1f0922ec4cb0dc025b58272147cc438944a98")),
    hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD"),
    0,
  );
  const bytes = new Uint8Array(48);
  stream.apply(bytes, 0, bytes.length, 0);
  assert.equal(
    toHex(bytes),
    "92bdd28a93c3f52511c677d08b5515a49da71b2378a854f67050756ded165bac63c4868b7096d88421b563b8c94c9a31",
  );
});

test("[R6188-7.2-1] session keys are derived from a master key of 256 bits as the RFC shows", () => {
  const master = {
    key: hex("f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6"),
    salt: hex("3b04803de51ee7c96423ab5b78d2"),
  };
  const keys = deriveSessionKeys(ciphers, master, SRTP_SUITES.AES_256_CM_HMAC_SHA1_80, RTP_LABELS);
  assert.equal(toHex(keys.encryption), "5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4");
  assert.equal(toHex(keys.salt), "fa31791685ca444a9e07c6c64e93");
  assert.equal(toHex(keys.authentication), "fd9c32d39ed5fbb5a9dc96b30818454d1313dc05");
});

/** RFC 7714 gives session keys: this derivation yields them, whatever the master key. */
function withSessionKeys(key: string, salt: string): { ciphers: SrtpCiphers; keying: SrtpKeying } {
  const suite = key.length === 64 ? "AEAD_AES_256_GCM" : "AEAD_AES_128_GCM";
  const { keyLength, saltLength } = SRTP_SUITES[suite];
  return {
    ciphers: {
      ...ciphers,
      aesEcb: () => ({
        encrypt: (blocks) => {
          const out = new Uint8Array(blocks.length);
          out.set(blocks[7] === 0 || blocks[7] === 3 ? hex(key) : hex(salt));
          return out;
        },
      }),
    },
    keying: { suite, keys: [{ key: new Uint8Array(keyLength), salt: new Uint8Array(saltLength) }] },
  };
}

const KEY_128 = "000102030405060708090a0b0c0d0e0f";
const KEY_256 = `${KEY_128}101112131415161718191a1b1c1d1e1f`;
const GCM_SALT = "517569642070726f2071756f";
const GCM_RTP =
  "8040f17b8041f8d35501a0b247616c6c696120657374206f6d6e69732064697669736120696e207061727465732074726573";
const GCM_RTCP =
  "81c8000d4d6172734e5450314e545032525450200000042a0000e9304c756e61deadbeefdeadbeefdeadbeefdeadbeefdeadbeef";

for (const [section, key, protectedRtp] of [
  [
    "16.1.1",
    KEY_128,
    "8040f17b8041f8d35501a0b2f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833899d7f27beb16a9152cf765ee4390cce",
  ],
  [
    "16.2.1",
    KEY_256,
    "8040f17b8041f8d35501a0b232b1de78a822fe12ef9f78fa332e33aab18012389a58e2f3b50b2a0276ffae0f1ba63799b87b7aa3db36dfffd6b0f9bb7878d7a76c13",
  ],
] as const) {
  test(`[R7714-16-1] an RTP packet is sealed and opened as in §${section}`, () => {
    const { ciphers, keying } = withSessionKeys(key, GCM_SALT);
    const bytes = roomy(hex(GCM_RTP));
    const length = new SrtpSender(ciphers, keying).protectRtp(bytes, 0, GCM_RTP.length / 2);
    assert.equal(toHex(bytes.subarray(0, length)), protectedRtp);
    const opened = new SrtpReceiver(ciphers, keying).unprotectRtp(bytes, 0, length);
    assert.equal(toHex(bytes.subarray(0, opened)), GCM_RTP);
  });
}

for (const [section, key, protectedRtcp] of [
  [
    "17.1",
    KEY_128,
    "81c8000d4d61727363e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32dc676a5f1730d6fda4ce09b4686303ded0bb9275bc84aa45896cf4d2fc5abf87245d9eade800005d4",
  ],
  [
    "17.2",
    KEY_256,
    "81c8000d4d617273d50ae4d1f5ce5d304ba297e47d470c282c3ece5dbffe0a50a2eaa5c1110555be8415f658c61de0476f1b6fad1d1eb30c4446839f57ff6f6cb26ac3be800005d4",
  ],
  ["17.3, not encrypted", KEY_128, `${GCM_RTCP}841dd9683dd78ec92ae58790125f62b3000005d4`],
] as const) {
  test(`[R7714-17-1] an RTCP packet is opened as in §${section}`, () => {
    const { ciphers, keying } = withSessionKeys(key, GCM_SALT);
    const bytes = hex(protectedRtcp);
    const length = new SrtpReceiver(ciphers, keying).unprotectRtcp(bytes, 0, bytes.length);
    assert.equal(toHex(bytes.subarray(0, length)), GCM_RTCP);
    if (section !== "17.3, not encrypted") {
      const sender = new SrtpSender(ciphers, keying);
      const sealed = roomy(hex(GCM_RTCP));
      for (let index = 0; index < 0x5d4; index++)
        sender.protectRtcp(roomy(hex(GCM_RTCP)), 0, GCM_RTCP.length / 2);
      const sealedLength = sender.protectRtcp(sealed, 0, GCM_RTCP.length / 2);
      assert.equal(toHex(sealed.subarray(0, sealedLength)), protectedRtcp);
    }
  });
}

test("[R3711-3.3-1] whatever is lost, late or repeated, each packet is taken once and as it was", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...ALL),
      fc.integer({ min: 0, max: 0xffff }),
      fc.array(
        fc.record({ lost: fc.boolean(), swap: fc.boolean(), twice: fc.boolean(), size: fc.nat(400) }),
        {
          minLength: 1,
          maxLength: 60,
        },
      ),
      (suite, first, plan) => {
        const keying = keyingOf(suite);
        const sender = new SrtpSender(ciphers, keying);
        const wire = plan.map(({ size }, i) => {
          const plain = rtp(first + i, size);
          return { plain, sealed: protect(sender, plain) };
        });
        const order = wire.filter((_, i) => i === 0 || !plan[i]!.lost);
        for (let i = 1; i + 1 < order.length; i++) {
          if (plan[i]!.swap) [order[i], order[i + 1]] = [order[i + 1]!, order[i]!];
        }
        const receiver = new SrtpReceiver(ciphers, keying);
        for (const [i, { plain, sealed }] of order.entries()) {
          assert.deepEqual(unprotect(receiver, sealed), plain);
          if (plan[i]!.twice) assert.equal(unprotect(receiver, sealed), SRTP_REPLAYED);
        }
      },
    ),
    { numRuns: 150 },
  );
});

test("[R3711-3.3-2] a packet changed anywhere is refused, is left as it was, and moves nothing", () => {
  for (const suite of ALL) {
    const keying = keyingOf(suite);
    const sender = new SrtpSender(ciphers, keying);
    const receiver = new SrtpReceiver(ciphers, keying);
    unprotect(receiver, protect(sender, rtp(1)));
    const sealed = protect(sender, rtp(2, 20));
    for (let octet = 0; octet < sealed.length; octet++) {
      const forged = sealed.slice();
      forged[octet]! ^= 0x10;
      const before = forged.slice();
      assert.ok((receiver.unprotectRtp(forged, 0, forged.length) as number) < 0, `${suite}, octet ${octet}`);
      assert.deepEqual(forged, before);
    }
    // A forged sequence number far ahead would have closed the window.
    assert.deepEqual(unprotect(receiver, sealed), rtp(2, 20));
  }
});

test("[R3711-3.3.1-1] the rollover counter goes up when the sequence wraps, whatever is lost around it", () => {
  for (const missing of [[], [0xffff], [0], [0xffff, 0, 1], [0xfffe, 0xffff, 0, 1, 2, 3]]) {
    const keying = keyingOf("AES_CM_128_HMAC_SHA1_80");
    const [sender, receiver] = [new SrtpSender(ciphers, keying), new SrtpReceiver(ciphers, keying)];
    for (let index = 0xfff8; index < 0x1_0010; index++) {
      const plain = rtp(index & 0xffff);
      const sealed = protect(sender, plain);
      if (!missing.includes(index & 0xffff)) assert.deepEqual(unprotect(receiver, sealed), plain);
    }
    assert.equal(sender.hasRolledOver(SSRC), true);
  }
});

test("[R3711-3.3.1-2] an index is estimated as in appendix A, also for packets late over the wrap", () => {
  assert.equal(estimatePacketIndex(5, 4), 5);
  assert.equal(estimatePacketIndex(1, 0x1_fffe), 0x2_0001);
  assert.equal(estimatePacketIndex(0xfffe, 0x2_0001), 0x1_fffe);
  assert.ok(estimatePacketIndex(0xfffe, 1) < 0);
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 2 ** 40 }),
      fc.integer({ min: -32_000, max: 32_000 }),
      (newest, by) => {
        const index = Math.max(0, newest + by);
        assert.equal(estimatePacketIndex(index % 65_536, newest), index);
      },
    ),
  );
});

test("[R3711-3.3.2-1] a packet older than the window is refused, one within it is taken", () => {
  const keying = keyingOf("AEAD_AES_128_GCM");
  const [sender, receiver] = [new SrtpSender(ciphers, keying), new SrtpReceiver(ciphers, keying)];
  const sealed = Array.from({ length: REPLAY_WINDOW + 2 }, (_, i) => protect(sender, rtp(i)));
  unprotect(receiver, sealed.at(-1)!);
  assert.equal(unprotect(receiver, sealed[1]!), SRTP_REPLAYED);
  assert.deepEqual(unprotect(receiver, sealed[2]!), rtp(2));
  assert.ok(REPLAY_WINDOW >= 64);
});

test("[R3711-3.4-1] [R4568-6.3.2-1] SRTCP is encrypted and authenticated with an index of its own; a changed or repeated one is refused", () => {
  for (const suite of ALL) {
    const keying = keyingOf(suite);
    const [sender, receiver] = [new SrtpSender(ciphers, keying), new SrtpReceiver(ciphers, keying)];
    for (let i = 0; i < 3; i++) {
      const bytes = roomy(REPORT);
      const length = sender.protectRtcp(bytes, 0, REPORT.length);
      assert.equal(length, REPORT.length + sender.rtcpOverhead);
      assert.notDeepEqual(bytes.subarray(8, REPORT.length), REPORT.subarray(8));
      const word = suite.startsWith("AEAD") ? length - 4 : length - 14;
      assert.equal(toHex(bytes.subarray(word, word + 4)), `8000000${i}`, "E flag and index");
      const again = bytes.slice();
      for (const octet of [0, 5, 9, REPORT.length - 1, length - 1]) {
        const forged = bytes.slice();
        forged[octet]! ^= 1;
        assert.ok((receiver.unprotectRtcp(forged, 0, length) as number) < 0);
      }
      assert.equal(receiver.unprotectRtcp(bytes, 0, length), REPORT.length);
      assert.deepEqual(bytes.subarray(0, REPORT.length), REPORT);
      assert.equal(receiver.unprotectRtcp(again, 0, length), SRTP_REPLAYED);
    }
  }
});

test("[R3711-9.2-1] a key stops at its number of packets, on both sides; by default 2^48 and 2^31", () => {
  const keying = keyingOf("AES_CM_128_HMAC_SHA1_32");
  const sender = new SrtpSender(ciphers, keying, { rtpPackets: 2, rtcpPackets: 1 });
  const [first, second] = [protect(sender, rtp(1)), protect(sender, rtp(2))];
  assert.equal(sender.protectRtp(roomy(rtp(3)), 0, 172), SRTP_KEY_EXPIRED);
  assert.ok((sender.protectRtcp(roomy(REPORT), 0, REPORT.length) as number) > 0);
  assert.equal(sender.protectRtcp(roomy(REPORT), 0, REPORT.length), SRTP_KEY_EXPIRED);
  const receiver = new SrtpReceiver(ciphers, keying, { rtpPackets: 1 });
  unprotect(receiver, first);
  assert.equal(unprotect(receiver, second), SRTP_KEY_EXPIRED);
});

test("[R3711-9.1-1] no index is protected twice under one key: the keystream would be, too", () => {
  const sender = new SrtpSender(ciphers, keyingOf("AES_CM_128_HMAC_SHA1_80"));
  protect(sender, rtp(7));
  protect(sender, rtp(9));
  const repeated = roomy(rtp(7, 160, 0x99));
  assert.equal(sender.protectRtp(repeated, 0, 172), SRTP_REPLAYED);
  assert.deepEqual(repeated.subarray(0, 172), rtp(7, 160, 0x99));
  assert.equal(sender.protectRtp(roomy(rtp(8)), 0, 172), 182);
});

test("[R4568-6.4.1-1] a source gets a context by its first authentic packet only, and their number is bounded", () => {
  const keying = keyingOf("AES_CM_128_HMAC_SHA1_80");
  const sender = new SrtpSender(ciphers, keying);
  const receiver = new SrtpReceiver(ciphers, keying, { sources: 2 });
  for (let ssrc = 1; ssrc < 50; ssrc++) {
    const forged = roomy(rtp(1, 160, 1, ssrc));
    assert.equal(receiver.unprotectRtp(forged, 0, 182), SRTP_UNAUTHENTICATED);
  }
  assert.equal(receiver.sources, 0);
  for (const ssrc of [1, 2])
    assert.ok(unprotect(receiver, protect(sender, rtp(1, 160, 1, ssrc))) instanceof Uint8Array);
  assert.equal(unprotect(receiver, protect(sender, rtp(1, 160, 1, 3))), SRTP_TOO_MANY_SOURCES);
});

test("[R4568-6.4-1] a new SSRC under an old key starts with a rollover counter of zero", () => {
  const keying = keyingOf("AES_256_CM_HMAC_SHA1_80");
  const [sender, receiver] = [new SrtpSender(ciphers, keying), new SrtpReceiver(ciphers, keying)];
  for (const sequence of [0xfffe, 0xffff, 0, 1]) unprotect(receiver, protect(sender, rtp(sequence)));
  const other = rtp(2, 160, 1, SSRC + 1);
  const fresh = new SrtpSender(ciphers, keying);
  const sealed = protect(sender, other);
  assert.deepEqual(sealed, protect(fresh, other));
  assert.deepEqual(unprotect(receiver, sealed), other);
});

test("a source first heard just after its wrap is understood, and so is one that keeps its counter over a new key", () => {
  const old = keyingOf("AES_CM_128_HMAC_SHA1_80", 1);
  const next = keyingOf("AES_CM_128_HMAC_SHA1_80", 2);
  const [sender, receiver] = [new SrtpSender(ciphers, old), new SrtpReceiver(ciphers, old)];
  for (const sequence of [0xfffe, 0xffff, 0, 1]) protect(sender, rtp(sequence));
  assert.deepEqual(unprotect(receiver, protect(sender, rtp(2))), rtp(2));

  const keepsCounter = new SrtpSender(ciphers, next);
  protect(keepsCounter, rtp(0xffff));
  const rekeyed = new SrtpReceiver(ciphers, next, {}, receiver);
  for (let sequence = 0; sequence < 3000; sequence += 1000) protect(keepsCounter, rtp(sequence));
  assert.deepEqual(unprotect(rekeyed, protect(keepsCounter, rtp(3000))), rtp(3000));
  const startsOver = new SrtpReceiver(ciphers, next, {}, receiver);
  assert.deepEqual(unprotect(startsOver, protect(new SrtpSender(ciphers, next), rtp(3001))), rtp(3001));
});

test("[R4568-6.1-2] packets name their master key by its MKI when there is one; others are refused", () => {
  for (const suite of ALL) {
    const one = { ...keyingOf(suite, 1).keys[0]!, mki: Uint8Array.of(0, 1) };
    const two = { ...keyingOf(suite, 2).keys[0]!, mki: Uint8Array.of(0, 2) };
    const three = { ...keyingOf(suite, 3).keys[0]!, mki: Uint8Array.of(0, 3) };
    const receiver = new SrtpReceiver(ciphers, { suite, keys: [one, two] });
    const sendWith = (key: typeof one) => new SrtpSender(ciphers, { suite, keys: [key] });
    assert.deepEqual(unprotect(receiver, protect(sendWith(one), rtp(1))), rtp(1));
    assert.deepEqual(unprotect(receiver, protect(sendWith(two), rtp(2))), rtp(2));
    assert.equal(unprotect(receiver, protect(sendWith(three), rtp(3))), SRTP_UNKNOWN_MKI);
    const report = roomy(REPORT);
    const length = sendWith(two).protectRtcp(report, 0, REPORT.length);
    assert.equal(receiver.unprotectRtcp(report, 0, length), REPORT.length);
  }
});

test("[R4568-6.1-7] a key is good for as many packets as its owner named, SRTP and SRTCP each; another key goes on", () => {
  for (const suite of ALL) {
    const short = { ...keyingOf(suite, 1).keys[0]!, mki: Uint8Array.of(1), lifetimePackets: 3 };
    const long = { ...keyingOf(suite, 2).keys[0]!, mki: Uint8Array.of(2) };
    const receiver = new SrtpReceiver(ciphers, { suite, keys: [short, long] });
    const careless = new SrtpSender(ciphers, { suite, keys: [{ ...short, lifetimePackets: undefined }] });
    for (const sequence of [1, 2, 3]) {
      assert.deepEqual(unprotect(receiver, protect(careless, rtp(sequence))), rtp(sequence));
    }
    assert.equal(unprotect(receiver, protect(careless, rtp(4))), SRTP_KEY_EXPIRED);
    for (let reports = 1; reports <= 4; reports++) {
      const report = roomy(REPORT);
      const length = careless.protectRtcp(report, 0, REPORT.length);
      const expected = reports <= 3 ? REPORT.length : SRTP_KEY_EXPIRED;
      assert.equal(receiver.unprotectRtcp(report, 0, length), expected);
    }
    const next = new SrtpSender(ciphers, { suite, keys: [long] });
    assert.deepEqual(unprotect(receiver, protect(next, rtp(5))), rtp(5));

    const sender = new SrtpSender(ciphers, { suite, keys: [short] });
    for (const sequence of [1, 2, 3]) protect(sender, rtp(sequence));
    assert.equal(sender.protectRtp(roomy(rtp(4)), 0, rtp(4).length), SRTP_KEY_EXPIRED);
  }
});

test("extension and contributing sources stay in the clear, padding does not", () => {
  for (const suite of ALL) {
    const keying = keyingOf(suite);
    const plain = new Uint8Array(12 + 8 + 8 + 20);
    writeRtpHeader(plain, 0, true, 8, 77, 1234, SSRC);
    plain[0] = 0x80 | 0x20 | 0x10 | 2; // padding, extension, two CSRC
    plain.set([0xbe, 0xde, 0, 1, 1, 2, 3, 4], 20);
    plain[47] = 4;
    const sealed = protect(new SrtpSender(ciphers, keying), plain);
    assert.deepEqual(sealed.subarray(0, 28), plain.subarray(0, 28));
    assert.notDeepEqual(sealed.subarray(28, 48), plain.subarray(28));
    assert.deepEqual(unprotect(new SrtpReceiver(ciphers, keying), sealed), plain);
  }
});

test("octets that are no RTP are refused without a word to the ciphers", () => {
  const keying = keyingOf("AES_CM_128_HMAC_SHA1_80");
  const receiver = new SrtpReceiver(ciphers, keying);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const before = bytes.slice();
      assert.ok((receiver.unprotectRtp(bytes, 0, bytes.length) as number) < 0);
      assert.ok((receiver.unprotectRtcp(bytes, 0, bytes.length) as number) < 0);
      assert.deepEqual(bytes, before);
    }),
  );
  for (const bytes of [new Uint8Array(0), new Uint8Array(21).fill(0x80), Uint8Array.of(0x9f, 0)]) {
    assert.equal(receiver.unprotectRtp(bytes, 0, bytes.length), SRTP_MALFORMED);
  }
  assert.equal(new SrtpSender(ciphers, keying).protectRtp(new Uint8Array(40), 0, 11), SRTP_MALFORMED);
  assert.equal(new SrtpSender(ciphers, keying).protectRtcp(new Uint8Array(40), 0, 7), SRTP_MALFORMED);
});

test("[R4568-6.1-1] a key or salt that does not fit the suite is refused", () => {
  const { suite, keys } = keyingOf("AES_CM_128_HMAC_SHA1_80");
  const [key] = keys;
  assert.equal(keyingFault({ suite, keys }), undefined);
  for (const wrong of [
    [],
    [{ ...key!, key: new Uint8Array(32) }],
    [{ ...key!, salt: new Uint8Array(12) }],
    [key!, key!],
    [{ ...key!, mki: Uint8Array.of(1) }, key!],
    [{ ...key!, mki: new Uint8Array(129) }],
  ]) {
    assert.match(keyingFault({ suite, keys: wrong }) ?? "", /./);
    assert.throws(() => new SrtpSender(ciphers, { suite, keys: wrong }), RangeError);
  }
  assert.equal(sameKeying({ suite, keys }, keyingOf("AES_CM_128_HMAC_SHA1_80")), true);
  assert.equal(sameKeying({ suite, keys }, keyingOf("AES_CM_128_HMAC_SHA1_80", 9)), false);
  assert.equal(sameKeying({ suite, keys }, { suite: "AES_CM_128_HMAC_SHA1_32", keys }), false);
});

/** A sender report and no more, 28 octets. */
const REPORT = hex(`80c80006cafebabe${"0123456789abcdef".repeat(2)}00000001`);

function keyingOf(suite: SrtpSuite, seed = 0): SrtpKeying {
  const { keyLength, saltLength } = SRTP_SUITES[suite];
  return {
    suite,
    keys: [
      {
        key: Uint8Array.from({ length: keyLength }, (_, i) => i * 7 + seed),
        salt: Uint8Array.from({ length: saltLength }, (_, i) => i * 13 + seed),
      },
    ],
  };
}

function rtp(sequence: number, size = 160, fill = 0x55, ssrc = SSRC): Uint8Array {
  const bytes = new Uint8Array(12 + size).fill(fill);
  writeRtpHeader(bytes, 0, false, 0, sequence & 0xffff, (sequence * 160) >>> 0, ssrc);
  return bytes;
}

/** In the middle of a slab, as it is used. */
function protect(sender: SrtpSender, plain: Uint8Array): Uint8Array {
  const slab = new Uint8Array(3 + plain.length + sender.rtpOverhead + 2).fill(0xee);
  slab.set(plain, 3);
  const length = sender.protectRtp(slab, 3, plain.length);
  assert.equal(length, plain.length + sender.rtpOverhead);
  assert.equal(slab[2]! + slab.at(-1)! + slab.at(-2)!, 3 * 0xee, "nothing else is touched");
  return slab.slice(3, 3 + length);
}

function unprotect(receiver: SrtpReceiver, sealed: Uint8Array): Uint8Array | number {
  const bytes = sealed.slice();
  const length = receiver.unprotectRtp(bytes, 0, bytes.length);
  return length < 0 ? length : bytes.slice(0, length);
}

function roomy(bytes: Uint8Array): Uint8Array {
  const larger = new Uint8Array(bytes.length + 64);
  larger.set(bytes);
  return larger;
}

function hex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, "hex"));
}

function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
