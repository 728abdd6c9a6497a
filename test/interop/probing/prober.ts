import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";

/** What a prober learns of one request. */
export interface Learned {
  readonly status: number;
  /** Names of the header fields, and the whole answer. */
  readonly headers: readonly string[];
  readonly text: string;
}

/** A scanner at one address: sends requests, takes what comes. */
export class Prober {
  readonly #socket: Socket;
  readonly #address: string;
  readonly #target: { readonly address: string; readonly port: number };
  readonly #answers = new Map<string, Learned>();
  #count = 0;

  private constructor(socket: Socket, address: string, target: { address: string; port: number }) {
    this.#socket = socket;
    this.#address = address;
    this.#target = target;
    socket.on("error", () => {});
    socket.on("message", (bytes) => this.#take(bytes.toString("latin1")));
  }

  static async open(address: string, target: { address: string; port: number }): Promise<Prober> {
    const socket = createSocket("udp4");
    socket.bind(0, address);
    await once(socket, "listening");
    return new Prober(socket, address, target);
  }

  /** How many requests got a final answer. */
  get answered(): number {
    return this.#answers.size;
  }

  close(): void {
    this.#socket.close();
  }

  /** @returns what identifies the answer */
  async send(method: string, user: string): Promise<string> {
    const id = `z9hG4bKprobe${this.#socket.address().port}x${++this.#count}`;
    const { address, port } = this.#target;
    const lines = [
      `${method} sip:${user}@${address}:${port} SIP/2.0`,
      `Via: SIP/2.0/UDP ${this.#address}:${this.#socket.address().port};rport;branch=${id}`,
      "Max-Forwards: 70",
      `From: <sip:scanner@${this.#address}>;tag=${id}`,
      `To: <sip:${user}@${address}>`,
      `Call-ID: ${id}`,
      `CSeq: 1 ${method}`,
      `Contact: <sip:scanner@${this.#address}:${this.#socket.address().port}>`,
      "User-Agent: friendly-scanner",
      "Content-Length: 0",
    ];
    await this.sendText(`${lines.join("\r\n")}\r\n\r\n`);
    return id;
  }

  async sendText(text: string): Promise<void> {
    const { address, port } = this.#target;
    await new Promise<void>((resolve) => this.#socket.send(text, port, address, () => resolve()));
  }

  /** The final answer, or undefined after `limitMs` of silence. */
  async ask(method: string, user: string, limitMs: number): Promise<Learned | undefined> {
    const id = await this.send(method, user);
    const deadline = performance.now() + limitMs;
    while (!this.#answers.has(id) && performance.now() < deadline) await delay(10);
    return this.#answers.get(id);
  }

  #take(text: string): void {
    const [, status = ""] = /^SIP\/2\.0 (\d{3}) /.exec(text) ?? [];
    const [, id = ""] = /^Call-ID: (\S+)/im.exec(text) ?? [];
    if (Number(status) < 200) return;
    const headers = [...text.matchAll(/^([A-Za-z-]+):/gm)].map(([, name = ""]) => name);
    this.#answers.set(id, { status: Number(status), headers, text });
  }
}
