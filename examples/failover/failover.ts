import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { loadVoice, type PhoneCall, TestPhone, type VoiceName } from "@callfork/testkit";
import { Callfork } from "./callfork.ts";
import { type Heard, heardOf, missingMs } from "./compare.ts";

/** The gap that the platform reports may differ by so much from the one in the audio: a packet. */
const TOLERANCE_MS = 20;
const BEFORE_MS = 4_000;
const AFTER_MS = 3_000;
const TRACKS = [
  { label: "inbound", voice: "alice" },
  { label: "outbound", voice: "bob" },
] as const satisfies readonly { label: string; voice: VoiceName }[];

interface Fork {
  readonly status: string;
  readonly recorder: string | null;
  readonly attempts: readonly { readonly recorder: string; readonly result: string }[];
  readonly gaps: readonly { readonly from: string; readonly duration_ms: number; readonly packets: number }[];
  readonly tracks: readonly { readonly label: string; readonly packets: number }[];
}

const step = (text: string): void => console.log(`• ${text}`);

/**
 * Two recorders, a platform, two phones that talk. The first recorder is killed in mid-sentence, the second gets the
 * rest; then what both have is compared with what was said, and the gap with what the platform says is missing.
 *
 * @returns the exit code: 0 when the rest is whole and the gap is right
 */
export async function failover(): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "callfork-failover-"));
  const running: { close(): Promise<void> }[] = [];
  const keep = async <T extends { close(): Promise<void> }>(opening: Promise<T>): Promise<T> => {
    const opened = await opening;
    running.push(opened);
    return opened;
  };
  try {
    const problems = await perform(folder, keep);
    for (const problem of problems) console.error(`✗ ${problem}`);
    console.log(problems.length === 0 ? "\nThe second recorder has the rest." : "\nThe failover FAILED.");
    return problems.length === 0 ? 0 : 1;
  } finally {
    for (const one of running.reverse()) await one.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function perform(
  folder: string,
  keep: <T extends { close(): Promise<void> }>(opening: Promise<T>) => Promise<T>,
): Promise<string[]> {
  const [first, second] = [
    await keep(Callfork.start("record", join(folder, "first"))),
    await keep(Callfork.start("record", join(folder, "second"))),
  ];
  const platform = await keep(Callfork.start("serve", join(folder, "platform")));
  step(`Recorders: ${first.recorderUri} (pid ${first.pid}) and ${second.recorderUri} (pid ${second.pid})`);
  await platform.post("/v1/Connectors", {
    UniqueName: "pair",
    Profile: "callfork",
    SipUri: [first.recorderUri, second.recorderUri],
  });

  const alice = await keep(
    TestPhone.open({ user: "alice", displayName: "Alice", voice: loadVoice("alice") }),
  );
  const bob = await keep(TestPhone.open({ user: "bob", displayName: "Bob", voice: loadVoice("bob") }));
  const answered = Promise.all([alice.nextCall(), bob.nextCall()]);
  const { sid } = await platform.post<{ sid: string }>(`${platform.account}/Calls.json`, {
    To: alice.uri,
    From: bob.uri,
    Twiml: `<Response><Dial answerOnBridge="true"><Sip>${bob.uri}</Sip></Dial></Response>`,
  });
  const [aliceCall, bobCall] = await answered;
  const forks = `${platform.account}/Calls/${sid}/Siprec`;
  const made = await platform.post<{ sid: string }>(`${forks}.json`, { ConnectorName: "pair" });
  const fork = `${forks}/${made.sid}.json`;
  step(`Call ${sid}: Alice and Bob are talking, fork ${made.sid} is at the first recorder`);
  await platform.until<Fork>(fork, ({ tracks }) => tracks.every(({ packets }) => packets * 20 >= BEFORE_MS));

  await inMidSentence(bobCall);
  const dyingMs = await first.killAndProbe();
  step("First recorder killed (SIGKILL), in mid-sentence");
  const recovered = await platform.until<Fork>(fork, ({ gaps }) => gaps.length > 0);
  step(`Fork is at ${recovered.recorder}`);
  await wait(AFTER_MS);
  await platform.post(fork, { Status: "stopped" });
  await aliceCall.hangUp();

  const again = await keep(Callfork.start("record", join(folder, "first")));
  step("First recorder started again, to see what it had");
  return report(recovered, await tracksOf(again), await tracksOf(second), dyingMs);
}

/** Alice is being heard: the last tenth of a second is no pause. */
async function inMidSentence(call: PhoneCall): Promise<void> {
  for (;;) {
    const { samples } = call.heard();
    const latest = samples.subarray(-800);
    if (latest.some((sample) => Math.abs(sample) > 2_000)) return;
    await wait(20);
  }
}

async function tracksOf(recorder: Callfork): Promise<ReadonlyMap<string, Heard>> {
  const sid = await recorder.finishedRecording();
  const tracks = new Map<string, Heard>();
  for (const { label, voice } of TRACKS) {
    const wav = await recorder.bytes(`/v1/Recordings/${sid}/Tracks/${label}.wav`);
    const heard = heardOf(wav, loadVoice(voice));
    if (heard !== undefined) tracks.set(label, heard);
  }
  return tracks;
}

/**
 * What is missing in the audio is what the platform says, and what the kernel took for a process that was dead already:
 * of that no sender can know.
 *
 * @returns what is not as it should be
 */
function report(
  fork: Fork,
  before: ReadonlyMap<string, Heard>,
  after: ReadonlyMap<string, Heard>,
  dyingMs: number,
): string[] {
  const [gap, ...more] = fork.gaps;
  if (gap === undefined) return ["no gap is reported"];
  const problems: string[] = more.length > 0 ? [`${fork.gaps.length} gaps are reported`] : [];
  const row = (what: string, ms: number, note: string): void =>
    console.log(`${what.padEnd(52)} ${ms.toFixed(0).padStart(5)} ms   ${note}`);
  console.log("");
  row("Gap reported by the platform", gap.duration_ms, `${gap.packets} packets of both tracks`);
  row("Taken by the dead recorder's sockets, as probed", dyingMs, "");
  const found: number[] = [];
  for (const { label, voice } of TRACKS) {
    const [first, second] = [before.get(label), after.get(label)];
    if (first === undefined || second === undefined) {
      problems.push(`${label}: a recorder has nothing of ${voice}`);
      continue;
    }
    const ms = missingMs(first, second);
    found.push(ms);
    row(`Gap in the audio of ${voice} (${label})`, ms, `first ${seconds(first)}, second ${seconds(second)}`);
    if (!first.isWhole) problems.push(`${label}: what the first recorder has is not ${voice} throughout`);
    if (!second.isWhole) problems.push(`${label}: what the second recorder has is not ${voice} throughout`);
  }
  const inAudio = found.reduce((sum, ms) => sum + ms, 0) / found.length;
  const off = gap.duration_ms + dyingMs - inAudio;
  row("Difference", off, `${TOLERANCE_MS} ms are allowed`);
  if (!(Math.abs(off) <= TOLERANCE_MS)) problems.push(`the reported gap is ${off.toFixed(0)} ms off`);
  return problems;
}

const seconds = ({ samples }: Heard): string => `${(samples / 8_000).toFixed(2)} s`;
