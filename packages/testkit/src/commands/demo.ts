import { once } from "node:events";
import { createWriteStream, mkdirSync } from "node:fs";
import { createServer } from "node:net";
import { join, relative, resolve } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { decodePcmu, encodePcmu, parseWav, pcmOf } from "@callfork/protocol/audio";
import { readRecordingMetadata } from "@callfork/protocol/siprec";
import { type App, startApp } from "@callfork/server/app";
import { type Command, readCommandLine, UsageError } from "@callfork/server/cli";
import { createLog } from "@callfork/server/observe";
import twilio from "twilio";
import { locateInVoice } from "../audio/locate.ts";
import { TestPhone } from "../phone/phone.ts";
import { loadVoice } from "../phone/voices.ts";
import { dialDocument } from "./call.ts";
import { CallbackCatcher } from "./callback-catcher.ts";
import { type RestAccess, rest, restBytes } from "./rest.ts";

const CONNECTOR = "demo-recorder";
const FORK_NAME = "demo fork";
const DEFAULT_SECONDS = 8;
const CALLBACK_LIMIT_MS = 10_000;

export const demo: Command = {
  help: `usage: callfork demo [--seconds N] [--data-dir FOLDER]

Serves a platform on free ports of this machine, makes a connector to its own recorder, places a call between two
test phones that speak, forks it through the official Twilio client, stops, and compares what was recorded with what
was said, sample by sample. Exit code 0 only if every track is bit for bit its speaker and the metadata names both.

  --seconds N         how long the fork runs [${DEFAULT_SECONDS}]
  --data-dir FOLDER   where the recording is left to look at [./data/demo]`,
  async run(argv) {
    const own = { seconds: { type: "string" }, "data-dir": { type: "string" } } as const;
    const port = await freePort();
    const dataDir = resolve(optionOf(argv, "--data-dir") ?? "data/demo");
    const { config, values } = readCommandLine(argv, own, {
      "data-dir": dataDir,
      "http-listen": "127.0.0.1:0",
      "sip-listen": `udp:127.0.0.1:${port},tcp:127.0.0.1:${port}`,
      "rtp-address": "127.0.0.1",
      "recorder-allowed-addresses": "127.0.0.1",
      "webhooks-allowed-addresses": "127.0.0.1",
    });
    const seconds = Number(values.seconds ?? DEFAULT_SECONDS);
    if (!(seconds >= 1 && seconds <= 600)) throw new UsageError("--seconds must lie between 1 and 600");

    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    const logFile = join(dataDir, "callfork.log");
    const app = await startApp(config, {
      log: createLog({ level: "info", destination: createWriteStream(logFile, { flags: "a", mode: 0o600 }) }),
    });
    try {
      const problems = await perform(app, seconds);
      for (const problem of problems) console.error(`  ✗ ${problem}`);
      console.log(`\nLog: ${relative(".", logFile)}`);
      console.log(problems.length === 0 ? "The demo succeeded." : "The demo FAILED.");
      return problems.length === 0 ? 0 : 1;
    } finally {
      await app.stop(0);
    }
  },
};

/** @returns what differs from what should be; empty when all is well */
async function perform(app: App, seconds: number): Promise<string[]> {
  if (app.url === undefined || app.recorderUri === undefined)
    return ["the server has no REST interface or no recorder"];
  const { accountSid, authToken } = app.account;
  const access: RestAccess = { url: app.url, accountSid, authToken };
  step(`Serving: REST ${app.url}, SIP port ${app.sip[0]?.port}`);

  await makeConnector(access, app.recorderUri);
  step(`Connector "${CONNECTOR}" leads to this server's recorder, ${app.recorderUri}`);

  const alice = await TestPhone.open({ user: "alice", displayName: "Alice", voice: loadVoice("alice") });
  const bob = await TestPhone.open({ user: "bob", displayName: "Bob", voice: loadVoice("bob") });
  const catcher = await CallbackCatcher.open(authToken);
  const client = twilio(accountSid, authToken);
  client.api.baseUrl = app.url;
  try {
    const bobAnswers = bob.nextCall();
    const aliceAnswers = alice.nextCall();
    const placed = await client.calls.create({ to: alice.uri, from: bob.uri, twiml: dialDocument(bob.uri) });
    const aliceCall = await within(aliceAnswers, 10_000, "Alice's phone never rang");
    await within(bobAnswers, 10_000, "Bob's phone never rang");
    step(`Call ${placed.sid}: Alice and Bob are talking`);
    await wait(1_000);

    const fork = await client.calls(placed.sid).siprec.create({
      name: FORK_NAME,
      connectorName: CONNECTOR,
      track: "both_tracks",
      statusCallback: catcher.url,
      "parameter1.name": "case",
      "parameter1.value": "demo & more",
    });
    const started = await catcher.waitFor(isEvent("siprec-started"), CALLBACK_LIMIT_MS);
    if (started === undefined) return [`no siprec-started callback: ${JSON.stringify(catcher.caught)}`];
    step(`Fork ${fork.sid} "${fork.name}" is running; both speak for ${seconds} s`);
    await wait(seconds * 1_000);

    const stopped = await client.calls(placed.sid).siprec(FORK_NAME).update({ status: "stopped" });
    const stoppedCallback = await catcher.waitFor(isEvent("siprec-stopped"), CALLBACK_LIMIT_MS);
    await aliceCall.hangUp();
    step(`Fork stopped by its name (status ${stopped.status}); hung up`);

    const problems: string[] = [];
    if (stoppedCallback === undefined) problems.push("no siprec-stopped callback");
    for (const { parameters, signed } of catcher.caught) {
      if (!signed) problems.push(`the signature of ${parameters.SiprecEvent} is wrong`);
    }
    const { packets, lost } = aliceCall.heard();
    if (lost > 0) problems.push(`Alice missed ${lost} of ${packets + lost} packets of Bob`);
    return [...problems, ...(await inspect(app, access, seconds))];
  } finally {
    await Promise.all([alice.close(), bob.close(), catcher.close()]);
  }
}

interface RecordingJson {
  readonly sid: string;
  readonly status: string;
  readonly duration_ms: number;
  readonly participants: readonly {
    readonly participant_id: string;
    readonly aor: string;
    readonly name: string | null;
  }[];
  readonly tracks: readonly {
    readonly label: string;
    readonly senders: readonly string[];
    readonly codec: string;
    readonly duration_ms: number;
    readonly packets: number;
    readonly expected: number;
    readonly lost: number;
  }[];
  readonly warnings: readonly { readonly code: string; readonly message: string }[];
  readonly extension_data: Readonly<Record<string, string>>;
}

const SPEAKERS = [
  { label: "inbound", voice: "alice" },
  { label: "outbound", voice: "bob" },
] as const;

async function inspect(app: App, access: RestAccess, seconds: number): Promise<string[]> {
  const recording = await latestRecording(access);
  if (recording === undefined) return ["there is no finished recording"];
  const problems: string[] = [];
  const path = `/v1/Recordings/${recording.sid}`;
  step(`Recording ${recording.sid}: ${recording.status}, ${(recording.duration_ms / 1_000).toFixed(2)} s`);
  if (recording.status !== "completed") problems.push(`the recording is ${recording.status}`);
  for (const { code, message } of recording.warnings) problems.push(`warning ${code}: ${message}`);
  if (recording.extension_data.case !== "demo & more")
    problems.push("the parameter did not arrive in the metadata");

  const aorOf = new Map(recording.participants.map(({ participant_id, aor }) => [participant_id, aor]));
  for (const { label, voice } of SPEAKERS) {
    const track = recording.tracks.find((candidate) => candidate.label === label);
    if (track === undefined) {
      problems.push(`there is no track "${label}"`);
      continue;
    }
    const speakers = track.senders.map((id) => aorOf.get(id) ?? id);
    if (!speakers.some((aor) => aor.startsWith(`sip:${voice}@`))) {
      problems.push(
        `the metadata says that ${speakers.join(", ") || "nobody"} speaks on "${label}", not ${voice}`,
      );
    }
    if (track.lost > 0) problems.push(`"${label}" lost ${track.lost} of ${track.expected} packets`);
    if (track.duration_ms < seconds * 900) problems.push(`"${label}" lasts ${track.duration_ms} ms only`);
    const verdict = compareTrack(await restBytes(access, `${path}/Tracks/${label}.wav`), voice);
    if (verdict.problem === undefined) {
      step(
        `Track "${label}" (${track.codec}, ${track.packets} packets, 0 lost): ${verdict.samples} samples, bit for bit ${voice}'s voice; spoken by ${speakers.join(", ")}`,
      );
    } else problems.push(`"${label}": ${verdict.problem}`);
  }

  const xml = await restBytes(access, `${path}/Metadata.xml`);
  const metadata = readRecordingMetadata(xml, {});
  if (!metadata.ok) problems.push(`the metadata cannot be read: ${metadata.error.message}`);
  for (const { voice } of SPEAKERS) {
    if (!new TextDecoder().decode(xml).includes(`sip:${voice}@`))
      problems.push(`the metadata does not name ${voice}`);
  }
  if (problems.length === 0) {
    step("Metadata names Alice and Bob, and carries the parameter");
    console.log(`
Listen:   ${relative(".", join(app.recordingsFolder, recording.sid))}/
Serve it: CALLFORK_DATA_DIR=${relative(".", join(app.recordingsFolder, ".."))} npm start
          curl -u "$(CALLFORK_DATA_DIR=${relative(".", join(app.recordingsFolder, ".."))} npx callfork account)" -o call.wav http://127.0.0.1:8080${path}/Media.wav`);
  }
  return problems;
}

/** The recording is closed when its BYE was answered, which a callback does not wait for. */
async function latestRecording(access: RestAccess): Promise<RecordingJson | undefined> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const { recordings } = await rest<{ recordings: RecordingJson[] }>(
      access,
      "GET",
      "/v1/Recordings?PageSize=1",
    );
    const newest = recordings[0];
    if (newest !== undefined && newest.status !== "in-progress") return newest;
    await wait(100);
  }
  return undefined;
}

function compareTrack(wav: Uint8Array, name: "alice" | "bob"): { samples: number; problem?: string } {
  const info = parseWav(wav);
  const pcm = info.ok ? pcmOf(wav, info.value) : info;
  if (!pcm.ok) return { samples: 0, problem: `not a readable WAV file: ${pcm.error.message}` };
  const found = locateInVoice(pcm.value, asHeard(loadVoice(name)));
  if (found === undefined) return { samples: pcm.value.length, problem: `${name} is not to be heard in it` };
  if (found.firstDifference !== undefined) {
    const at = (found.firstDifference / 8_000).toFixed(3);
    return {
      samples: found.total,
      problem: `${found.total - found.equal} of ${found.total} samples differ from what ${name} said, first at ${at} s`,
    };
  }
  return { samples: found.total };
}

/** What G.711 leaves of a voice: the phone encodes it, the recorder decodes it. */
function asHeard(voice: Int16Array): Int16Array {
  const encoded = new Uint8Array(voice.length);
  encodePcmu(voice, encoded);
  const decoded = new Int16Array(voice.length);
  decodePcmu(encoded, decoded);
  return decoded;
}

async function makeConnector(access: RestAccess, recorderUri: string): Promise<void> {
  const { connectors } = await rest<{ connectors: { unique_name: string }[] }>(
    access,
    "GET",
    "/v1/Connectors?PageSize=1000",
  );
  const exists = connectors.some(({ unique_name }) => unique_name === CONNECTOR);
  const path = exists ? `/v1/Connectors/${CONNECTOR}` : "/v1/Connectors";
  await rest(access, "POST", path, { UniqueName: CONNECTOR, SipUri: recorderUri });
}

const isEvent =
  (event: string) =>
  ({ parameters }: { readonly parameters: Readonly<Record<string, string>> }): boolean =>
    parameters.SiprecEvent === event;

async function within<T>(promise: Promise<T>, limitMs: number, complaint: string): Promise<T> {
  const winner = await Promise.race([promise, wait(limitMs, undefined, { ref: false })]);
  if (winner === undefined) throw new Error(complaint);
  return winner;
}

function step(text: string): void {
  console.log(`  • ${text}`);
}

function optionOf(argv: readonly string[], flag: string): string | undefined {
  const at = argv.indexOf(flag);
  return at < 0 ? undefined : argv[at + 1];
}

/** A port that was free a moment ago, for UDP and TCP alike. */
async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  return typeof address === "object" && address !== null ? address.port : 0;
}
