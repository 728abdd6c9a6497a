import type { Clock, Timer } from "../net/index.ts";
import type { Alerts, Log } from "../observe/index.ts";
import type { UserAgent } from "../signalling/index.ts";
import { edgeParts } from "./edges.ts";
import { UNREACHABLE_CODE } from "./recorder-failure.ts";
import type { ConnectorPlan, Recorder } from "./recorders.ts";

/** A connector that no fork has used for so long is not asked after any more. */
const IDLE_MS = 3_600_000;
const MAXIMUM_RECORDERS = 1_000;
/** How long OPTIONS may go unanswered while an INVITE waits for it: the third repetition is answered or none. */
const FIRST_ANSWER_MS = 4_000;
/** What a peer says, or we on its behalf, when it is not there. Any other answer shows that it is. */
const ABSENT: ReadonlySet<number> = new Set([408, 503]);

export interface RecorderHealthOptions {
  readonly userAgent: Pick<UserAgent, "request">;
  readonly clock: Clock;
  readonly log: Log;
  readonly alerts: Alerts;
  readonly sipHost: string;
}

interface Watched {
  plan: ConnectorPlan;
  usedAt: number;
  isUp: boolean;
  /** When it last answered OPTIONS. */
  answeredAt: number | undefined;
  timer: Timer | undefined;
}

/**
 * Asks recorders by OPTIONS whether they are there, those of connectors that want it, from their first fork on until
 * an hour after the last. Those that are not come last in a list: then a call need not wait to find out.
 */
export class RecorderHealth {
  readonly #options: RecorderHealthOptions;
  readonly #watched = new Map<string, Watched>();
  #stopped = false;

  constructor(options: RecorderHealthOptions) {
    this.#options = options;
  }

  /** A fork uses the connector, as it is now. */
  watch(plan: ConnectorPlan): void {
    if (this.#stopped) return;
    const usedAt = this.#options.clock.now();
    for (const recorder of plan.recorders) {
      const key = keyOf(plan, recorder);
      const known = this.#watched.get(key);
      if (known !== undefined) Object.assign(known, { plan, usedAt });
      else if (plan.settings.optionsIntervalSeconds !== null && this.#watched.size < MAXIMUM_RECORDERS) {
        const watched: Watched = { plan, usedAt, isUp: true, answeredAt: undefined, timer: undefined };
        this.#watched.set(key, watched);
        this.#askLater(key, recorder, watched);
      }
    }
  }

  /** The list as it is given, those that do not answer at its end. */
  ordered(plan: ConnectorPlan, recorders: readonly Recorder[]): readonly Recorder[] {
    const isUp = (recorder: Recorder) => this.#watched.get(keyOf(plan, recorder))?.isUp !== false;
    return [...recorders.filter(isUp), ...recorders.filter((each) => !isUp(each))];
  }

  /**
   * Whether the recorder has answered OPTIONS lately, or answers now. Connectors that do not ask first believe in it.
   */
  async answers(plan: ConnectorPlan, recorder: Recorder): Promise<boolean> {
    const { optionsFirst, optionsIntervalSeconds } = plan.settings;
    if (!optionsFirst) return true;
    const watched = this.#watched.get(keyOf(plan, recorder));
    const freshMs = (optionsIntervalSeconds ?? 0) * 1000;
    const since = watched?.answeredAt;
    if (watched?.isUp && since !== undefined && this.#options.clock.now() - since <= freshMs) return true;
    const isUp = await this.#inTime(this.#isThere(plan, recorder));
    if (watched !== undefined) this.#note(recorder, watched, isUp);
    return isUp;
  }

  /** A call waits for it: a recorder that thinks longer about OPTIONS is passed over. */
  #inTime(answer: Promise<boolean>): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const timer = this.#options.clock.setTimer(FIRST_ANSWER_MS, () => resolve(false));
      answer.then(resolve, reject).finally(() => timer.cancel());
    });
  }

  stop(): void {
    this.#stopped = true;
    for (const { timer } of this.#watched.values()) timer?.cancel();
    this.#watched.clear();
  }

  #askLater(key: string, recorder: Recorder, watched: Watched): void {
    const { clock } = this.#options;
    const seconds = watched.plan.settings.optionsIntervalSeconds;
    if (seconds === null || clock.now() - watched.usedAt > IDLE_MS || this.#stopped) {
      this.#watched.delete(key);
      return;
    }
    watched.timer = clock.setTimer(seconds * 1000, () => {
      this.#ask(recorder, watched)
        .catch((error: unknown) => this.#options.log.error({ err: error }, "siprec: OPTIONS was not sent"))
        .finally(() => this.#askLater(key, recorder, watched));
    });
  }

  async #ask(recorder: Recorder, watched: Watched): Promise<void> {
    this.#note(recorder, watched, await this.#isThere(watched.plan, recorder));
  }

  async #isThere({ headers, credentials, tls }: ConnectorPlan, recorder: Recorder): Promise<boolean> {
    const { userAgent, sipHost } = this.#options;
    const { route, ...way } = edgeParts(recorder.edge, sipHost);
    const { status } = await userAgent.request("OPTIONS", {
      ...way,
      requestUri: recorder.uri,
      to: `<${recorder.uri}>`,
      headers: [...route, ...headers],
      contactUser: "SRC",
      contactParameters: ";+sip.src",
      ...(credentials && { credentials }),
      ...(tls && { tls }),
    });
    return !ABSENT.has(status);
  }

  #note(recorder: Recorder, watched: Watched, isUp: boolean): void {
    const { log, alerts, clock } = this.#options;
    const { connectorSid, accountSid, connectorName } = watched.plan;
    if (isUp) watched.answeredAt = clock.now();
    if (isUp === watched.isUp || this.#stopped) return;
    watched.isUp = isUp;
    const text = `${recorder.shownUri} of connector ${connectorName} ${isUp ? "answers OPTIONS again" : "does not answer OPTIONS"}`;
    log.warn({ recorder: recorder.shownUri }, `siprec: ${text}`);
    const errorCode = UNREACHABLE_CODE;
    alerts.raise({ accountSid, errorCode, level: "warning", text, resourceSid: connectorSid });
  }
}

const keyOf = ({ connectorSid }: ConnectorPlan, { uri }: Recorder): string => `${connectorSid} ${uri}`;
