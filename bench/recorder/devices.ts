import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createResolver, createSipTransports, createSystemClock } from "@callfork/server/net";
import type { Log } from "@callfork/server/observe";
import { createUserAgent, type SipDialog } from "@callfork/server/signalling";
import { NgClient } from "../forked-calls/ng-client.ts";

/** Something that records, with all its recordings running. */
export interface Device {
  readonly name: string;
  readonly pid: number;
  /** Where the streams go, two a recording. */
  readonly ports: readonly number[];
  /** Ends the recordings; resolves when their files are closed. */
  end(): Promise<void>;
  /** G.711 of each stream in its files. Undefined: it writes another form, which is not looked at. */
  readonly files: (() => AsyncGenerator<Uint8Array>) | undefined;
  stop(): Promise<void>;
}

const CALLFORK = resolve(import.meta.dirname, "../../packages/server/bin/callfork.mjs");
const silent: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };
/** INVITEs on their way at once. */
const AT_ONCE = 20;

export interface CallforkOptions {
  readonly io: string;
}

/** The product as it is started by its users: `callfork record`, SIP over TCP, one media worker. */
export async function startCallfork({ io }: CallforkOptions): Promise<
  Pick<Device, "name" | "pid" | "stop"> & {
    record(count: number, sourcePort: number): Promise<Omit<Device, "name" | "pid" | "stop">>;
  }
> {
  const folder = mkdtempSync(join(tmpdir(), "callfork-bench-"));
  const sipPort = await freePort();
  const child = spawn(
    process.execPath,
    [
      CALLFORK,
      "record",
      ...["--data-dir", folder, "--http-listen", "127.0.0.1:0", "--log-level", "error"],
      ...["--sip-listen", `tcp:127.0.0.1:${sipPort}`, "--rtp-address", "127.0.0.1"],
      ...[
        "--rtp-ports",
        "20000-31999",
        "--media-workers",
        "1",
        "--media-io",
        io,
        "--sip-maximum-load",
        "100",
      ],
    ],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  let said = "";
  child.stdout.on("data", (octets: Buffer) => {
    said = (said + octets.toString()).slice(-20_000);
  });
  await until(() => /readable by you alone/.test(said) || child.exitCode !== null, 60_000);
  if (child.exitCode !== null) throw new Error(`callfork record ended: ${said}`);
  const transports = await createSipTransports({
    listen: [{ transport: "tcp", address: "127.0.0.1", port: 0 }],
    log: silent,
    clock: createSystemClock(),
  });
  const random = { bytes: (length: number) => new Uint8Array(randomBytes(length)) };
  const agent = createUserAgent({
    transports,
    resolver: createResolver(),
    clock: createSystemClock(),
    random,
    log: silent,
    userAgentName: "bench",
  });
  agent.attach({ onInvite: (invite) => invite.reject(486) });
  const recordings = join(folder, "recordings");
  return {
    name: `callfork (${io})`,
    pid: child.pid!,
    record: async (count, sourcePort) => {
      const dialogs: SipDialog[] = [];
      const ports: number[] = [];
      for (let at = 0; at < count; at += AT_ONCE) {
        const some = Array.from({ length: Math.min(AT_ONCE, count - at) }, () =>
          invite(agent, sipPort, sourcePort),
        );
        for (const { dialog, ports: two } of await Promise.all(some)) {
          dialogs.push(dialog);
          ports.push(...two);
        }
      }
      return {
        ports,
        end: async () => {
          for (let at = 0; at < dialogs.length; at += AT_ONCE) {
            await Promise.all(dialogs.slice(at, at + AT_ONCE).map((dialog) => dialog.bye()));
          }
          // A closed file has its length in its header.
          await until(() => wavFiles(recordings).every((path) => isClosed(path)), 60_000);
        },
        files: async function* () {
          for (const path of wavFiles(recordings)) {
            const file = readFileSync(path);
            yield file.subarray(58, 58 + file.readUInt32LE(54));
          }
        },
      };
    },
    stop: async () => {
      await agent.stop(1_000);
      await transports.close();
      await kill(child);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function invite(
  agent: ReturnType<typeof createUserAgent>,
  sipPort: number,
  sourcePort: number,
): Promise<{ readonly dialog: SipDialog; readonly ports: readonly number[] }> {
  const lines = ["inbound", "outbound"].map(
    (label) => `m=audio ${sourcePort} RTP/AVP 0\r\na=label:${label}\r\na=sendonly\r\n`,
  );
  const offer = `v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n${lines.join("")}`;
  return new Promise((resolve, reject) => {
    agent.invite(
      {
        requestUri: `sip:recorder@127.0.0.1:${sipPort};transport=tcp`,
        from: "sip:bench@127.0.0.1",
        to: "sip:recorder@127.0.0.1",
        headers: [["Require", "siprec"]],
        contactParameters: ";+sip.src",
        body: { contentType: "application/sdp", bytes: new TextEncoder().encode(offer) },
      },
      {
        onAnswered: (dialog, _response, [part]) => {
          dialog.attach({ onEnded: () => {} });
          const answer = new TextDecoder().decode(part!.bytes);
          const ports = [...answer.matchAll(/^m=audio (\d+)/gm)].map(([, port]) => Number(port));
          resolve({ dialog, ports });
          return undefined;
        },
        onFailed: ({ message }) => reject(new Error(`an INVITE failed: ${message}`)),
      },
    );
  });
}

/**
 * rtpengine as it can record without its kernel module: both streams of a call relayed and written to a capture file
 * (`--recording-method=pcap`). Its recording daemon reads from that module and has nothing to read without.
 */
export async function startRtpengine(count: number, sourcePort: number): Promise<Device> {
  const folder = mkdtempSync(join(tmpdir(), "callfork-bench-"));
  const ngPort = 32_003;
  const child = spawn(
    "rtpengine",
    [
      ...["--table=-1", "--foreground", "--log-stderr", "--log-level=3", "--num-threads=1"],
      ...["--interface=127.0.0.1", `--listen-ng=127.0.0.1:${ngPort}`],
      ...["--port-min=20000", "--port-max=31999"],
      ...[`--recording-dir=${folder}`, "--recording-method=pcap", "--recording-format=raw"],
    ],
    { stdio: "ignore" },
  );
  const ng = new NgClient(ngPort);
  try {
    await ng.ask("ping");
    const ports: number[] = [];
    for (let at = 0; at < count; at++) {
      const call = {
        "call-id": `call-${at}`,
        flags: ["trust-address", "record-call"],
        ICE: "remove",
        replace: ["origin"],
      };
      const sdp = `v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio ${sourcePort} RTP/AVP 0\r\n`;
      const offer = await ng.ask("offer", { ...call, "from-tag": "a", sdp });
      const answer = await ng.ask("answer", { ...call, "from-tag": "a", "to-tag": "b", sdp });
      for (const one of [answer, offer]) ports.push(Number(/^m=audio (\d+)/m.exec(String(one.sdp))?.[1]));
    }
    return {
      name: "rtpengine (user space, relays and writes pcap)",
      pid: child.pid!,
      ports,
      end: async () => {
        for (let at = 0; at < count; at++)
          await ng.ask("delete", { "call-id": `call-${at}`, "from-tag": "a" });
      },
      files: undefined,
      stop: async () => {
        ng.close();
        await kill(child);
        rmSync(folder, { recursive: true, force: true });
      },
    };
  } catch (error) {
    ng.close();
    await kill(child);
    throw error;
  }
}

function wavFiles(folder: string): string[] {
  return readdirSync(folder).flatMap((sid) =>
    readdirSync(join(folder, sid))
      .filter((name) => name.endsWith(".wav"))
      .map((name) => join(folder, sid, name)),
  );
}

function isClosed(path: string): boolean {
  return readFileSync(path).readUInt32LE(54) > 0;
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address !== null ? address.port : 0;
}

async function until(done: () => boolean, patienceMs: number): Promise<void> {
  const deadline = performance.now() + patienceMs;
  while (!done()) {
    if (performance.now() > deadline) throw new Error("it took too long");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}
