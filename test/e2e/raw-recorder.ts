import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import type { TestContext } from "node:test";
import { rtpPayloadType } from "@callfork/protocol/rtp";
import { parseSessionDescription, type SessionDescription } from "@callfork/protocol/sdp";
import { parseSipMessage, type SipMessage, type SipRequest } from "@callfork/protocol/sip";

/** One TCP connection to the raw recorder, and what can be done on it. */
export interface RawFlow {
  readonly socket: Socket;
  /** Sends lines as they are, each with its CRLF, and the body behind an empty one. */
  send(lines: readonly string[], body?: string): void;
  /** A response to a request: the lines that have to be copied, and those given. */
  respond(request: SipRequest, status: string, lines?: readonly string[], body?: string): void;
}

export type RawBehaviour = (request: SipRequest, flow: RawFlow, recorder: RawRecorder) => void;

/** A recorder of octets: it does what a test says, right or wrong, and hears what it is sent. */
export class RawRecorder {
  readonly uri: string;
  readonly port: number;
  readonly requests: SipRequest[] = [];
  readonly responses: SipMessage[] = [];
  /** Indices into the voices of the packets that came, a list a socket. */
  readonly heard: readonly (number | undefined)[][];
  readonly #sockets: readonly UdpSocket[];
  version = 0;

  private constructor(port: number, sockets: readonly UdpSocket[], heard: (number | undefined)[][]) {
    this.port = port;
    this.uri = `sip:srs@127.0.0.1:${port};transport=tcp`;
    this.#sockets = sockets;
    this.heard = heard;
  }

  /**
   * @param places - for each RTP socket: which packet of a voice a payload is
   * @param behaviour - told of every request
   */
  static async open(
    t: TestContext,
    places: readonly ((payload: Uint8Array) => number | undefined)[],
    behaviour: RawBehaviour,
  ): Promise<RawRecorder> {
    const heard: (number | undefined)[][] = places.map(() => []);
    const sockets = await Promise.all(
      places.map(async (place, line) => {
        const socket = createSocket("udp4");
        socket.on("error", () => {});
        socket.on("message", (bytes) => {
          if (rtpPayloadType(bytes, 0) === 0) heard[line]!.push(place(bytes.subarray(12)));
        });
        socket.bind(0, "127.0.0.1");
        await once(socket, "listening");
        return socket;
      }),
    );
    const open = new Set<Socket>();
    const server = createServer((socket) => {
      open.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => open.delete(socket));
      read(socket, (message) => recorder.#take(message, socket, behaviour));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    const recorder = new RawRecorder(typeof address === "object" ? address!.port : 0, sockets, heard);
    t.after(() => {
      for (const socket of open) socket.destroy();
      for (const socket of sockets) socket.close();
      server.close();
    });
    return recorder;
  }

  rtpPort(line: number): number {
    return this.#sockets[line]!.address().port;
  }

  /** RTP from a socket of ours to a port of the platform. */
  sendRtp(line: number, bytes: Uint8Array, port: number): void {
    this.#sockets[line]!.send(bytes, port, "127.0.0.1");
  }

  get methods(): string[] {
    return this.requests.map(({ method }) => method);
  }

  get contact(): string {
    return `Contact: <sip:srs@127.0.0.1:${this.port};transport=tcp>;+sip.srs`;
  }

  /** A session description: lines on our sockets, or whatever is given instead. */
  description(lines: readonly string[]): string {
    this.version += 1;
    return [
      "v=0",
      `o=- 7 ${this.version} IN IP4 127.0.0.1`,
      "s=-",
      "c=IN IP4 127.0.0.1",
      "t=0 0",
      ...lines.flatMap((line) => line.split("\n")),
      "",
    ].join("\r\n");
  }

  /** An m-line with attributes on one of our sockets. */
  line(socket: number, ...attributes: readonly string[]): string {
    const all = attributes.length > 0 ? attributes : ["recvonly"];
    return [`m=audio ${this.rtpPort(socket)} RTP/AVP 0`, ...all.map((each) => `a=${each}`)].join("\n");
  }

  #take(message: SipMessage, socket: Socket, behaviour: RawBehaviour): void {
    if (message.kind === "response") {
      this.responses.push(message);
      return;
    }
    this.requests.push(message);
    const flow: RawFlow = {
      socket,
      send: (lines, body = "") => {
        if (!socket.writable) return;
        const length = `Content-Length: ${Buffer.byteLength(body)}`;
        socket.write(`${[...lines, length].join("\r\n")}\r\n\r\n${body}`);
      },
      respond: (request, status, lines = [], body = "") => {
        const copied = ["Via", "From", "Call-ID", "CSeq"].flatMap((name) =>
          request.headers.lines(name).map((value) => `${name}: ${value}`),
        );
        const to = request.headers.get("To") ?? "";
        const tag = /;tag=/.test(to) || status.startsWith("100") ? "" : ";tag=raw";
        const type = body === "" ? [] : ["Content-Type: application/sdp"];
        flow.send([`SIP/2.0 ${status}`, ...copied, `To: ${to}${tag}`, ...type, ...lines], body);
      },
    };
    if (message.method !== "INVITE" && message.method !== "ACK") flow.respond(message, "200 OK");
    behaviour(message, flow, this);
  }
}

/** The offer of a request, plain or in a multipart. */
export function offerOf(request: SipRequest): SessionDescription | undefined {
  const text = new TextDecoder().decode(request.body);
  const at = text.indexOf("v=0\r\n");
  if (at < 0) return undefined;
  const end = text.indexOf("\r\n--", at);
  const sdp = text.slice(at, end < 0 ? undefined : end + 2);
  const parsed = parseSessionDescription(new TextEncoder().encode(sdp));
  return parsed.ok ? parsed.value : undefined;
}

/** Cuts a TCP stream into messages by Content-Length. */
function read(socket: Socket, onMessage: (message: SipMessage) => void): void {
  let waiting: Buffer = Buffer.alloc(0);
  socket.on("data", (bytes: Buffer) => {
    waiting = Buffer.concat([waiting, bytes]);
    for (;;) {
      while (waiting.subarray(0, 2).toString() === "\r\n") waiting = waiting.subarray(2);
      const end = waiting.indexOf("\r\n\r\n");
      if (end < 0) return;
      const length = Number(/^Content-Length:\s*(\d+)/im.exec(waiting.subarray(0, end).toString())?.[1] ?? 0);
      if (waiting.length < end + 4 + length) return;
      const parsed = parseSipMessage(waiting.subarray(0, end + 4 + length));
      waiting = waiting.subarray(end + 4 + length);
      if (parsed.ok) onMessage(parsed.value);
    }
  });
}
