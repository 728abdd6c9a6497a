import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { connect } from "node:net";
import type { Owner } from "./scratch.ts";
import { until } from "./waiting.ts";

/** A UDP socket that sends whatever octets it is told to a SIP port of 127.0.0.1, and reads the answers. */
export class RawSip {
  readonly port: number;
  readonly #socket: Socket;
  readonly #target: number;
  readonly #answers: RawAnswer[] = [];
  #count = 0;

  private constructor(socket: Socket, target: number) {
    this.#socket = socket;
    this.#target = target;
    this.port = socket.address().port;
    socket.on("error", () => {});
    socket.on("message", (bytes) => {
      const answer = readAnswer(bytes.toString("latin1"));
      if (answer !== undefined) this.#answers.push(answer);
    });
  }

  static async open(owner: Owner, target: number): Promise<RawSip> {
    const socket = createSocket("udp4");
    socket.bind(0, "127.0.0.1");
    await once(socket, "listening");
    owner.after(() => void socket.close());
    return new RawSip(socket, target);
  }

  async send(bytes: Uint8Array | string): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#socket.send(bytes, this.#target, "127.0.0.1", () => resolve());
    });
  }

  /** A request with a branch of its own; `change` sets lines by name, or leaves them out; "start" is the first. */
  request(method: string, change: Readonly<Record<string, string | undefined>> = {}, body = ""): RawRequest {
    const branch = `z9hG4bKraw${this.port}x${++this.#count}`;
    const lines: Record<string, string | undefined> = {
      start: `${method} sip:somebody@127.0.0.1:${this.#target} SIP/2.0`,
      Via: `SIP/2.0/UDP 127.0.0.1:${this.port};rport;branch=${branch}`,
      "Max-Forwards": "70",
      From: `<sip:raw@127.0.0.1:${this.port}>;tag=raw${this.#count}`,
      To: `<sip:somebody@127.0.0.1:${this.#target}>`,
      "Call-ID": `${branch}@127.0.0.1`,
      CSeq: `1 ${method}`,
      Contact: `<sip:raw@127.0.0.1:${this.port}>`,
      "Content-Length": String(Buffer.byteLength(body)),
      ...change,
    };
    const { start = "", ...headers } = lines;
    const text = Object.entries(headers)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join("");
    return { branch, text: `${start}\r\n${text}\r\n${body}` };
  }

  /** Sends a request and awaits the final answer; an INVITE's is acknowledged when it refuses. */
  async ask(
    method: string,
    change?: Readonly<Record<string, string | undefined>>,
    body?: string,
  ): Promise<RawAnswer> {
    const { branch, text } = this.request(method, change, body);
    await this.send(text);
    const answer = await until(`an answer to ${branch}`, () =>
      this.#answers.find((each) => each.branch === branch && each.status >= 200),
    );
    if (method === "INVITE") {
      const ack = text.replace(/^INVITE/, "ACK").replace(/^CSeq: .*$/m, "CSeq: 1 ACK");
      await this.send(ack.replace(/^To: .*$/m, `To: ${answer.to}`).replace(/^Content-[\s\S]*$/m, "\r\n"));
    }
    return answer;
  }

  answersTo(branch: string): number {
    return this.#answers.filter((each) => each.branch === branch).length;
  }
}

/** What is read of an answer: no more than its request was made of, however wrong that was. */
export interface RawAnswer {
  readonly status: number;
  readonly reason: string;
  readonly branch: string;
  readonly to: string;
}

function readAnswer(text: string): RawAnswer | undefined {
  const [, status, reason = ""] = /^SIP\/2\.0 (\d{3}) (.*)\r\n/.exec(text) ?? [];
  const branch = /^Via: .*;branch=([^;\s]+)/im.exec(text)?.[1] ?? "";
  const to = /^To: (.*)\r$/im.exec(text)?.[1] ?? "";
  return status === undefined ? undefined : { status: Number(status), reason, branch, to };
}

export interface RawRequest {
  readonly branch: string;
  readonly text: string;
}

/** Sends pieces over one TCP connection; what came back until `enough` says so or the server closes. */
export async function overTcp(
  port: number,
  pieces: readonly (string | Uint8Array)[],
  enough: (received: string) => boolean,
): Promise<{ readonly received: string; readonly closed: boolean }> {
  const socket = connect(port, "127.0.0.1").setNoDelay(true);
  let received = "";
  let closed = false;
  socket.setEncoding("latin1").on("data", (text: string) => {
    received += text;
  });
  socket
    .on("error", () => {})
    .once("close", () => {
      closed = true;
    });
  await once(socket, "connect");
  for (const piece of pieces) {
    if (!closed) await new Promise<void>((resolve) => socket.write(piece, () => resolve()));
  }
  await until("an answer or the connection's end", () => closed || enough(received));
  socket.destroy();
  return { received, closed };
}
