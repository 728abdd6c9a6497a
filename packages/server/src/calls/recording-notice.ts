import type { RecordIndication } from "@callfork/protocol/sdp";
import type { Log } from "../observe/index.ts";
import type { Leg } from "./leg.ts";
import { ownNumbers } from "./leg-media.ts";
import type { NoticeChoice, RecordingPolicy } from "./recording-policy.ts";

/** What a notice needs of its call. */
export interface NoticeHost {
  readonly leg: Leg;
  readonly log: Log;
  /** Plays to the party, over whatever it hears. Rejects when it cannot. */
  announce(samples: Int16Array): Promise<void>;
  /** What this notice is to announce. */
  announcement(): Promise<Int16Array>;
  warn(text: string): void;
}

/**
 * Tells one party whether it is recorded: in SDP when it shows that by itself (RFC 7866 §6.1.2), else as the policy
 * says. Told again and again, it tells the party only what is new.
 */
export class RecordingNotice {
  readonly #host: NoticeHost;
  readonly #policy: RecordingPolicy | undefined;
  readonly #choice: NoticeChoice;
  #state: RecordIndication = "off";
  /** The party has heard, or been spared, the beginning of this recording. */
  #isNoticed = false;
  #isTelling = false;
  #warned = false;

  constructor(host: NoticeHost, policy: RecordingPolicy | undefined, choice: NoticeChoice) {
    this.#host = host;
    this.#policy = policy;
    this.#choice = choice;
  }

  /** @param state - of all that records this party, whoever does it */
  update(state: RecordIndication): void {
    this.#state = state;
    const { leg } = this.#host;
    if (leg.isRecordAware) {
      // A party that was never recorded need not hear that it is not.
      if (state !== "off" || leg.media.told !== undefined) leg.media.record = state;
      void this.#tell();
    } else this.#signal(leg);
  }

  /** Another party sits at the leg: it has not been told. */
  partyChanged(): void {
    this.#isNoticed = false;
    this.#warned = false;
    this.#host.leg.media.record = undefined;
  }

  /** By re-INVITE, until the party has agreed to the newest word. */
  async #tell(): Promise<void> {
    if (this.#isTelling) return;
    this.#isTelling = true;
    const { leg, log, warn } = this.#host;
    try {
      while (leg.answered && leg.media.line && leg.media.record !== leg.media.told) {
        const answer = await leg.reoffer(() => {
          const line = leg.media.line!;
          return leg.media.offer(ownNumbers(line), line.direction);
        });
        if (answer.ok || leg.ended) continue;
        log.warn({ status: answer.error, record: this.#state }, "recording: a party refuses to be told");
        warn(`a party answered ${answer.error} when it was told of the recording`);
        break;
      }
    } catch (error) {
      log.warn({ error }, "recording: a party could not be told");
    } finally {
      this.#isTelling = false;
    }
  }

  #signal(leg: Leg): void {
    const kind = this.#choice.notice ?? this.#policy?.notice ?? "none";
    const isOn = this.#state === "on";
    if (kind === "tone") this.#mix(leg, isOn);
    if (this.#state === "off") this.#isNoticed = false;
    if (!isOn || this.#isNoticed || !leg.answered || !leg.media.line) return;
    this.#isNoticed = true;
    if (kind === "none")
      this.#host.log.info({}, "recording: a party is not told; it is notified by contract");
    if (kind === "announcement") void this.#announce(leg);
  }

  #mix(leg: Leg, isOn: boolean): void {
    leg.media.tone = isOn ? this.#policy?.tone : undefined;
    if (isOn && leg.answered && leg.media.line) this.#needsG711(leg, "the recording tone cannot be heard");
  }

  async #announce(leg: Leg): Promise<void> {
    try {
      const samples = await this.#host.announcement();
      if (this.#state !== "on" || !leg.answered) return;
      if (this.#needsG711(leg, "the recording cannot be announced")) await this.#host.announce(samples);
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      this.#host.log.warn({ error }, "recording: the announcement cannot be played");
      this.#warn(`the recording was not announced: ${text}`);
    }
  }

  #needsG711(leg: Leg, problem: string): boolean {
    const name = leg.media.line?.codecs[0]?.name ?? "";
    if (/^PCM[UA]$/i.test(name)) return true;
    this.#warn(`${problem}: the party speaks ${name}, it would have to be G.711`);
    return false;
  }

  #warn(text: string): void {
    if (this.#warned) return;
    this.#warned = true;
    this.#host.warn(text);
  }
}

/** Several states together: who is recorded once is recorded. */
export function combined(states: readonly (RecordIndication | undefined)[]): RecordIndication {
  if (states.includes("on")) return "on";
  return states.includes("paused") ? "paused" : "off";
}
