import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { VoiceName } from "@callfork/testkit";
import { Child } from "./child.ts";
import { freePort, isListening } from "./ports.ts";
import { type Owner, scratchFolder } from "./scratch.ts";
import { locate } from "./voices.ts";
import { until } from "./waiting.ts";
import { voiceWav } from "./wav-file.ts";

const CONFIG = resolve(import.meta.dirname, "../linphone/linphonerc");

const HALF_A_SECOND = 4_000;

export interface LinphoneOptions {
  readonly user: string;
  /** What it says, for a minute. */
  readonly voice: VoiceName;
  /** Default "none". "srtp" offers and takes RTP/SAVP with SDES keys. */
  readonly mediaEncryption?: "none" | "srtp";
  /** It speaks TLS as well, and trusts the authority in this file. */
  readonly caFile?: string;
}

/** A linphonec process on 127.0.0.1 with the configuration of test/interop/linphone. It answers by itself. */
export class Linphone {
  readonly port: number;
  readonly #options: LinphoneOptions;
  readonly #child: Child;
  readonly #heardFile: string;
  readonly #logFile: string;

  private constructor(
    options: LinphoneOptions,
    child: Child,
    port: number,
    heardFile: string,
    logFile: string,
  ) {
    this.#options = options;
    this.#child = child;
    this.port = port;
    this.#heardFile = heardFile;
    this.#logFile = logFile;
  }

  static async start(owner: Owner, options: LinphoneOptions): Promise<Linphone> {
    const folder = scratchFolder("linphone");
    mkdirSync(join(folder, ".local/share/linphone"), { recursive: true });
    const [port, tlsPort, media] = [await freePort(), await freePort(), await freePort()];
    const words: Readonly<Record<string, string>> = {
      SIP_PORT: String(port),
      MEDIA_PORT: String(media - (media % 2)),
      SIP_USER: options.user,
      MEDIA_ENCRYPTION: options.mediaEncryption ?? "none",
      TLS_PORT: options.caFile === undefined ? "0" : String(tlsPort),
      CA_FILE: options.caFile ?? "",
    };
    const config = readFileSync(CONFIG, "utf8").replace(/\b[A-Z]+_[A-Z]+\b/g, (word) => words[word] ?? word);
    writeFileSync(join(folder, "linphonerc"), config);
    writeFileSync(join(folder, "says.wav"), voiceWav(options.voice, 60));
    const heardFile = join(folder, "heard.wav");
    const child = new Child(
      "linphonec",
      ["-c", join(folder, "linphonerc"), "-a", "-d", "6", "-l", join(folder, "linphone.log")],
      {
        cwd: folder,
        logFile: join(folder, "linphonec.log"),
        // Its sound library leaves folders behind.
        env: { HOME: folder, TMPDIR: folder, XDG_RUNTIME_DIR: folder },
        input: true,
      },
    );
    owner.after(async () => {
      await child.stop("SIGKILL");
    });
    await until("linphonec listening", () => child.isOver || isListening("udp", port));
    if (child.isOver) throw new Error(`linphonec ended: ${child.stdout}${child.stderr}`);
    const phone = new Linphone(options, child, port, heardFile, join(folder, "linphone.log"));
    phone.command("soundcard use files");
    phone.command(`play ${join(folder, "says.wav")}`);
    phone.command(`record ${heardFile}`);
    return phone;
  }

  get uri(): string {
    return `sip:${this.#options.user}@127.0.0.1:${this.port}`;
  }

  /** One of linphonec's commands: `call`, `terminate`, `pause`, `resume`; digits are keys. */
  command(line: string): void {
    this.#child.type(line);
  }

  /** What it printed, once it printed that. */
  async printed(pattern: RegExp): Promise<void> {
    await this.#child.printed(pattern);
  }

  /** Its log file, which has every SIP message. */
  log(): string {
    return readFileSync(this.#logFile, "utf8");
  }

  /** What it heard so far: the samples of its WAV file, whose header has no length while it grows. */
  heard(): Int16Array {
    if (!existsSync(this.#heardFile)) return new Int16Array(0);
    const data = readFileSync(this.#heardFile).subarray(44);
    const samples = new Int16Array(data.length >> 1);
    for (let at = 0; at < samples.length; at++) samples[at] = data.readInt16LE(at * 2);
    return samples;
  }

  /**
   * From now on that voice comes in: half a second of it bit for bit. Not a whole one, because Linphone's jitter buffer
   * leaves out or fills in some samples now and then, to stay near the present.
   */
  async hears(voice: VoiceName): Promise<void> {
    let from = this.heard().length;
    await until(`half a second of ${voice} in Linphone's ear`, () => {
      const samples = this.heard();
      for (; from + HALF_A_SECOND <= samples.length; from += HALF_A_SECOND / 10) {
        const stretch = samples.slice(from, from + HALF_A_SECOND);
        if (locate(stretch, voice)?.equal === HALF_A_SECOND) return true;
      }
      return false;
    });
  }
}
