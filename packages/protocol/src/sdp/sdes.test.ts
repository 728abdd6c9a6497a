import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  CRYPTO_SUITES,
  type CryptoAttribute,
  type CryptoSuite,
  cryptoOf,
  formatCrypto,
  type MediaDescription,
  parseCrypto,
} from "./index.ts";
import { parseSessionDescription } from "./parse.ts";

const KEY = "inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";
const LINE = `1 AES_CM_128_HMAC_SHA1_80 ${KEY}`;

test("the RFC's own example is read: tag, suite, key, salt, lifetime, identifier, parameters", () => {
  const parsed = parseCrypto(`${LINE}|2^20|1:4 FEC_ORDER=FEC_SRTP`);
  assert.ok(parsed.ok);
  const { tag, suite, keys, sessionParameters } = parsed.value;
  assert.deepEqual([tag, suite, sessionParameters], [1, "AES_CM_128_HMAC_SHA1_80", ["FEC_ORDER=FEC_SRTP"]]);
  assert.equal(Buffer.from(keys[0]!.key).toString("latin1"), "YS___semctl () {");
  assert.equal(keys[0]!.salt.length, 14);
  assert.deepEqual([keys[0]!.lifetimePackets, keys[0]!.mki], [2 ** 20, Uint8Array.of(0, 0, 0, 1)]);
});

test("[R4568-6.1-3] the suite says how long key and salt are; any other length makes the line invalid", () => {
  for (const [suite, { keyLength, saltLength }] of Object.entries(CRYPTO_SUITES)) {
    for (let octets = 20; octets < 50; octets++) {
      const text = Buffer.alloc(octets, 7).toString("base64");
      const fits = octets === keyLength + saltLength;
      assert.equal(parseCrypto(`1 ${suite} inline:${text}`).ok, fits, `${suite}, ${octets} octets`);
      // Some leave out the padding.
      assert.equal(parseCrypto(`1 ${suite} inline:${text.replaceAll("=", "")}`).ok, fits);
    }
  }
});

test("[R4568-4.1-1] the tag is a decimal number of up to nine digits without leading zeros", () => {
  for (const tag of ["0", "1", "10", "999999999"]) assert.ok(parseCrypto(LINE.replace(/^1/, tag)).ok, tag);
  for (const tag of ["01", "00", "-1", "+1", "1.0", "1000000000", "x", "１"]) {
    assert.ok(!parseCrypto(LINE.replace(/^1/, tag)).ok, tag);
  }
});

test("[R4568-4.1-2] lines that share a tag are all left out, and so are invalid ones", () => {
  const tags = (...values: string[]) => cryptoOf(media(values)).map(({ tag }) => tag);
  assert.deepEqual(tags(LINE, LINE.replace(/^1/, "2"), LINE), [2]);
  assert.deepEqual(tags("2", "x AES inline:1", `3 F8_128_HMAC_SHA1_80 ${KEY}`, LINE), [1]);
});

test("[R4568-4.1-3] crypto lines count on an m-line only, not for the whole description", () => {
  const start = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n";
  const read = parseSessionDescription(`${start}a=crypto:${LINE}\r\nm=audio 4000 RTP/SAVP 0\r\n`);
  assert.ok(read.ok);
  assert.deepEqual(cryptoOf(read.value.media[0]!), []);
});

test("[R4568-6.1-4] lifetime is 2^n or a number, both up to 2^48; an identifier is value:length", () => {
  const key = (suffix: string) => {
    const parsed = parseCrypto(`${LINE}${suffix}`);
    return parsed.ok ? parsed.value.keys[0] : undefined;
  };
  assert.equal(key("|2^48")?.lifetimePackets, 2 ** 48);
  assert.equal(key("|1048576")?.lifetimePackets, 2 ** 20);
  assert.deepEqual(key("|66051:3")?.mki, Uint8Array.of(1, 2, 3));
  assert.deepEqual(key("|0:1")?.mki, Uint8Array.of(0));
  assert.equal(key("|1:128")?.mki?.length, 128);
  for (const wrong of [
    "|2^49",
    "|0",
    "|",
    "|2^",
    "|256:1",
    "|1:0",
    "|1:129",
    "|1:4|2^20",
    "|1:4|1:4",
    "|2^20|1:4|5",
    "|x:1",
  ]) {
    assert.equal(key(wrong), undefined, wrong);
  }
});

test("[R4568-6.1-5] several keys need identifiers, all of one length", () => {
  assert.ok(parseCrypto(`${LINE}|1:4;${KEY}|2:4`).ok);
  for (const more of [`;${KEY}`, `|1:4;${KEY}`, `|1:4;${KEY}|2:2`, `|1:1${`;${KEY}|2:1`.repeat(8)}`]) {
    assert.ok(!parseCrypto(LINE + more).ok, more);
  }
});

test("[R4568-6.3.7-1] an unknown session parameter makes the line invalid, with a hyphen it is passed over", () => {
  const parsed = parseCrypto(`${LINE} WSH=64 -NEW=1 UNENCRYPTED_SRTCP`);
  assert.deepEqual(parsed.ok && parsed.value.sessionParameters, ["WSH=64", "UNENCRYPTED_SRTCP"]);
  for (const parameter of ["NEW=1", "KDR", "KDR=x", "WSH", "UNENCRYPTED_SRTP=1", "WSH=64 WSH=65"]) {
    const refused = parseCrypto(`${LINE} ${parameter}`);
    assert.equal(!refused.ok && refused.error.code, "SDES_BAD_PARAMETER", parameter);
  }
});

test("what is wrong is told without the key, and nothing throws", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.string().map((text) => `${LINE}${text}`),
      ),
      (text) => {
        const parsed = parseCrypto(text);
        if (!parsed.ok) assert.ok(!parsed.error.message.includes("WVNf"));
      },
    ),
  );
  assert.ok(!parseCrypto(`${LINE} ${"-x ".repeat(1000)}`).ok);
});

test("every line we can build survives format then parse", () => {
  const octets = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
  const arbitrary = fc.constantFrom(...(Object.keys(CRYPTO_SUITES) as CryptoSuite[])).chain((suite) => {
    const { keyLength, saltLength } = CRYPTO_SUITES[suite];
    const key = fc.record(
      {
        key: octets(keyLength),
        salt: octets(saltLength),
        lifetimePackets: fc.integer({ min: 1, max: 2 ** 48 }),
        mki: octets(4),
      },
      { requiredKeys: ["key", "salt", "mki"], noNullPrototype: true },
    );
    return fc.record(
      {
        tag: fc.nat(999_999_999),
        suite: fc.constant(suite),
        keys: fc.array(key, { minLength: 1, maxLength: 4 }),
        sessionParameters: fc.subarray(["WSH=64", "KDR=3", "UNENCRYPTED_SRTP"]),
      },
      { noNullPrototype: true },
    );
  });
  fc.assert(
    fc.property(arbitrary, (line: CryptoAttribute) => {
      assert.deepEqual(parseCrypto(formatCrypto(line)), { ok: true, value: line });
    }),
  );
});

function media(crypto: readonly string[]): MediaDescription {
  return {
    kind: "audio",
    port: 4000,
    protocol: "RTP/SAVP",
    formats: ["0"],
    bandwidths: [],
    attributes: crypto.map((value) => ({ name: "crypto", value })),
    otherLines: [],
  };
}
