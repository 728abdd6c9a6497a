import assert from "node:assert/strict";
import { execFileSync, type SpawnOptions, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { MessageChannel } from "node:worker_threads";
import { encodePcmu } from "@callfork/protocol/audio";
import { SRTP_SUITES, type SrtpKeying, type SrtpSuite } from "@callfork/protocol/srtp";
import { createMediaPlane, type MediaPlane, type MediaSrtp, readReceivedBatch } from "@callfork/server/media";
import type { Log } from "@callfork/server/observe";
import { loadVoice } from "../../packages/testkit/src/phone/voices.ts";

const SKIP = hasFfmpeg() ? false : "ffmpeg is not installed";
/**
 * Those that ffmpeg knows, and what it calls them. Under the name of RFC 4568 its 32-bit suite has short tags for SRTCP
 * too, against §6.2.2.
 */
const SUITES = [
  ["AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_80"],
  ["AES_CM_128_HMAC_SHA1_32", "SRTP_AES128_CM_HMAC_SHA1_32"],
] as const;
const LOCALHOST = "127.0.0.1";
const silent: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };

for (const [suite, name] of SUITES) {
  test(`[R3711-4-1] what ffmpeg sends as SRTP (${suite}) is taken, octet for octet`, {
    skip: SKIP,
  }, async (t) => {
    const plane = await startPlane(t, 44_000);
    const folder = temporaryFolder(t);
    const audio = voice(8000);
    writeFileSync(join(folder, "voice.ul"), audio);
    const keying = newKeying(suite);
    const { port1: sink, port2: batches } = new MessageChannel();
    t.after(() => batches.close());
    const heard: Uint8Array[] = [];
    let reports = 0;
    batches.on("message", (buffer: ArrayBuffer) => {
      for (const { kind, bytes } of readReceivedBatch(buffer)) {
        if (kind === "rtp") heard.push(bytes.subarray(12));
        else reports++;
      }
      batches.postMessage(0);
    });
    const receiver = await plane.openReceiver({ group: "RE1", sink, cname: "recorder", clockRateHz: 8000 });
    const from = await freePort();
    const remote = { address: LOCALHOST, rtpPort: from, rtcpPort: from + 1 };
    plane.connectReceiver(receiver.id, remote, [0], { send: newKeying(suite), receive: keying });
    await plane.stats(receiver.id);
    await ffmpeg([
      ...[
        "-re",
        "-f",
        "mulaw",
        "-ar",
        "8000",
        "-ac",
        "1",
        "-i",
        join(folder, "voice.ul"),
        "-c",
        "copy",
        "-f",
        "rtp",
      ],
      ...["-srtp_out_suite", name, "-srtp_out_params", inline(keying)],
      `srtp://${LOCALHOST}:${receiver.rtpPort}?pkt_size=184&localrtpport=${from}&localrtcpport=${from + 1}`,
    ]);
    await until(t, () => Buffer.concat(heard).length === audio.length && reports > 0);
    assert.ok(Buffer.concat(heard).equals(audio));
    const stats = await plane.stats(receiver.id);
    assert.equal(stats?.rejected, 0);
  });

  test(`[R3711-4-2] what we send as SRTP (${suite}) ffmpeg decrypts, octet for octet`, {
    skip: SKIP,
  }, async (t) => {
    const plane = await startPlane(t, 44_200);
    const folder = temporaryFolder(t);
    const port = await freePort();
    const keying = newKeying(suite);
    const description = [
      "v=0",
      `o=- 1 1 IN IP4 ${LOCALHOST}`,
      "s=-",
      `c=IN IP4 ${LOCALHOST}`,
      "t=0 0",
      `m=audio ${port} RTP/SAVP 0`,
      `a=crypto:1 ${suite} inline:${inline(keying)}`,
      "",
    ].join("\r\n");
    writeFileSync(join(folder, "in.sdp"), description);
    const output = join(folder, "out.ul");
    const listening = ffmpeg([
      ...["-protocol_whitelist", "file,udp,rtp,srtp", "-i", join(folder, "in.sdp")],
      ...["-t", "1.5", "-c", "copy", "-f", "mulaw", output],
    ]);
    const samples = loadVoice("alice").subarray(8000, 8000 + 8000);
    const leg = await plane.openLeg({ group: "CA1" });
    plane.connectLeg(leg.id, {
      remote: { address: LOCALHOST, rtpPort: port, rtcpPort: port + 1 },
      direction: "sendonly",
      codecs: [{ name: "PCMU", clockRateHz: 8000, payloadType: 0 }],
      srtp: { send: keying, receive: newKeying(suite) } satisfies MediaSrtp,
    });
    void plane.play(leg.id, { samples, loop: 0 });
    await listening;
    const heard = readFileSync(output);
    const once = voice(8000);
    const played = Buffer.concat([once, once, once, once, once, once]);
    assert.ok(heard.length >= 8000, `${heard.length} octets`);
    assert.ok(played.includes(heard), "what was heard is what was played");
  });
}

function voice(samples: number): Buffer {
  const octets = Buffer.alloc(samples);
  encodePcmu(loadVoice("alice").subarray(8000, 8000 + samples), octets);
  return octets;
}

function newKeying(suite: SrtpSuite): SrtpKeying {
  const { keyLength, saltLength } = SRTP_SUITES[suite];
  return { suite, keys: [{ key: octets(keyLength), salt: octets(saltLength) }] };
}

const octets = (length: number): Uint8Array => new Uint8Array(randomBytes(length));

function inline({ keys }: SrtpKeying): string {
  return Buffer.concat([keys[0]!.key, keys[0]!.salt]).toString("base64");
}

async function startPlane(t: TestContext, first: number): Promise<MediaPlane> {
  const ports = { first, last: first + 99 };
  const plane = await createMediaPlane({ advertisedAddress: LOCALHOST, ports, workers: 1, log: silent });
  t.after(() => plane.stop());
  return plane;
}

function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "callfork-ffmpeg-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** An even one, the odd one above being free too. */
async function freePort(): Promise<number> {
  for (;;) {
    const socket = createSocket("udp4").bind(0, LOCALHOST);
    await once(socket, "listening");
    const { port } = socket.address();
    socket.close();
    await once(socket, "close");
    if (port % 2 === 0) return port;
  }
}

/** Runs ffmpeg to its end; what it complains of is the error. */
async function ffmpeg(args: readonly string[]): Promise<void> {
  const options: SpawnOptions = { stdio: ["ignore", "ignore", "pipe"] };
  const child = spawn("ffmpeg", ["-nostdin", "-hide_banner", "-loglevel", "warning", "-y", ...args], options);
  let complaints = "";
  child.stderr?.on("data", (text) => {
    complaints += text;
  });
  const [code] = await once(child, "exit");
  assert.equal(code, 0, complaints);
}

async function until(t: TestContext, happened: () => boolean): Promise<void> {
  while (!happened()) {
    t.signal.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function hasFfmpeg(): boolean {
  try {
    return /\bsrtp\b/.test(execFileSync("ffmpeg", ["-hide_banner", "-protocols"], { encoding: "utf8" }));
  } catch {
    return false;
  }
}
