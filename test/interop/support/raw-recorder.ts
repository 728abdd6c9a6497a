import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import { createAnswer } from "@callfork/protocol/offer-answer";
import { formatSessionDescription, parseSessionDescription } from "@callfork/protocol/sdp";
import {
  findParts,
  flattenBody,
  parseSipMessage,
  type SipRequest,
  SipStreamFramer,
} from "@callfork/protocol/sip";
import type { Owner } from "./scratch.ts";
import { until } from "./waiting.ts";

/** A request as it came, octet for octet. */
export interface RawRecorderRequest {
  readonly method: string;
  readonly request: SipRequest;
  readonly bytes: Uint8Array;
  /** Subject of the certificate that the platform showed. */
  readonly clientName: string | undefined;
  readonly from: string;
}

export interface RawRecorderOptions {
  readonly address: string;
  readonly port: number;
  /** PEM; a client must show a certificate of that authority. */
  readonly tls?: { readonly certificate: string; readonly key: string; readonly ca: string };
}

/** A recorder that takes every session, keeps what was said, and hears nothing. */
export class RawRecorder {
  readonly requests: RawRecorderRequest[] = [];
  readonly #key: string | undefined;

  static async open(owner: Owner, options: RawRecorderOptions): Promise<RawRecorder> {
    const { address, port, tls } = options;
    const recorder = new RawRecorder(tls?.key);
    const server =
      tls === undefined
        ? createServer((socket) => recorder.#serve(socket))
        : createTlsServer(
            { cert: tls.certificate, key: tls.key, ca: tls.ca, requestCert: true, rejectUnauthorized: true },
            (socket) => recorder.#serve(socket),
          );
    const sockets = new Set<Socket>();
    server.on("connection", (socket: Socket) => {
      sockets.add(socket);
      socket.on("error", () => {}).once("close", () => sockets.delete(socket));
    });
    server.listen(port, address);
    await once(server, "listening");
    owner.after(async () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    });
    return recorder;
  }

  private constructor(key: string | undefined) {
    this.#key = key;
  }

  async request(method: string): Promise<RawRecorderRequest> {
    return await until(`${method} at the recorder`, () =>
      this.requests.find((request) => request.method === method),
    );
  }

  #serve(socket: Socket): void {
    const framer = new SipStreamFramer();
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      for (const output of framer.push(chunk)) {
        if (output.kind !== "message") continue;
        const parsed = parseSipMessage(output.bytes, { framing: "stream" });
        if (!parsed.ok || parsed.value.kind !== "request") continue;
        const request = parsed.value;
        this.requests.push({
          method: request.method,
          request,
          bytes: output.bytes.slice(),
          clientName:
            this.#key === undefined
              ? undefined
              : (socket as TLSSocket).getPeerX509Certificate()?.subjectAltName,
          from: socket.remoteAddress ?? "",
        });
        if (request.method !== "ACK") socket.write(answerTo(request, socket));
      }
    });
  }
}

function answerTo(request: SipRequest, { localAddress = "", localPort = 0 }: Socket): string {
  const { headers } = request;
  const copied = ["Via", "Record-Route", "From", "Call-ID", "CSeq"].flatMap((name) =>
    headers.lines(name).map((value) => `${name}: ${value}`),
  );
  const to = headers.get("To") ?? "";
  const sdp = descriptionFor(request, localAddress);
  const isTls = request.uri.includes("transport=tls");
  const lines = [
    "SIP/2.0 200 OK",
    ...copied,
    `To: ${to}${to.includes(";tag=") ? "" : ";tag=recorder"}`,
    `Contact: <sip:srs@${localAddress}:${localPort};transport=${isTls ? "tls" : "tcp"}>;+sip.srs`,
    "Allow: INVITE, ACK, CANCEL, BYE, UPDATE, OPTIONS",
    ...(sdp === undefined ? [] : ["Content-Type: application/sdp"]),
    `Content-Length: ${sdp === undefined ? 0 : Buffer.byteLength(sdp)}`,
  ];
  return `${lines.join("\r\n")}\r\n\r\n${sdp ?? ""}`;
}

/** Takes every line with its first codec and, where SRTP is offered, with keys. */
function descriptionFor(request: SipRequest, address: string): string | undefined {
  const flat = flattenBody(request);
  const offered = flat.ok ? findParts(flat.value.parts, "application/sdp")[0]?.body : undefined;
  const offer = offered && parseSessionDescription(offered);
  if (offer === undefined || !offer.ok) return undefined;
  const { description } = createAnswer(offer.value, {
    origin: { sessionId: "1" },
    address,
    lines: offer.value.media.map((_line, index) => ({
      port: 9_000 + 2 * index,
      rtcpPort: 9_001 + 2 * index,
      direction: "recvonly",
    })),
    codecs: ["PCMU", "PCMA", "opus", "G722"].map((name) => ({
      name,
      clockRateHz: name === "opus" ? 48_000 : 8_000,
      channels: name === "opus" ? 2 : 1,
    })),
    security: {
      policy: "offered",
      suites: ["AES_CM_128_HMAC_SHA1_80"],
      random: { bytes: (length) => new Uint8Array(length).fill(7) },
    },
  });
  return formatSessionDescription(description);
}
