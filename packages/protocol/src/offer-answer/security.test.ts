import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type CryptoSuite,
  codecsOf,
  cryptoOf,
  formatCrypto,
  formatSessionDescription,
  type MediaDescription,
  parseSessionDescription,
  type SessionDescription,
} from "../sdp/index.ts";
import {
  type AnswerOptions,
  anyAccepted,
  createAnswer,
  createOffer,
  createRecordingAnswer,
  createRecordingOffer,
  DEFAULT_CRYPTO_SUITES,
  type MediaSecurity,
  type NegotiatedMedia,
  negotiate,
  readRecordingAnswer,
  relayAnswer,
  relayOffer,
  type SrtpPolicy,
  suitesAtLeast,
  usableLines,
} from "./index.ts";

const PCMU = { payloadType: 0, name: "PCMU", clockRateHz: 8000, channels: 1 };
const CODECS = [{ name: "PCMU", clockRateHz: 8000 }];

test("[R4568-5.1.1-1] a secured offer has RTP/SAVP and a crypto line for each suite, each with its own tag", () => {
  const offer = offerOf(side("required"), 4000);
  const line = offer.media[0]!;
  assert.equal(line.protocol, "RTP/SAVP");
  assert.deepEqual(
    cryptoOf(line).map(({ tag, suite }) => [tag, suite]),
    DEFAULT_CRYPTO_SUITES.map((suite, at) => [at + 1, suite]),
  );
  assert.equal(DEFAULT_CRYPTO_SUITES[0], "AES_CM_128_HMAC_SHA1_80");
});

test("[R4568-6.1-6] every key of a description is another one, from line to line and suite to suite", () => {
  const offer = createOffer({
    ...side("required"),
    media: [4000, 4002, 4004, 4006].map((port) => ({ local: { port }, codecs: [PCMU] })),
  });
  const keys = offer.media.flatMap((line) =>
    cryptoOf(line).map((one) => formatCrypto(one).split("inline:")[1]),
  );
  assert.equal(keys.length, 4 * DEFAULT_CRYPTO_SUITES.length);
  assert.equal(new Set(keys).size, keys.length);
});

test("[R4568-5.1.2-1] [R4568-6.3-1] [R7866-12.2-2] the answer takes one offered line by tag and suite, or refuses with port 0", () => {
  const taken = (suites: readonly CryptoSuite[], ...offered: readonly string[]) => {
    const { description, media } = createAnswer(savp(offered), answering({ suites }));
    return [
      description.media[0]!.port,
      cryptoOf(description.media[0]!).map(({ tag, suite }) => [tag, suite]),
      anyAccepted(media),
    ];
  };
  const offered = [crypto(7, "AES_256_CM_HMAC_SHA1_80"), crypto(2, "AES_CM_128_HMAC_SHA1_80")];
  assert.deepEqual(taken(DEFAULT_CRYPTO_SUITES, "1 F8_128_HMAC_SHA1_80 inline:AAAA", ...offered), [
    5000,
    [[7, "AES_256_CM_HMAC_SHA1_80"]],
    true,
  ]);
  assert.deepEqual(taken(["AES_CM_128_HMAC_SHA1_80"], ...offered), [
    5000,
    [[2, "AES_CM_128_HMAC_SHA1_80"]],
    true,
  ]);
  assert.deepEqual(taken(["AEAD_AES_128_GCM"], ...offered), [0, [], false]);
  assert.deepEqual(taken(DEFAULT_CRYPTO_SUITES, "1 F8_128_HMAC_SHA1_80 inline:AAAA"), [0, [], false]);
  assert.deepEqual(taken(DEFAULT_CRYPTO_SUITES), [0, [], false], "no key at all");
  // What would weaken the stream is as good as not offered.
  for (const weak of ["UNENCRYPTED_SRTP", "UNENCRYPTED_SRTCP", "UNAUTHENTICATED_SRTP", "KDR=5"]) {
    assert.deepEqual(taken(DEFAULT_CRYPTO_SUITES, `${crypto(1, "AES_CM_128_HMAC_SHA1_80")} ${weak}`), [
      0,
      [],
      false,
    ]);
  }
});

test("[R4568-7.1.2-1] the key of the answer is another than that of the offer, also when the offer sends ours back", () => {
  const offer = offerOf(side("required"), 4000);
  const first = createAnswer(offer, answering());
  const [ours] = cryptoOf(first.description.media[0]!);
  const { srtp } = first.media[0]!;
  assert.deepEqual(srtp?.send.keys, ours!.keys);
  assert.deepEqual(srtp?.receive.keys, cryptoOf(offer.media[0]!)[0]!.keys);
  assert.notDeepEqual(srtp?.send.keys, srtp?.receive.keys);
  const reflected = savp([formatCrypto({ ...ours!, tag: 1 })]);
  const second = createAnswer(reflected, answering({}, first.description));
  assert.notDeepEqual(second.media[0]!.srtp?.send.keys, ours!.keys);
  // An answer that repeats our own key is no answer.
  assert.equal(
    negotiate(offer, withCrypto(first.description, formatCrypto(cryptoOf(offer.media[0]!)[0]!)), "remote")[0]!
      .accepted,
    false,
  );
});

test("[R4568-5.1.3-1] an answer whose tag or suite was not offered, or with several or no crypto lines, comes to nothing", () => {
  const offer = offerOf(side("required"), 4000);
  const answer = createAnswer(offer, answering()).description;
  const [line] = cryptoOf(answer.media[0]!);
  assert.equal(negotiate(offer, answer, "remote")[0]!.accepted, true);
  for (const lines of [
    [{ ...line!, tag: 99 }],
    [{ ...line!, tag: 2 }],
    [line!, { ...line!, tag: 2, suite: "AES_CM_128_HMAC_SHA1_32" as const }],
    [{ ...line!, sessionParameters: ["UNENCRYPTED_SRTP"] }],
    [],
  ]) {
    const wrong = withCrypto(answer, ...lines.map(formatCrypto));
    assert.equal(negotiate(offer, wrong, "remote")[0]!.accepted, false);
  }
  const inTheClear = { ...answer, media: answer.media.map((one) => ({ ...one, protocol: "RTP/AVP" })) };
  assert.equal(negotiate(offer, inTheClear, "remote")[0]!.accepted, false);
});

test("[R4568-5.1.4-1] [R4568-7.1.4-1] a new offer repeats its keys; another port, another address or the wish for it brings new ones", () => {
  const at = side("required");
  const first = offerOf(at, 4000);
  const repeated = offerOf({ ...at, previous: first }, 4000);
  assert.equal(formatSessionDescription(repeated), formatSessionDescription(first));
  for (const [again, port] of [
    [{ ...at, previous: first }, 4002],
    [{ ...at, previous: first, address: "192.0.2.9" }, 4000],
    [{ ...at, previous: first, security: { ...at.security, rekey: true } }, 4000],
  ] as const) {
    assert.notDeepEqual(cryptoOf(offerOf(again, port).media[0]!), cryptoOf(first.media[0]!));
  }
  const answer = createAnswer(first, answering()).description;
  const answered = createAnswer(repeated, answering({}, answer)).description;
  assert.equal(formatSessionDescription(answered), formatSessionDescription(answer));
  // Whoever answered before offers the key it sends with, and no other.
  const offered = createOffer({
    ...side("offered"),
    previous: answer,
    address: ADDRESS,
    media: [{ local: { port: 5000 }, codecs: [PCMU] }],
  });
  assert.equal(offered.media[0]!.protocol, "RTP/SAVP");
  assert.deepEqual(cryptoOf(offered.media[0]!), cryptoOf(answer.media[0]!));
});

test("[R4568-6-1] keys in RTP/AVP are ignored, unless the policy is opportunistic on both sides", () => {
  const opportunistic = offerOf(side("opportunistic"), 4000);
  assert.equal(opportunistic.media[0]!.protocol, "RTP/AVP");
  assert.ok(cryptoOf(opportunistic.media[0]!).length > 0);
  const srtpOf = (policy: SrtpPolicy) => {
    const { description, media } = createAnswer(opportunistic, answering({ policy }));
    assert.equal(media[0]!.accepted, policy !== "required");
    const theirs = negotiate(opportunistic, description, "remote")[0]!;
    assert.deepEqual(theirs.srtp?.send, media[0]!.srtp?.receive);
    return media[0]!.srtp !== undefined;
  };
  assert.deepEqual((["never", "offered", "opportunistic", "required"] as const).map(srtpOf), [
    false,
    false,
    true,
    false,
  ]);
});

test("[R7866-12.2-1] RTP/SAVP and RTP/SAVPF are taken where the policy has them, and each is answered in kind", () => {
  for (const protocol of ["RTP/SAVP", "RTP/SAVPF"]) {
    const offer = savp([crypto(1, "AEAD_AES_256_GCM")], protocol);
    for (const policy of ["offered", "opportunistic", "required"] as const) {
      const { description, media } = createRecordingAnswer(offer, {
        ...side(policy),
        ports: [{ port: 5000 }],
        codecs: CODECS,
      });
      assert.equal(description.media[0]!.protocol, protocol);
      assert.equal(media[0]!.srtp?.receive.suite, "AEAD_AES_256_GCM");
    }
    assert.deepEqual(usableLines(offer, undefined, side("never").security), [false]);
    assert.deepEqual(usableLines(offer), [false]);
  }
});

test("the offers a policy makes and takes are those of its table", () => {
  const clear = offerOf(side("never"), 4000);
  const secured = offerOf(side("required"), 4000);
  const takes = (policy: SrtpPolicy, offer: SessionDescription) =>
    createAnswer(offer, answering({ policy })).media[0]!.accepted;
  const table = (["never", "offered", "opportunistic", "required"] as const).map((policy) => [
    offerOf(side(policy), 4000).media[0]!.protocol,
    takes(policy, clear),
    takes(policy, secured),
  ]);
  assert.deepEqual(table, [
    ["RTP/AVP", true, false],
    ["RTP/AVP", true, true],
    ["RTP/AVP", true, true],
    ["RTP/SAVP", false, true],
  ]);
});

test("[R4568-5.1.2-2] a recorder answers a secured sendonly line with a key of its own, for its reports", () => {
  const offer = createRecordingOffer({
    ...side("required"),
    tracks: ["inbound", "outbound"].map((label, i) => ({
      label,
      codecs: [PCMU],
      local: { port: 4000 + 2 * i },
    })),
  });
  const { description, media } = createRecordingAnswer(offer, {
    ...side("offered"),
    ports: [{ port: 5000 }, { port: 5002 }],
    codecs: CODECS,
  });
  assert.deepEqual(
    description.media.map(({ protocol }) => protocol),
    ["RTP/SAVP", "RTP/SAVP"],
  );
  const read = readRecordingAnswer(offer, description);
  assert.ok(read.ok);
  for (const [i, line] of read.value.entries()) {
    assert.deepEqual(line.srtp?.send, media[i]!.srtp?.receive);
    assert.deepEqual(line.srtp?.receive, media[i]!.srtp?.send);
  }
  const all = media.flatMap(({ srtp }) =>
    [srtp!.send, srtp!.receive].map(({ keys }) => String(keys[0]!.key)),
  );
  assert.equal(new Set(all).size, 4, "two streams, four keys");
});

test("[R7245-5-3] [R7866-12.2-3] [R7866-12.2-4] RTP and SRTP are relayed to each other in any mixture; each leg has keys of its own", () => {
  const keysOf = ({ srtp }: NegotiatedMedia) =>
    srtp ? [srtp.send, srtp.receive].map(({ keys }) => String(keys[0]!.key)) : [];
  for (const caller of [false, true]) {
    for (const callee of [false, true]) {
      const offer = offerOf(side(caller ? "required" : "never"), 4000);
      const relayedOffer = relayOffer(offer, {
        ...side(callee ? "required" : "offered"),
        offererSecurity: side("offered").security,
        ports: [{ port: 6000 }],
      });
      assert.equal(relayedOffer.media[0]!.protocol, callee ? "RTP/SAVP" : "RTP/AVP");
      assert.equal(cryptoOf(relayedOffer.media[0]!).length > 0, callee);
      const answer = createAnswer(relayedOffer, answering());
      const relayed = relayAnswer({
        ...side("offered"),
        ports: [{ port: 6002 }],
        offer,
        relayedOffer,
        answer: answer.description,
      });
      assert.ok(relayed.ok);
      const { description, offererMedia, answererMedia } = relayed.value;
      assert.equal(description.media[0]!.protocol, offer.media[0]!.protocol);
      assert.deepEqual(
        codecsOf(description.media[0]!).map(({ name }) => name),
        ["PCMU"],
      );
      assert.deepEqual([offererMedia[0]!.accepted, answererMedia[0]!.accepted], [true, true]);
      const callerSide = negotiate(offer, description, "remote")[0]!;
      assert.deepEqual(callerSide.srtp?.send, offererMedia[0]!.srtp?.receive);
      assert.deepEqual(answer.media[0]!.srtp?.send, answererMedia[0]!.srtp?.receive);
      const keys = [...keysOf(offererMedia[0]!), ...keysOf(answererMedia[0]!)];
      assert.equal(keys.length, 2 * Number(caller) + 2 * Number(callee));
      assert.equal(new Set(keys).size, keys.length);
    }
  }
});

test("[R7866-12.2-5] suites for a copy are at least as strong as that of the call", () => {
  assert.deepEqual(suitesAtLeast(undefined), DEFAULT_CRYPTO_SUITES);
  assert.deepEqual(suitesAtLeast("AES_256_CM_HMAC_SHA1_80"), ["AEAD_AES_256_GCM", "AES_256_CM_HMAC_SHA1_80"]);
  assert.ok(!suitesAtLeast("AES_CM_128_HMAC_SHA1_80").includes("AES_CM_128_HMAC_SHA1_32"));
  assert.deepEqual(suitesAtLeast("AES_CM_128_HMAC_SHA1_32"), DEFAULT_CRYPTO_SUITES);
});

test("DTLS-SRTP is refused: its keys are not in the description", () => {
  const offer = savp([crypto(1, "AES_CM_128_HMAC_SHA1_80")], "UDP/TLS/RTP/SAVP");
  assert.equal(createAnswer(offer, answering()).media[0]!.accepted, false);
});

const ADDRESS = "192.0.2.1";
let dice = 0;
const random = {
  bytes: (length: number) => {
    dice++;
    return Uint8Array.from({ length }, (_, i) => (dice >> (8 * (i % 4))) ^ i);
  },
};

function side(policy: SrtpPolicy, changes: Partial<MediaSecurity> = {}) {
  const security: MediaSecurity = { policy, suites: DEFAULT_CRYPTO_SUITES, random, ...changes };
  return { origin: { sessionId: "1" }, address: ADDRESS, security };
}

function answering(changes: Partial<MediaSecurity> = {}, previous?: SessionDescription): AnswerOptions {
  return { ...side("offered", changes), lines: [{ port: 5000 }], codecs: CODECS, previous };
}

function offerOf(from: Omit<Parameters<typeof createOffer>[0], "media">, port: number): SessionDescription {
  return createOffer({ ...from, media: [{ local: { port }, codecs: [PCMU] }] });
}

function crypto(tag: number, suite: CryptoSuite): string {
  const [key, salt] = suite.includes("256") ? [32, 14] : [16, 14];
  const made = { key: random.bytes(key), salt: random.bytes(suite.startsWith("AEAD") ? 12 : salt) };
  return formatCrypto({ tag, suite, keys: [made], sessionParameters: [] });
}

function savp(lines: readonly string[], protocol = "RTP/SAVP"): SessionDescription {
  const text = [
    "v=0",
    "o=- 1 1 IN IP4 192.0.2.2",
    "s=-",
    "c=IN IP4 192.0.2.2",
    "t=0 0",
    `m=audio 4000 ${protocol} 0`,
    ...lines.map((line) => `a=crypto:${line}`),
    "",
  ].join("\r\n");
  const parsed = parseSessionDescription(text);
  assert.ok(parsed.ok);
  return parsed.value;
}

function withCrypto(description: SessionDescription, ...lines: readonly string[]): SessionDescription {
  const [first, ...others] = description.media;
  const media: MediaDescription = {
    ...first!,
    attributes: [
      ...first!.attributes.filter(({ name }) => name !== "crypto"),
      ...lines.map((value) => ({ name: "crypto", value })),
    ],
  };
  return { ...description, media: [media, ...others] };
}
