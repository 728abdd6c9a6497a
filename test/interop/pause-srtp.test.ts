import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { directionOf, parseSessionDescription, type SessionDescription } from "@callfork/protocol/sdp";
import { createResolver, createSipTransports, createSystemClock } from "@callfork/server/net";
import { createUserAgent, type ReceivedPart, type SipBody } from "@callfork/server/signalling";
import { NO_OPENSSL, TestAuthority } from "../../packages/server/src/net/testing/certificates.ts";
import { forked, indexOf, noise, random, until } from "../e2e/fork-rig.ts";
import { memoryLog } from "../simulated/pair.ts";

const LOCALHOST = "127.0.0.1";
const ffmpegSpeaks = spawnSync("ffmpeg", ["-hide_banner", "-protocols"], { encoding: "utf8" }).stdout ?? "";
const skip = NO_OPENSSL || (!/\bsrtp\b/.test(ffmpegSpeaks) && "ffmpeg does not speak SRTP");

/** An even port that is free, the odd one above too; never given twice. */
const given = new Set<number>();
async function freePort(): Promise<number> {
  for (;;) {
    const socket = createSocket("udp4").bind(0, LOCALHOST);
    await once(socket, "listening");
    const { port } = socket.address();
    socket.close();
    await once(socket, "close");
    if (port % 2 === 0 && !given.has(port)) {
      given.add(port);
      return port;
    }
  }
}

const isBound = (port: number): boolean =>
  readFileSync("/proc/net/udp", "utf8").includes(`:${port.toString(16).toUpperCase().padStart(4, "0")} `);

/** ffmpeg on one SRTP port: decrypts with the key of the offer, and writes the octets of the payloads. */
async function decryptor(t: TestContext, folder: string, crypto: string) {
  const port = await freePort();
  const [description, output] = [join(folder, `${port}.sdp`), join(folder, `${port}.ul`)];
  writeFileSync(
    description,
    [
      "v=0",
      `o=- 1 1 IN IP4 ${LOCALHOST}`,
      "s=-",
      `c=IN IP4 ${LOCALHOST}`,
      "t=0 0",
      `m=audio ${port} RTP/SAVP 0`,
      `a=crypto:${crypto}`,
      "",
    ].join("\r\n"),
  );
  const child = spawn(
    "ffmpeg",
    [
      ...["-nostdin", "-hide_banner", "-loglevel", "error", "-y", "-protocol_whitelist", "file,udp,rtp,srtp"],
      ...[
        "-reorder_queue_size",
        "0",
        "-i",
        description,
        "-c",
        "copy",
        "-flush_packets",
        "1",
        "-f",
        "mulaw",
        output,
      ],
    ],
    { stdio: "ignore" },
  );
  const ended = once(child, "exit");
  t.after(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  await until("ffmpeg listens", () => isBound(port));
  return { port, octets: () => (existsSync(output) ? readFileSync(output) : Buffer.alloc(0)) };
}

/** A recorder over TLS whose ears are ffmpeg's. */
async function recorder(t: TestContext, authority: TestAuthority) {
  const certificate = authority.issue(`IP:${LOCALHOST}`);
  const folder = mkdtempSync(join(tmpdir(), "callfork-pause-srtp-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const clock = createSystemClock();
  const log = memoryLog();
  const transports = await createSipTransports({
    listen: [{ transport: "tls", address: LOCALHOST, port: 0 }],
    log,
    clock,
    tls: { certificate: [certificate.certificateFile], key: [certificate.keyFile], ca: authority.caFile },
  });
  const agent = createUserAgent({
    transports,
    resolver: createResolver(),
    clock,
    random,
    log,
    userAgentName: "recorder",
  });
  const ears: Awaited<ReturnType<typeof decryptor>>[] = [];
  const directions: string[] = [];
  const keys = [0, 1].map(() => randomBytes(30).toString("base64"));
  const offerIn = (body: readonly ReceivedPart[]): SessionDescription => {
    const parsed = parseSessionDescription(
      body.find(({ mediaType }) => mediaType === "application/sdp")!.bytes,
    );
    assert.ok(parsed.ok);
    return parsed.value;
  };
  const cryptosOf = (offer: SessionDescription) =>
    offer.media.map(
      (media) =>
        media.attributes.find(
          ({ name, value }) => name === "crypto" && /AES_CM_128_HMAC_SHA1_80/.test(value ?? ""),
        )!.value!,
    );
  const answer = (offer: SessionDescription): SipBody => {
    const isInactive = offer.media.every((media) => directionOf(offer, media) === "inactive");
    directions.push(isInactive ? "inactive" : "sendonly");
    const lines = cryptosOf(offer).flatMap((crypto, line) => [
      `m=audio ${ears[line]!.port} RTP/SAVP 0`,
      `a=crypto:${crypto.split(" ")[0]} AES_CM_128_HMAC_SHA1_80 inline:${keys[line]}`,
      `a=${isInactive ? "inactive" : "recvonly"}`,
    ]);
    const head = [
      "v=0",
      `o=- 1 ${directions.length} IN IP4 ${LOCALHOST}`,
      "s=-",
      `c=IN IP4 ${LOCALHOST}`,
      "t=0 0",
    ];
    const bytes = new TextEncoder().encode(`${[...head, ...lines].join("\r\n")}\r\n`);
    return { contentType: "application/sdp", bytes };
  };
  agent.attach({
    onInvite: async (invite) => {
      const offer = offerIn(invite.body);
      for (const crypto of cryptosOf(offer)) ears.push(await decryptor(t, folder, crypto));
      const dialog = invite.answer({ body: answer(offer), contactParameters: ";+sip.srs" });
      const answered = (body: readonly ReceivedPart[]) => {
        const hasOffer = body.some(({ mediaType }) => mediaType === "application/sdp");
        return { status: 200, ...(hasOffer && { body: answer(offerIn(body)) }) };
      };
      dialog.attach({
        onReinvite: (_request, body) => answered(body),
        onUpdate: (_request, body) => answered(body),
        onEnded: () => {},
      });
    },
  });
  t.after(async () => {
    await agent.stop(200);
    await transports.close();
  });
  const { port } = transports.sentBy("tls", LOCALHOST);
  return { uri: `sip:srs@${LOCALHOST}:${port};transport=tls;secure=true`, ears, directions };
}

test("[R7866-8.1.2-2] [R7866-12.2-1] [R7866-12.2-2] [R6341-030] a secured fork, decrypted by ffmpeg: nothing of what was said while it was paused is in it", {
  skip,
}, async (t) => {
  const authority = new TestAuthority(t);
  const own = authority.issue(`IP:${LOCALHOST}`);
  const srs = await recorder(t, authority);
  const voices = [noise(), noise()] as const;
  const places = voices.map(indexOf);
  const { client, call, other, row, callSid, assertUndisturbed } = await forked(t, voices, [srs.uri], {
    firstPort: 28_000,
    tls: { certificate: [own.certificateFile], key: [own.keyFile], ca: authority.caFile },
  });
  /** Packets of the voice that ffmpeg has found in a track; `undefined`: something else. */
  const heard = (line: number): (number | undefined)[] => {
    const octets = srs.ears[line]?.octets() ?? Buffer.alloc(0);
    return Array.from({ length: Math.floor(octets.length / 160) }, (_, at) =>
      places[line]!(octets.subarray(at * 160, at * 160 + 160)),
    );
  };
  await until("both tracks", () => heard(0).length > 25 && heard(1).length > 25);
  await client.pause(callSid(), "f");
  const fence = [call.packetsSent, other.packetsSent] as const;
  await until("a second of talk", () => call.packetsSent > fence[0] + 50);
  await until("the recorder has been told", () => srs.directions.at(-1) === "inactive");
  const before = heard(0).length;
  const open = [call.packetsSent, other.packetsSent] as const;
  await client.resume(callSid(), "f");
  await until("both tracks again", () => heard(0).length > before + 25 && heard(1).length > before + 25);

  for (const line of [0, 1] as const) {
    const found = heard(line);
    assert.ok(
      found.every((place) => place !== undefined),
      "octets that nobody said",
    );
    const during = found.filter((place) => place! >= fence[line] && place! < open[line]);
    assert.deepEqual(during, []);
    assert.ok(found.some((place) => place! < fence[line]) && found.some((place) => place! >= open[line]));
  }
  const tracks = (await client.inspect(callSid(), row().sid))!.detail.tracks;
  assert.deepEqual(
    tracks.map(({ encryption }) => encryption),
    ["AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_80"],
  );
  assertUndisturbed();
  await call.hangUp();
  await until("the end", () => row().status === "stopped" && client.liveCount === 0);
});
