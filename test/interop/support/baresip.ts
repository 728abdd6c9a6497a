import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join, resolve } from "node:path";
import type { VoiceName } from "@callfork/testkit";
import { Child } from "./child.ts";
import { freePort, freePortPair, isListening } from "./ports.ts";
import { type Owner, scratchFolder } from "./scratch.ts";
import { locate } from "./voices.ts";
import { until } from "./waiting.ts";
import { voiceWav } from "./wav-file.ts";

const CONFIG = resolve(import.meta.dirname, "../baresip/config");

/** What baresip tells over its control connection. */
export interface BaresipEvent {
  /** `CALL_INCOMING`, `CALL_ESTABLISHED`, `CALL_CLOSED` … */
  readonly type: string;
  readonly param?: string;
}

export interface BaresipOptions {
  readonly user: string;
  /** What it says, for a minute. */
  readonly voice: VoiceName;
  /** More of the account line: `;mediaenc=srtp-mand`. */
  readonly account?: string;
  /** It listens for TLS as well, a port above the others: a file with certificate and key, and whom it trusts. */
  readonly tls?: { readonly certificateFile: string; readonly caFile: string };
}

/** A baresip process on 127.0.0.1 with the configuration of test/interop/baresip/config. It answers by itself. */
export class Baresip {
  readonly port: number;
  readonly events: BaresipEvent[] = [];
  readonly #options: BaresipOptions;
  readonly #child: Child;
  readonly #control: Socket;
  readonly #heardFolder: string;
  readonly #answers = new Map<string, { readonly ok: boolean; readonly data: string }>();
  #received = Buffer.alloc(0);
  #commands = 0;

  private constructor(options: BaresipOptions, child: Child, control: Socket, port: number, heard: string) {
    this.#options = options;
    this.#child = child;
    this.#control = control;
    this.port = port;
    this.#heardFolder = heard;
    control.on("error", () => {});
    control.on("data", (bytes) => this.#receive(bytes));
  }

  static async start(owner: Owner, options: BaresipOptions): Promise<Baresip> {
    const folder = scratchFolder("baresip");
    const port = options.tls === undefined ? await freePort() : await freePortPair();
    const [control, media] = [await freePort(), await freePort()];
    const says = join(folder, "says.wav");
    const heard = join(folder, "heard");
    mkdirSync(heard);
    writeFileSync(says, voiceWav(options.voice, 60));
    const words: Readonly<Record<string, string>> = {
      SIP_PORT: String(port),
      CONTROL_PORT: String(control),
      RTP_PORTS: `${media}-${Math.min(media + 100, 65_535)}`,
      SAYS_FILE: says,
      HEARD_FOLDER: heard,
    };
    const config = readFileSync(CONFIG, "utf8").replace(
      /\b[A-Z]{3,}_[A-Z]+\b/g,
      (word) => words[word] ?? word,
    );
    const { tls } = options;
    const certificates =
      tls === undefined ? "" : `sip_certificate ${tls.certificateFile}\nsip_cafile ${tls.caFile}\n`;
    writeFileSync(join(folder, "config"), config + certificates);
    const { user, account = "" } = options;
    const settings = `;regint=0;answermode=auto;audio_codecs=PCMU/8000/1${account}`;
    writeFileSync(join(folder, "accounts"), `<sip:${user}@127.0.0.1:${port}>${settings}\n`);
    writeFileSync(join(folder, "contacts"), "");
    const child = new Child("baresip", ["-4", "-s", "-f", folder], {
      cwd: folder,
      logFile: join(folder, "baresip.log"),
    });
    owner.after(async () => {
      await child.stop("SIGKILL");
    });
    await until("baresip listening", () => child.isOver || isListening("tcp", control));
    if (child.isOver) throw new Error(`baresip ended: ${child.stdout}${child.stderr}`);
    const socket = connect(control, "127.0.0.1");
    await once(socket, "connect");
    owner.after(() => void socket.destroy());
    return new Baresip(options, child, socket, port, heard);
  }

  get uri(): string {
    return `sip:${this.#options.user}@127.0.0.1:${this.port}`;
  }

  /** Where it is called by TLS: its listener is one port above that of UDP and TCP. */
  get tlsUri(): string {
    return `sip:${this.#options.user}@127.0.0.1:${this.port + 1};transport=tls`;
  }

  /** One of baresip's commands: `dial`, `hangup`, `hold`, `resume`, `sndcode`. @returns its words */
  async command(command: string, params = ""): Promise<string> {
    const token = String(++this.#commands);
    const json = JSON.stringify({ command, params, token });
    this.#control.write(`${Buffer.byteLength(json)}:${json},`);
    const answer = await until(`baresip answering ${command}`, () => this.#answers.get(token));
    if (!answer.ok) throw new Error(`baresip: ${command} ${params}: ${answer.data}`);
    return answer.data;
  }

  /** The first event of a type, once it came. */
  async event(type: string): Promise<BaresipEvent> {
    return await until(`baresip's ${type}`, () => this.events.find((event) => event.type === type));
  }

  /** Every message it sent and received, and its complaints, once they hold something. */
  async traced(pattern: RegExp): Promise<RegExpExecArray> {
    return await until(
      `baresip printing ${pattern}`,
      () => pattern.exec(this.#child.stdout + this.#child.stderr) ?? undefined,
    );
  }

  /**
   * What it heard so far, as it decoded it: 8 kHz samples. A file for each time that its audio started; one that is
   * being written has no length in its header yet, so that is passed over. Its decoder says 2 and -2 where G.711 has
   * the two zeros of µ-law; no other value is that small.
   */
  heard(): Int16Array {
    const files = readdirSync(this.#heardFolder)
      .filter((name) => name.endsWith("-dec.wav"))
      .sort();
    const data = Buffer.concat(files.map((name) => readFileSync(join(this.#heardFolder, name)).subarray(44)));
    const samples = new Int16Array(data.length >> 1);
    for (let at = 0; at < samples.length; at++) {
      const sample = data.readInt16LE(at * 2);
      samples[at] = Math.abs(sample) === 2 ? 0 : sample;
    }
    return samples;
  }

  /** From now on a whole second of that voice comes in, bit for bit. */
  async hears(voice: VoiceName): Promise<void> {
    const before = this.heard().length;
    await until(`a second of ${voice} in baresip's ear`, () => {
      const samples = this.heard();
      return samples.length >= before + 8_000 && locate(samples.slice(-8_000), voice)?.equal === 8_000;
    });
  }

  #receive(bytes: Buffer): void {
    this.#received = Buffer.concat([this.#received, bytes]);
    for (;;) {
      const colon = this.#received.indexOf(":");
      const end = colon + 1 + Number(this.#received.subarray(0, Math.max(0, colon)).toString());
      if (colon < 0 || this.#received.length <= end) return;
      const text = this.#received.subarray(colon + 1, end).toString("utf8");
      this.#received = this.#received.subarray(end + 1);
      const said = JSON.parse(text) as Record<string, unknown>;
      if (said.event === true)
        this.events.push({ type: String(said.type), ...(said.param ? { param: String(said.param) } : {}) });
      else this.#answers.set(String(said.token), { ok: said.ok === true, data: String(said.data ?? "") });
    }
  }
}
