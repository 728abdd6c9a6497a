import assert from "node:assert/strict";
import { test } from "node:test";
import { type CryptoSuite, cryptoOf, formatCrypto, parseSessionDescription } from "@callfork/protocol/sdp";
import { SeededRandom } from "@callfork/testkit";
import {
  answerText,
  body,
  completeXml,
  type Invited,
  metadataPart,
  newCast,
  portsOf,
  RecorderWorld,
  sdp,
  sdpPart,
} from "./recorder-world.ts";

const random = new SeededRandom(5);

test("[R4568-5.1.2-4] [R7866-12.2-6] a recorder answers RTP/SAVP lines with keys of its own, and tells the media plane both", async (t) => {
  const world = await RecorderWorld.start(t, { strict: true });
  const offered = [crypto("AEAD_AES_256_GCM"), crypto("AES_CM_128_HMAC_SHA1_80")];
  const invited = await world.invite(
    offer([[offered[0]!], ["1 UNKNOWN inline:AAAA", offered[1]!.replace(/^1/, "2")]]),
  );
  assert.equal(invited.response?.status, 200);
  const answers = answerOf(invited).media;
  assert.deepEqual(
    answers.map((line) => [line.protocol, cryptoOf(line).map(({ tag, suite }) => [tag, suite])]),
    [
      ["RTP/SAVP", [[1, "AEAD_AES_256_GCM"]]],
      ["RTP/SAVP", [[2, "AES_CM_128_HMAC_SHA1_80"]]],
    ],
  );
  const all = new Set<string>();
  for (const [at, port] of portsOf(invited.answer).entries()) {
    const { srtp } = world.media.onPort(port);
    assert.deepEqual(srtp?.send.keys, cryptoOf(answers[at]!)[0]!.keys);
    for (const { keys } of [srtp!.send, srtp!.receive]) all.add(String(keys[0]!.key));
  }
  assert.equal(all.size, 4);
  assert.deepEqual(world.onlyRow.warnings, []);
  await world.hangUp(invited.dialog!);
});

test("a secured line and one in the clear are recorded side by side; one whose suites nobody knows gets port 0", async (t) => {
  const world = await RecorderWorld.start(t);
  const mixed = sdp([
    { label: "1", attributes: [`crypto:${crypto("AES_256_CM_HMAC_SHA1_80")}`] },
    { label: "2" },
    { label: "3", attributes: ["crypto:1 F8_128_HMAC_SHA1_80 inline:AAAA"] },
  ]);
  const [head, one, two, three] = mixed.split(/(?=m=)/);
  const secured = (line: string | undefined) => line!.replace("RTP/AVP", "RTP/SAVPF");
  const invited = await world.invite(body(sdpPart([head, secured(one), two, secured(three)].join(""))));
  assert.deepEqual(
    answerOf(invited).media.map(({ protocol, port }) => [protocol, port > 0]),
    [
      ["RTP/SAVPF", true],
      ["RTP/AVP", true],
      ["RTP/SAVPF", false],
    ],
  );
  const [first, second] = portsOf(invited.answer);
  assert.equal(world.media.onPort(first!).srtp?.receive.suite, "AES_256_CM_HMAC_SHA1_80");
  assert.equal(world.media.onPort(second!).srtp, undefined);
  const row = await world.hangUp(invited.dialog!);
  assert.ok(row.warnings.some(({ code }) => code === "LINE_REFUSED"));
});

function crypto(suite: CryptoSuite): string {
  const key = random.bytes(suite.includes("256") ? 32 : 16);
  const salt = random.bytes(suite.startsWith("AEAD") ? 12 : 14);
  return formatCrypto({ tag: 1, suite, keys: [{ key, salt }], sessionParameters: [] });
}

/** Two lines with these crypto attributes. */
function offer(crypto: readonly (readonly string[])[]) {
  const lines = crypto.map((values, at) => ({
    label: String(at + 1),
    port: 4_000 + 2 * at,
    attributes: values.map((value) => `crypto:${value}`),
  }));
  const description = sdp(lines).replaceAll("RTP/AVP", "RTP/SAVP");
  return body(sdpPart(description), metadataPart(completeXml(newCast(), ["1", "2"])));
}

function answerOf(invited: Invited) {
  const parsed = parseSessionDescription(answerText(invited.answer));
  assert.ok(parsed.ok);
  return parsed.value;
}
