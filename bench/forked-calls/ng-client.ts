import { createSocket, type Socket } from "node:dgram";
import { type Bencode, decodeBencode, encodeBencode } from "./bencode.ts";

type Dictionary = { readonly [key: string]: Bencode };

const RETRY_MS = 500;
const ATTEMPTS = 10;

/** rtpengine's NG protocol over UDP: a cookie, a space, a bencoded dictionary; asked again until answered. */
export class NgClient {
  readonly #socket: Socket = createSocket("udp4");
  readonly #port: number;
  readonly #waiting = new Map<string, (answer: Dictionary) => void>();
  #lastCookie = 0;

  constructor(port: number) {
    this.#port = port;
    this.#socket.on("message", (bytes) => {
      const text = bytes.toString("latin1");
      const space = text.indexOf(" ");
      this.#waiting.get(text.slice(0, space))?.(decodeBencode(text.slice(space + 1)) as Dictionary);
    });
  }

  async ask(command: string, parameters: Dictionary = {}): Promise<Dictionary> {
    const cookie = `${process.pid}_${++this.#lastCookie}`;
    const message = `${cookie} ${encodeBencode({ ...parameters, command })}`;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const answer = await this.#once(cookie, message);
      if (answer === undefined) continue;
      if (answer.result === "error") throw new Error(`rtpengine: ${command}: ${answer["error-reason"]}`);
      return answer;
    }
    throw new Error(`rtpengine does not answer ${command}`);
  }

  close(): void {
    this.#socket.close();
  }

  #once(cookie: string, message: string): Promise<Dictionary | undefined> {
    return new Promise((resolve) => {
      const done = (answer: Dictionary | undefined): void => {
        clearTimeout(timer);
        this.#waiting.delete(cookie);
        resolve(answer);
      };
      const timer = setTimeout(() => done(undefined), RETRY_MS);
      this.#waiting.set(cookie, done);
      this.#socket.send(Buffer.from(message, "latin1"), this.#port, "127.0.0.1");
    });
  }
}
