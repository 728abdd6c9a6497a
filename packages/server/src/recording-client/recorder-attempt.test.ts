import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { createRecordingAnswer, DEFAULT_CRYPTO_SUITES } from "@callfork/protocol/offer-answer";
import {
  type CryptoSuite,
  cryptoOf,
  parseSessionDescription,
  type SessionDescription,
} from "@callfork/protocol/sdp";
import { EMPTY_METADATA } from "@callfork/protocol/siprec";
import type { InviteOptions } from "../signalling/index.ts";
import { forkCodecsOf } from "./fork-codecs.ts";
import { DEFAULT_CONNECTOR_SETTINGS } from "./ports.ts";
import { RecorderAttempt } from "./recorder-attempt.ts";

const random = { bytes: (length: number) => new Uint8Array(randomBytes(length)) };

test("[R4568-5.1.1-2] secure=true offers RTP/SAVP on every line, the suite everybody knows first, each line with keys of its own", () => {
  const offer = offerTo({ secure: true });
  const crypto = offer.media.map(cryptoOf);
  assert.deepEqual(
    offer.media.map(({ protocol }) => protocol),
    ["RTP/SAVP", "RTP/SAVP"],
  );
  for (const lines of crypto)
    assert.deepEqual(
      lines.map(({ suite }) => suite),
      DEFAULT_CRYPTO_SUITES,
    );
  assert.equal(crypto[0]![0]!.suite, "AES_CM_128_HMAC_SHA1_80");
  const keys = crypto.flat().map(({ keys: [one] }) => String(one!.key));
  assert.equal(new Set(keys).size, keys.length);
  // What our recorder makes of it.
  const { media } = createRecordingAnswer(offer, {
    origin: { sessionId: "1" },
    address: "192.0.2.2",
    ports: [{ port: 5000 }, { port: 5002 }],
    codecs: [{ name: "PCMU", clockRateHz: 8000 }],
    security: { policy: "offered", suites: DEFAULT_CRYPTO_SUITES, random },
  });
  assert.ok(media.every(({ accepted, srtp }) => accepted && srtp !== undefined));
});

test("[R7866-12.2-7] the copy of a call under AES-256 is offered AES-256 and nothing weaker; without secure it is in the clear", () => {
  const offer = offerTo({ secure: true, encryption: "AES_256_CM_HMAC_SHA1_80" });
  const suites = cryptoOf(offer.media[0]!).map(({ suite }) => suite);
  assert.deepEqual(suites, ["AEAD_AES_256_GCM", "AES_256_CM_HMAC_SHA1_80"]);
  const clear = offerTo({ secure: false, encryption: "AES_256_CM_HMAC_SHA1_80" });
  assert.deepEqual(
    clear.media.map((line) => [line.protocol, cryptoOf(line).length]),
    [
      ["RTP/AVP", 0],
      ["RTP/AVP", 0],
    ],
  );
});

/** The offer that goes out in the INVITE. */
function offerTo({ secure, encryption }: { secure: boolean; encryption?: CryptoSuite }): SessionDescription {
  let sent: InviteOptions | undefined;
  const log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };
  const port = (id: number) => ({
    id,
    address: "192.0.2.1",
    rtpPort: 4000 + 2 * id,
    rtcpPort: 4001 + 2 * id,
  });
  type Options = ConstructorParameters<typeof RecorderAttempt>[0];
  const attempt = new RecorderAttempt({
    context: {
      random,
      sipHost: "platform.example.com",
      limits: { answerTimeoutMs: 10_000 },
      userAgent: {
        invite: (options: InviteOptions) => {
          sent = options;
          return { callId: "1", cancel() {} };
        },
      },
    } as unknown as Options["context"],
    log,
    recorder: {
      uri: "sip:srs@example.com;transport=tls",
      shownUri: "sip:srs@example.com",
      secure,
    } as Options["recorder"],
    plan: { headers: [], settings: DEFAULT_CONNECTOR_SETTINGS } as unknown as Options["plan"],
    media: {
      lines: [
        { label: "inbound", port: port(1) },
        { label: "outbound", port: port(2) },
      ],
    } as unknown as Options["media"],
    codecs: forkCodecsOf([{ payloadType: 0, name: "PCMU", clockRateHz: 8000, channels: 1 }], []),
    encryption,
    headers: [],
    owner: { snapshot: () => EMPTY_METADATA, isPaused: () => false } as unknown as Options["owner"],
    onAnswered: () => {},
    onFailed: ({ text }) => assert.fail(text),
  });
  attempt.start();
  const body = new TextDecoder().decode(sent?.body?.bytes);
  const text = body.slice(body.indexOf("v=0"), body.indexOf("\r\n--", body.indexOf("v=0")));
  const parsed = parseSessionDescription(text);
  assert.ok(parsed.ok, body);
  return parsed.value;
}
