import assert from "node:assert/strict";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { formatRtcp, writeRtpHeader } from "@callfork/protocol/rtp";
import { parseSessionDescription } from "@callfork/protocol/sdp";
import { createResolver, createSipTransports, createSystemClock } from "@callfork/server/net";
import {
  createUserAgent,
  type ReceivedPart,
  type SipBody,
  type SipDialog,
} from "@callfork/server/signalling";
import { Owned } from "../interop/support/owned.ts";
import { TestServer } from "../interop/support/server.ts";
import { until } from "../interop/support/waiting.ts";
import { memoryLog } from "../simulated/pair.ts";
import { random } from "./fork-rig.ts";

const H264 = [
  "a=rtpmap:97 H264/90000",
  "a=fmtp:97 profile-level-id=42e01f;packetization-mode=1",
  "a=rtcp-fb:97 nack pli",
];

/** A video phone on real sockets: it says what it hears, packet for packet. */
class VideoPhone {
  readonly port: number;
  readonly heard: Buffer[] = [];
  readonly reports: Buffer[] = [];
  readonly #agent: ReturnType<typeof createUserAgent>;
  readonly #sockets: readonly Socket[];
  #remote = { rtp: 0, rtcp: 0 };
  dialog: SipDialog | undefined;
  lines: string[] = [];

  static async open(t: TestContext): Promise<VideoPhone> {
    const transports = await createSipTransports({
      listen: [{ transport: "tcp", address: "127.0.0.1", port: 0 }],
      log: memoryLog(),
      clock: createSystemClock(),
    });
    const sockets = await Promise.all(
      [0, 1, 2].map(async () => {
        const socket = createSocket("udp4").bind(0, "127.0.0.1");
        await once(socket, "listening");
        return socket;
      }),
    );
    const phone = new VideoPhone(transports, sockets);
    t.after(async () => {
      for (const socket of sockets) socket.close();
      await phone.#agent.stop(200);
      await transports.close();
    });
    return phone;
  }

  private constructor(
    transports: Awaited<ReturnType<typeof createSipTransports>>,
    sockets: readonly Socket[],
  ) {
    this.#sockets = sockets;
    this.port = transports.sentBy("tcp", "127.0.0.1").port;
    this.#agent = createUserAgent({
      transports,
      resolver: createResolver(),
      clock: createSystemClock(),
      random,
      log: memoryLog(),
      userAgentName: "video phone",
    });
    this.#agent.attach({
      onInvite: (invite) => {
        this.#take(invite.body);
        this.#keep(invite.answer({ body: this.#description() }));
      },
    });
    sockets[1]!.on("message", (bytes) => this.heard.push(bytes));
    sockets[2]!.on("message", (bytes) => this.reports.push(bytes));
  }

  call(user: string, sipPort: number): void {
    const requestUri = `sip:${user}@127.0.0.1:${sipPort};transport=tcp`;
    this.#agent.invite(
      { requestUri, from: "sip:caller@127.0.0.1", to: requestUri, body: this.#description() },
      {
        onAnswered: (dialog, _response, body) => {
          this.#take(body);
          this.#keep(dialog);
          return undefined;
        },
        onFailed: ({ message }) => assert.fail(message),
      },
    );
  }

  send(bytes: Uint8Array): Promise<void> {
    return this.#sendBy(this.#sockets[1]!, bytes, this.#remote.rtp);
  }

  report(bytes: Uint8Array): Promise<void> {
    return this.#sendBy(this.#sockets[2]!, bytes, this.#remote.rtcp);
  }

  #sendBy(socket: Socket, bytes: Uint8Array, port: number): Promise<void> {
    return new Promise((resolve) => socket.send(bytes, port, "127.0.0.1", () => resolve()));
  }

  #keep(dialog: SipDialog): void {
    this.dialog = dialog;
    dialog.attach({ onEnded: () => undefined });
  }

  #take(body: readonly ReceivedPart[]): void {
    const parsed = parseSessionDescription(body[0]!.bytes);
    assert.ok(parsed.ok);
    const video = parsed.value.media[1]!;
    this.lines = video.attributes.map(
      ({ name, value }) => `a=${name}${value === undefined ? "" : `:${value}`}`,
    );
    this.#remote = { rtp: video.port, rtcp: video.port + 1 };
  }

  #description(): SipBody {
    const [audio, video, rtcp] = this.#sockets.map((socket) => socket.address().port);
    const lines = [
      ...["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0"],
      ...[`m=audio ${audio} RTP/AVP 0`, "a=rtpmap:0 PCMU/8000"],
      ...[`m=video ${video} RTP/AVP 97`, ...H264, `a=rtcp:${rtcp}`],
    ];
    return { contentType: "application/sdp", bytes: new TextEncoder().encode(`${lines.join("\r\n")}\r\n`) };
  }
}

/** A packet of a picture: no two alike. */
function picture(i: number, ssrc: number): Buffer {
  const bytes = Buffer.alloc(12 + 1100);
  writeRtpHeader(bytes, 0, i % 7 === 6, 97, 65_530 + i, i * 3000, ssrc);
  for (let k = 12; k < bytes.length; k++) bytes[k] = (i * 31 + k * 7 + ssrc) & 0xff;
  return bytes;
}

test("[R3264-5-2] two video phones see each other octet for octet through the platform, and ask each other for pictures", async (t) => {
  const own = new Owned();
  t.after(() => own.release());
  const server = await TestServer.start(own);
  const [caller, callee] = [await VideoPhone.open(t), await VideoPhone.open(t)];
  const target = `sip:callee@127.0.0.1:${callee.port};transport=tcp`;
  await server.number("2001", {
    twiml: `<Response><Dial answerOnBridge="true"><Sip>${target}</Sip></Dial></Response>`,
  });
  caller.call("2001", server.sipPort);
  await until("both answering", () => caller.dialog !== undefined && callee.dialog !== undefined);
  for (const line of H264) {
    assert.ok(caller.lines.includes(line), line);
    assert.ok(callee.lines.includes(line), line);
  }
  const count = 200;
  for (let i = 0; i < count; i++) {
    await caller.send(picture(i, 0x1111));
    await callee.send(picture(i, 0x2222));
    // As many as a socket's buffer holds, and then the next ones.
    if (i % 20 !== 19) continue;
    await until(
      `${i + 1} pictures (${caller.heard.length}, ${callee.heard.length})`,
      () => caller.heard.length > i && callee.heard.length > i,
    );
  }
  await until("all pictures", () => caller.heard.length >= count && callee.heard.length >= count);
  const expected = (ssrc: number) => Array.from({ length: count }, (_, i) => picture(i, ssrc));
  assert.deepEqual(callee.heard, expected(0x1111));
  assert.deepEqual(caller.heard, expected(0x2222));
  const asks = formatRtcp([
    { kind: "rr", ssrc: 0x2222, reports: [] },
    { kind: "other", packetType: 206, count: 1, body: Uint8Array.of(0, 0, 0x22, 0x22, 0, 0, 0x11, 0x11) },
  ]);
  await callee.report(asks);
  await until("the request for a picture", () => caller.reports.length > 0);
  assert.deepEqual(caller.reports[0], Buffer.from(asks));
  await caller.dialog!.bye();
});
