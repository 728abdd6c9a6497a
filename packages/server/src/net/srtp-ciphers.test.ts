import assert from "node:assert/strict";
import { createCipheriv, createHmac, randomBytes } from "node:crypto";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { NO_TRAILER, SRTP_SUITES, SrtpReceiver, SrtpSender, type SrtpSuite } from "@callfork/protocol/srtp";
import fc from "fast-check";
import { createOpenSslCiphers } from "./openssl-srtp-ciphers.ts";
import { createNodeCiphers, createSrtpCiphers } from "./srtp-ciphers.ts";

const octets = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const openSsl = createOpenSslCiphers();
const openSslByBlocks = createOpenSslCiphers(false);
const IMPLEMENTATIONS = [
  ["node", createNodeCiphers()],
  ...(openSsl === undefined ? [] : [["openssl", openSsl] as const]),
  ...(openSslByBlocks === undefined ? [] : [["openssl by blocks", openSslByBlocks] as const]),
] as const;

test("the fast ciphers are used where they can be had", {
  skip: openSsl === undefined && "no koffi here",
}, () => {
  assert.equal(
    createSrtpCiphers().aesEcb(randomBytes(16)).constructor,
    openSsl?.aesEcb(randomBytes(16)).constructor,
  );
});

test("a key outlives the ciphers that made it", {
  skip: openSsl === undefined && "no koffi here",
}, async () => {
  setFlagsFromString("--expose-gc");
  const collectGarbage = runInNewContext("gc") as () => void;
  const key = randomBytes(16);
  const made = Array.from({ length: 50 }, () => createOpenSslCiphers()!.aesEcb(key));
  const others: Uint8Array[] = [];
  for (let i = 0; i < 5; i++) {
    collectGarbage();
    await new Promise(setImmediate);
    // Whatever is free now is somebody else's.
    for (let k = 0; k < 100; k++) others.push(new Uint8Array(65_599).fill(0xff));
  }
  const plain = randomBytes(16);
  const expected = createCipheriv("aes-128-ecb", key, null).setAutoPadding(false).update(plain);
  for (const aes of made) assert.deepEqual(Buffer.from(aes.encrypt(plain)), expected);
  assert.equal(others.length, 500);
});

for (const [name, ciphers] of IMPLEMENTATIONS) {
  test(`[R3711-4.2.1-1] ${name}: HMAC-SHA1 over precomputed pads is that of OpenSSL, for every length and two keys in turn`, () => {
    fc.assert(
      fc.property(
        octets(20),
        octets(20),
        fc.uint8Array({ maxLength: 2048 }),
        fc.option(fc.nat(0xffff_ffff)),
        fc.constantFrom(4, 10, 20),
        (one, two, message, trailer, tagLength) => {
          for (const key of [one, two]) {
            const hmac = ciphers.hmacSha1(key);
            const bytes = Buffer.concat([Buffer.alloc(5), message, Buffer.alloc(20)]);
            const tagAt = 5 + message.length;
            const end = Buffer.alloc(trailer === null ? 0 : 4);
            if (trailer !== null) end.writeUInt32BE(trailer);
            hmac.sign(bytes, 5, message.length, trailer ?? NO_TRAILER, tagAt, tagLength);
            const expected = createHmac("sha1", key)
              .update(message)
              .update(end)
              .digest()
              .subarray(0, tagLength);
            assert.deepEqual(bytes.subarray(tagAt, tagAt + tagLength), expected);
            assert.ok(hmac.verify(bytes, 5, message.length, trailer ?? NO_TRAILER, tagAt, tagLength));
            bytes[tagAt + tagLength - 1]! ^= 0x80;
            assert.ok(!hmac.verify(bytes, 5, message.length, trailer ?? NO_TRAILER, tagAt, tagLength));
          }
        },
      ),
      { numRuns: 50 },
    );
  });

  if (ciphers.aesEcb(new Uint8Array(16)).counterMode !== undefined) {
    test(`[R3711-4.1.1-1] ${name}: counter mode in one call is that of node:crypto for every length and counter`, () => {
      const word = fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff });
      fc.assert(
        fc.property(
          fc.constantFrom(16, 32).chain(octets),
          fc.uint8Array({ maxLength: 400 }),
          fc.nat(9),
          fc.tuple(word, word, word, word),
          (key, plain, at, words) => {
            const aes = ciphers.aesEcb(key);
            const counter = Buffer.alloc(16);
            for (const [i, one] of words.entries()) counter.writeInt32BE(one, 4 * i);
            const bytes = Buffer.concat([Buffer.alloc(at), plain, Buffer.alloc(3)]);
            const expected = createCipheriv(`aes-${8 * key.length}-ctr`, key, counter).update(plain);
            aes.counterMode?.(bytes, at, at + plain.length, ...words);
            assert.deepEqual(bytes, Buffer.concat([Buffer.alloc(at), expected, Buffer.alloc(3)]));
          },
        ),
      );
    });
  }

  test(`${name}: one AES object encrypts block after block as fresh ones do`, () => {
    for (const length of [16, 32]) {
      const key = randomBytes(length);
      const aes = ciphers.aesEcb(key);
      for (const blocks of [1, 11, 88, 1]) {
        const plain = randomBytes(16 * blocks);
        const fresh = createCipheriv(`aes-${8 * length}-ecb`, key, null).setAutoPadding(false);
        assert.deepEqual(
          Buffer.from(aes.encrypt(plain)),
          Buffer.concat([fresh.update(plain), fresh.final()]),
        );
      }
    }
  });

  test(`[R7714-5-1] ${name}: AES-GCM opens what it sealed in place, and leaves alone what was changed`, () => {
    for (const length of [16, 32]) {
      const gcm = ciphers.aesGcm(randomBytes(length));
      const [nonce, header] = [randomBytes(12), randomBytes(12)];
      for (const size of [0, 1, 160]) {
        const plain = randomBytes(size);
        const bytes = Buffer.concat([header, plain, Buffer.alloc(16)]);
        gcm.seal(nonce, header, bytes, 12, 12 + size);
        const forged = Buffer.from(bytes);
        forged[12 + size]! ^= 1;
        const before = Buffer.from(forged);
        assert.equal(gcm.open(nonce, header, forged, 12, 12 + size), false);
        assert.deepEqual(forged, before);
        assert.equal(gcm.open(nonce, header, bytes, 12, 12 + size), true);
        assert.deepEqual(bytes.subarray(12, 12 + size), plain);
      }
    }
  });

  test(`${name}: streams of all suites, in turns over one set of ciphers, keep apart`, () => {
    const streams = (Object.keys(SRTP_SUITES) as SrtpSuite[]).map((suite, ssrc) => {
      const { keyLength, saltLength } = SRTP_SUITES[suite];
      const keying = { suite, keys: [{ key: randomBytes(keyLength), salt: randomBytes(saltLength) }] };
      return { ssrc, sender: new SrtpSender(ciphers, keying), receiver: new SrtpReceiver(ciphers, keying) };
    });
    for (let sequence = 65_500; sequence < 65_600; sequence++) {
      for (const { ssrc, sender, receiver } of streams) {
        const plain = randomBytes(12 + ((sequence * 7) % 180));
        plain.writeUInt16BE(0x8000);
        plain.writeUInt16BE(sequence & 0xffff, 2);
        plain.writeUInt32BE(ssrc, 8);
        const bytes = Buffer.concat([plain, Buffer.alloc(16)]);
        const length = sender.protectRtp(bytes, 0, plain.length);
        assert.equal(receiver.unprotectRtp(bytes, 0, length), plain.length);
        assert.deepEqual(bytes.subarray(0, plain.length), plain);
      }
    }
  });
}
