import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { connect, type Socket as Stream } from "node:net";
import { writeRtpHeader } from "@callfork/protocol/rtp";
import type { Owner } from "./scratch.ts";
import { until } from "./waiting.ts";

/** Octets that tell where they belong: 20 ms of G.711. */
export function speechAt(index: number, seed: number): Uint8Array {
  return Uint8Array.from({ length: 160 }, (_, at) => (index * 31 + at * 7 + seed * 101 + 1) & 0xff);
}

const METADATA = (callId: string): string =>
  `<?xml version="1.0" encoding="UTF-8"?>\r\n<recording xmlns="urn:ietf:params:xml:ns:recording:1"><datamode>complete</datamode>` +
  `<session session_id="7+OTCyoxTmqmqyA/1weDAg=="/><participant participant_id="srfBElmCRp2QB23b7Mpk0w==">` +
  `<nameID aor="sip:${callId}@example.com"/></participant></recording>`;

/** A recording session written by hand over one TCP connection, with one stream of voice. */
export class RawRecording {
  readonly callId: string;
  readonly metadata: string;
  /** Packets sent so far, and when. */
  readonly sent: number[] = [];
  readonly #seed: number;
  readonly #stream: Stream;
  readonly #rtp: Socket;
  #received = "";
  #timer: NodeJS.Timeout | undefined;

  private constructor(stream: Stream, rtp: Socket, callId: string, seed: number) {
    this.#stream = stream;
    this.#rtp = rtp;
    this.callId = callId;
    this.#seed = seed;
    this.metadata = METADATA(callId);
    stream.setEncoding("latin1").on("data", (text: string) => {
      this.#received += text;
    });
    stream.on("error", () => {});
    rtp.on("error", () => {});
  }

  static async open(owner: Owner, sipPort: number, seed: number): Promise<RawRecording> {
    const stream = connect(sipPort, "127.0.0.1");
    await once(stream, "connect");
    const rtp = createSocket("udp4");
    rtp.bind(0, "127.0.0.1");
    await once(rtp, "listening");
    const recording = new RawRecording(stream, rtp, `raw-${process.pid}-${seed}`, seed);
    owner.after(() => {
      recording.fallSilent();
      stream.destroy();
      rtp.close();
    });
    return recording;
  }

  /** Sends the INVITE; the final answer's status, and whether it says when to come back. */
  async invite(): Promise<{ readonly status: number; readonly retryAfter: boolean }> {
    const sdp =
      "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n" +
      `m=audio ${this.#rtp.address().port} RTP/AVP 0\r\na=label:1\r\na=sendonly\r\n`;
    const body =
      `--b\r\nContent-Type: application/sdp\r\n\r\n${sdp}\r\n--b\r\nContent-Type: application/rs-metadata+xml\r\n` +
      `Content-Disposition: recording-session\r\n\r\n${this.metadata}\r\n--b--\r\n`;
    this.#write("INVITE", 1, "", "Require: siprec\r\nContent-Type: multipart/mixed;boundary=b\r\n", body);
    const answer = await this.#final(1);
    const status = Number(/^SIP\/2\.0 (\d+)/.exec(answer)?.[1]);
    if (status === 200) {
      this.#write("ACK", 1, this.#toTag(answer), "", "");
      const port = Number(/^m=audio (\d+)/m.exec(answer)?.[1]);
      this.#speakTo(port);
    }
    return { status, retryAfter: /^Retry-After:/im.test(answer) };
  }

  async bye(): Promise<void> {
    const [answer = ""] = this.#received.split(/(?=SIP\/2\.0 )/).filter((one) => /^SIP\/2\.0 200/.test(one));
    this.#write("BYE", 2, this.#toTag(answer), "", "");
    await this.#final(2);
  }

  fallSilent(): void {
    clearInterval(this.#timer);
  }

  #speakTo(port: number): void {
    const startedAt = performance.now();
    this.#timer = setInterval(() => {
      for (; this.sent.length * 20 <= performance.now() - startedAt; ) {
        const index = this.sent.length;
        const packet = new Uint8Array(172);
        writeRtpHeader(packet, 0, index === 0, 0, index & 0xffff, 160 * index, 1 + this.#seed);
        packet.set(speechAt(index, this.#seed), 12);
        this.#rtp.send(packet, port, "127.0.0.1");
        this.sent.push(performance.now());
      }
    }, 10);
  }

  #write(method: string, cseq: number, toTag: string, more: string, body: string): void {
    const local = `127.0.0.1:${this.#stream.localPort}`;
    this.#stream.write(
      `${method} sip:recorder@127.0.0.1;transport=tcp SIP/2.0\r\n` +
        `Via: SIP/2.0/TCP ${local};branch=z9hG4bK${this.callId}${method}\r\nMax-Forwards: 70\r\n` +
        `From: <sip:src@127.0.0.1>;tag=${this.callId}\r\nTo: <sip:recorder@127.0.0.1>${toTag}\r\n` +
        `Call-ID: ${this.callId}\r\nCSeq: ${cseq} ${method}\r\nContact: <sip:src@${local};transport=tcp>;+sip.src\r\n` +
        `${more}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
  }

  #final(cseq: number): Promise<string> {
    return until(`an answer to request ${cseq}`, () => {
      const answers = this.#received.split(/(?=SIP\/2\.0 )/);
      return answers.find(
        (one) => /^SIP\/2\.0 [2-6]/.test(one) && one.includes(`\r\nCSeq: ${cseq} `) && isWhole(one),
      );
    });
  }

  #toTag(answer: string): string {
    const tag = /^To: .*;tag=([^;\s]+)/im.exec(answer)?.[1];
    return tag === undefined ? "" : `;tag=${tag}`;
  }
}

function isWhole(message: string): boolean {
  const [head = "", ...rest] = message.split("\r\n\r\n");
  const length = Number(/^Content-Length: (\d+)/im.exec(head)?.[1] ?? 0);
  return rest.join("\r\n\r\n").length >= length;
}
