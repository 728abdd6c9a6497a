import { accessSync, constants, existsSync, mkdirSync, readFileSync, statfsSync, statSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";
import { join } from "node:path";
import { type Config, defaultOrigin, describeRule, firewallRules } from "../config/index.ts";
import { createMediaPlane } from "../media/index.ts";
import { createSipTransports, createSystemClock, loadTlsSet } from "../net/index.ts";
import type { Log } from "../observe/index.ts";
import { edgeListeners, edgeOrigin, mediaEdges } from "./edges.ts";
import { readAccountFile } from "./secrets.ts";

/** One thing that was looked at. "warn": works, but somebody should know. */
export interface Finding {
  readonly level: "ok" | "warn" | "fail";
  readonly about: string;
  readonly text: string;
}

const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => SILENT };
/** Below this the kernel may drop bursts of RTP that arrive while a worker is busy. */
const WANTED_SOCKET_BUFFER = 1 << 20;
const LOW_DISK_BYTES = 2 * 2 ** 30;
const DAY_MS = 86_400_000;
/** A certificate that has no more days than this should have been renewed. */
const SOON_DAYS = 14;

/** Looks at this machine as a node with `config` would use it. Binds what that node would bind, for a moment. */
export async function diagnose(config: Config): Promise<readonly Finding[]> {
  const running = await isServing(config);
  return [
    node(),
    ...dataDir(config),
    running
      ? {
          level: "ok",
          about: "server",
          text: `a Callfork serves at ${config.publicUrl}; its ports were not tried`,
        }
      : { level: "ok", about: "server", text: "none is serving here with this configuration" },
    ...(running ? [] : [await sip(config), await media(config)]),
    ...certificates(config),
    socketBuffers(),
    exposure(config),
    ...admit(config),
  ];
}

function node(): Finding {
  const text = `Node ${process.versions.node}, ${availableParallelism()} cores, ${Math.round(totalmem() / 2 ** 30)} GiB`;
  return { level: "ok", about: "runtime", text };
}

function dataDir(config: Config): Finding[] {
  const about = "data dir";
  const { dataDir: folder } = config;
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    accessSync(folder, constants.W_OK);
  } catch (error) {
    return [{ level: "fail", about, text: `${folder} cannot be written: ${(error as Error).message}` }];
  }
  const { bavail, bsize } = statfsSync(folder);
  const free = bavail * bsize;
  // Two PCMU tracks: 2 × 8,000 octets a second.
  const hours = Math.floor(free / (2 * 8_000 * 3_600));
  const text = `${folder}: ${(free / 2 ** 30).toFixed(1)} GiB free, some ${hours.toLocaleString("en")} h of two-party G.711`;
  const findings: Finding[] = [{ level: free < LOW_DISK_BYTES ? "warn" : "ok", about, text }];
  const key = join(folder, "secret.key");
  if (existsSync(key) && (statSync(key).mode & 0o077) !== 0) {
    findings.push({ level: "warn", about, text: `${key} can be read by others: chmod 600` });
  }
  const account = readAccountFile(folder);
  findings.push({
    level: "ok",
    about: "account",
    text: account === undefined ? "none yet; the first start makes one" : account.accountSid,
  });
  return findings;
}

async function isServing(config: Config): Promise<boolean> {
  const { address, port } = config.httpListen;
  const host = address.includes(":") ? `[${address}]` : address.replace(/^0\.0\.0\.0$/, "127.0.0.1");
  try {
    const answer = await fetch(`http://${host}:${port}/healthz`, { signal: AbortSignal.timeout(2_000) });
    return answer.ok;
  } catch {
    return false;
  }
}

async function sip(config: Config): Promise<Finding> {
  const about = "SIP";
  const listen = [...config.sipListen, ...edgeListeners(config)];
  const names = listen.map(({ transport, address, port }) => `${transport}:${address}:${port}`).join(", ");
  try {
    const transports = await createSipTransports({
      listen,
      log: SILENT,
      clock: createSystemClock(),
      tls: config.tls,
    });
    await transports.close();
    return { level: "ok", about, text: `${names} can be bound` };
  } catch (error) {
    return { level: "fail", about, text: `${names}: ${(error as Error).message}` };
  }
}

/** Files that are there, fit each other and are valid; what listeners would refuse at start is said here as well. */
function certificates({ tls }: Config): Finding[] {
  const about = "TLS";
  if (tls.certificate.length === 0 && tls.ca === undefined) return [];
  try {
    return loadTlsSet(tls).identities.map(({ file, leaf }): Finding => {
      const days = Math.floor((leaf.validToDate.getTime() - Date.now()) / DAY_MS);
      const names = leaf.subjectAltName ?? "nobody: it has no subjectAltName, and SIP peers will refuse it";
      const text = `${file} is for ${names}; valid until ${leaf.validToDate.toISOString()}`;
      if (days < 0) return { level: "fail", about, text: `${file} has expired: ${leaf.validTo}` };
      if (leaf.validFromDate.getTime() > Date.now())
        return { level: "fail", about, text: `${file} is not valid before ${leaf.validFrom}` };
      return { level: days < SOON_DAYS || leaf.subjectAltName === undefined ? "warn" : "ok", about, text };
    });
  } catch (error) {
    return [{ level: "fail", about, text: (error as Error).message }];
  }
}

async function media(config: Config): Promise<Finding> {
  const about = "media";
  const { first, last } = config.rtpPorts;
  try {
    const plane = await createMediaPlane({
      advertisedAddress: config.rtpAddress,
      ports: config.rtpPorts,
      edges: mediaEdges(config),
      workers: config.mediaWorkers,
      io: config.mediaIo,
      log: SILENT,
    });
    try {
      const port = await plane.openLeg({ group: "doctor" });
      await plane.close(port.id);
      const pairs = Math.floor((last - first + 1) / 2);
      const text = `${plane.implementation.io} with ${config.mediaWorkers} workers, RTP ports ${first}-${last} (${pairs} pairs, two to four a call), advertised as ${port.address}`;
      const { refusal } = plane.implementation;
      if (refusal === undefined) return { level: "ok", about, text };
      return {
        level: "warn",
        about,
        text: `${text}; io_uring, at half the cost, cannot be used: ${refusal}`,
      };
    } finally {
      await plane.stop();
    }
  } catch (error) {
    return { level: "fail", about, text: (error as Error).message };
  }
}

function socketBuffers(): Finding {
  const about = "kernel";
  try {
    const maximum = Number(readFileSync("/proc/sys/net/core/rmem_max", "utf8"));
    return maximum < WANTED_SOCKET_BUFFER
      ? {
          level: "warn",
          about,
          text: `net.core.rmem_max is ${maximum}: bursts may be lost under load. sysctl -w net.core.rmem_max=${4 * WANTED_SOCKET_BUFFER}`,
        }
      : { level: "ok", about, text: `net.core.rmem_max is ${maximum}` };
  } catch {
    return { level: "ok", about, text: "socket buffer limits are not visible on this system" };
  }
}

function exposure(config: Config): Finding {
  const { address } = config.httpListen;
  const loopback = address === "::1" || address.startsWith("127.");
  return loopback
    ? { level: "ok", about: "exposure", text: "REST is reachable from this machine only" }
    : {
        level: "warn",
        about: "exposure",
        text: `REST listens on ${address} without TLS: put a TLS-terminating proxy in front of it`,
      };
}

/** What firewalls must let through: between callers and this node, and in front of recorders. */
function admit(config: Config): Finding[] {
  const about = "firewall";
  const ports = [...new Set(config.sipListen.map(({ transport, port }) => `${transport}/${port}`))].join(
    ", ",
  );
  const { first, last } = config.rtpPorts;
  const text = `peers must be able to reach SIP ${ports} and RTP udp/${first}-${last}`;
  const origins = [
    { name: "recorders", origin: defaultOrigin(config) },
    ...config.edges.map((edge) => ({
      name: `recorders by edge ${edge.name}`,
      origin: edgeOrigin(config, edge),
    })),
  ];
  return [
    { level: "ok", about, text },
    ...origins.flatMap(({ name, origin }) =>
      firewallRules(origin).map(
        (rule): Finding => ({ level: "ok", about, text: `${name}: ${describeRule(rule)}` }),
      ),
    ),
  ];
}
