import { spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Owner, scratchFolder } from "./scratch.ts";
import { until } from "./waiting.ts";

/**
 * What goes over the loopback interface, from `start` to `stop`. Marks tell when the capture has begun and that
 * everything before its end is in it: datagrams of ours, sent until dumpcap hands them back.
 */
export class Capture {
  readonly #process: ReturnType<typeof spawn>;
  readonly #chunks: Buffer[] = [];
  readonly #mark = createSocket("udp4");
  readonly #ended: Promise<void>;

  private constructor(filter: string) {
    // The discard port: our marks meet nobody there.
    const args = ["-q", "-i", "lo", "-P", "-s", "0", "-f", `(${filter}) or (udp dst port 9)`, "-w", "-"];
    this.#process = spawn("dumpcap", args, { stdio: ["ignore", "pipe", "ignore"] });
    this.#process.stdout?.on("data", (chunk: Buffer) => this.#chunks.push(chunk));
    this.#ended = new Promise((resolve) => this.#process.once("close", () => resolve()));
    this.#mark.on("error", () => {});
    const killer = (): void => void this.#process.kill("SIGKILL");
    process.on("exit", killer);
    void this.#ended.then(() => process.removeListener("exit", killer));
  }

  /** @param filter - in libpcap's language */
  static async start(owner: Owner, filter: string): Promise<Capture> {
    const capture = new Capture(filter);
    owner.after(async () => {
      capture.#process.kill("SIGKILL");
      await capture.#ended;
    });
    await capture.#pass("the capture's beginning");
    return capture;
  }

  /** @returns the path of a pcap file */
  async stop(): Promise<string> {
    await this.#pass("the capture's end");
    this.#process.kill("SIGINT");
    await this.#ended;
    this.#mark.close();
    const file = join(scratchFolder("capture"), "capture.pcap");
    writeFileSync(file, Buffer.concat(this.#chunks));
    return file;
  }

  async #pass(what: string): Promise<void> {
    const mark = randomBytes(16);
    await until(what, () => {
      this.#mark.send(mark, 9, "127.0.0.1");
      return Buffer.concat(this.#chunks).includes(mark);
    });
  }
}

/** Runs tshark over a capture file. @throws with its complaint */
export function tshark(file: string, ...args: readonly string[]): string {
  const run = spawnSync("tshark", ["-n", "-r", file, ...args], {
    encoding: "utf8",
    maxBuffer: 256 * 1024 * 1024,
  });
  if (run.status !== 0) throw new Error(`tshark ${args.join(" ")}: ${run.stderr}`);
  return run.stdout;
}

/** One row of tshark's `rtp,streams`. */
export interface RtpStreamRow {
  readonly from: number;
  readonly to: number;
  readonly ssrc: string;
  /** As tshark names it: `g711U`, `g711U, rtpevent`. */
  readonly payload: string;
  readonly packets: number;
  readonly lost: number;
}

/** The RTP streams in a capture file, as tshark counts them. */
export function rtpStreams(file: string): RtpStreamRow[] {
  const table = tshark(file, "-o", "rtp.heuristic_rtp:TRUE", "-q", "-z", "rtp,streams");
  const rows = table.matchAll(
    /^\s*[\d.]+\s+[\d.]+\s+\S+\s+(\d+)\s+\S+\s+(\d+)\s+(0x[0-9A-F]+)\s+(\S.*?)\s+(\d+)\s+(-?\d+) \(/gm,
  );
  return [...rows].map(([, from, to, ssrc = "", payload = "", packets, lost]) => ({
    from: Number(from),
    to: Number(to),
    ssrc,
    payload,
    packets: Number(packets),
    lost: Number(lost),
  }));
}
