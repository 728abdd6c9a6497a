// Runs in a network of its own (support/own-network.ts): probes a server from addresses that it does not know, and
// prints what was learned as JSON for probing.test.ts.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { CallRefusedError, loadVoice, TestPhone } from "@callfork/testkit";
import { Owned } from "../support/owned.ts";
import { hears } from "../support/phones.ts";
import { freePort } from "../support/ports.ts";
import { TestServer } from "../support/server.ts";
import { until } from "../support/waiting.ts";
import { type Learned, Prober } from "./prober.ts";

export interface Findings {
  /** Of a server with default settings, and of one that drops. */
  readonly refuse: Probed;
  readonly drop: Probed;
  readonly sipsak: string;
  readonly flood: {
    readonly sent: number;
    readonly answered: number;
    readonly refusedCounted: number;
    readonly rssBeforeKb: number;
    readonly rssAfterKb: number;
    readonly callDuringFlood: "heard";
  };
}

export interface Probed {
  /** Answers to OPTIONS, REGISTER, INVITE to a number that is there and one that is not; null for silence. */
  readonly answers: Readonly<Record<string, Learned | null>>;
  /** Of twenty REGISTERs of a scanner, how many got an answer, and which was the last. */
  readonly patience: { readonly answered: number; readonly last: number };
}

const SERVER = "192.0.2.1";
const TRUNK = "192.0.2.10";
const SILENCE_MS = 700;

const owned = new Owned();

async function startServer(...flags: string[]): Promise<{ server: TestServer; port: number }> {
  const port = await freePort();
  const listen = `udp:${SERVER}:${port},tcp:${SERVER}:${port}`;
  const rtp = ["--rtp-address", SERVER];
  const server = await TestServer.start(owned, { flags: ["--sip-listen", listen, ...rtp, ...flags] });
  await server.post("/v1/Trunks", { UniqueName: "known", AllowedAddresses: TRUNK });
  await server.number("1001", { twiml: '<Response><Reject reason="busy"/></Response>' });
  return { server, port };
}

async function probe(port: number): Promise<Probed> {
  let next = 50;
  const prober = (): Promise<Prober> => Prober.open(`192.0.2.${next++}`, { address: SERVER, port });
  const answers: Record<string, Learned | null> = {};
  for (const [name, method, user] of [
    ["options", "OPTIONS", "100"],
    ["register", "REGISTER", "100"],
    ["subscribe", "SUBSCRIBE", "100"],
    ["inviteTaken", "INVITE", "1001"],
    ["inviteFree", "INVITE", "1002"],
    ["inviteRecorder", "INVITE", "recorder"],
  ] as const) {
    const one = await prober();
    answers[name] = (await one.ask(method, user, 3 * SILENCE_MS)) ?? null;
    one.close();
  }
  const scanner = await prober();
  let last = 0;
  for (let extension = 1; extension <= 20; extension++) {
    const heard = scanner.answered;
    await scanner.ask("REGISTER", String(1000 + extension), heard < extension - 1 ? 100 : SILENCE_MS);
    if (scanner.answered > heard) last = extension;
  }
  const patience = { answered: scanner.answered, last };
  scanner.close();
  return { answers, patience };
}

const rssKb = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);

async function metric(server: TestServer, name: string): Promise<number> {
  const text = await (await server.request("GET", "/metrics")).text();
  return [...text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\d+)`, "gm"))].reduce(
    (sum, [, value]) => sum + Number(value),
    0,
  );
}

async function flood(server: TestServer, port: number): Promise<Findings["flood"]> {
  const uri = `sip:talk@${SERVER}:${port}`;
  const bob = await TestPhone.open({ user: "bob", voice: loadVoice("bob"), address: TRUNK });
  owned.after(() => bob.close());
  const alice = await TestPhone.open({ user: "alice", voice: loadVoice("alice"), address: TRUNK });
  owned.after(() => alice.close());
  await server.number("talk", {
    twiml: `<Response><Dial answerOnBridge="true"><Sip>${bob.uri}</Sip></Dial></Response>`,
  });
  // A trunk is known some seconds after it was made.
  await until("the trunk being known", () =>
    alice.call(`sip:1001@${SERVER}:${port}`, { timeoutMs: 1_000 }).then(
      () => false,
      (error: unknown) => error instanceof CallRefusedError && error.status === 486,
    ),
  );
  const sources = await Promise.all(
    Array.from({ length: 40 }, (_, index) =>
      Prober.open(`192.0.2.${100 + index}`, { address: SERVER, port }),
    ),
  );
  const rssBeforeKb = rssKb(server.child.pid);
  let sent = 0;
  const send = async (): Promise<void> => {
    for (let round = 0; round < 50; round++) {
      for (const source of sources) {
        const kind = sent++ % 4;
        if (kind === 3) await source.sendText(`\0\xff garbage ${"x".repeat(500)}\r\n\r\n`);
        else await source.send(["OPTIONS", "REGISTER", "INVITE"][kind]!, String(sent));
      }
    }
  };
  const arrival = bob.nextCall();
  const flooding = send();
  const call = await alice.call(uri, { timeoutMs: 20_000 });
  const other = await arrival;
  await Promise.all([flooding, hears(call, "bob"), hears(other, "alice")]);
  await call.hangUp();
  const rssAfterKb = rssKb(server.child.pid);
  const answered = sources.reduce((sum, source) => sum + source.answered, 0);
  for (const source of sources) source.close();
  const refusedCounted = await metric(server, "callfork_sip_refused_total");
  return { sent, answered, refusedCounted, rssBeforeKb, rssAfterKb, callDuringFlood: "heard" };
}

const refusing = await startServer();
const refuse = await probe(refusing.port);
const sipsak = spawnSync("sipsak", ["-vvv", "-s", `sip:100@${SERVER}:${refusing.port}`], {
  encoding: "utf8",
  timeout: 10_000,
});
const flooded = await flood(refusing.server, refusing.port);
const dropping = await startServer("--sip-strangers", "drop");
const drop = await probe(dropping.port);
await owned.release();
const findings: Findings = { refuse, drop, sipsak: `${sipsak.stdout}${sipsak.stderr}`, flood: flooded };
process.stdout.write(JSON.stringify(findings));
