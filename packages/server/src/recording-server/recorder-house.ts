import { statfsSync } from "node:fs";
import { mkdir, statfs } from "node:fs/promises";
import { DEFAULT_CRYPTO_SUITES, type MediaSecurity } from "@callfork/protocol/offer-answer";
import type { Random } from "@callfork/protocol/text";
import type { MediaPlane } from "../media/index.ts";
import type { Clock } from "../net/index.ts";
import type { Alert, Log } from "../observe/index.ts";
import type { IncomingInvite } from "../signalling/index.ts";
import type { Refusal } from "./errors.ts";
import { plainFiles, type RecordingFiles } from "./files/recording-files.ts";
import type { IntakeOptions } from "./intake.ts";
import { MetadataDocuments } from "./metadata-documents.ts";
import { keepsDocuments, minimise } from "./minimise.ts";
import type { RecordingServerLimits, RecordingServerOptions } from "./options.ts";
import type { PeerProfile } from "./peers.ts";
import type { MetadataVersion, RecordingRecord, RecordingStore } from "./ports.ts";
import { Stitcher } from "./stitching/stitcher.ts";
import { recordingCallback } from "./webhooks.ts";

/** How often a row is tried to be saved at the end, a second apart and then twice as long each time. */
const LAST_SAVES = 4;

/** What all recordings share. */
export class RecorderHouse {
  readonly media: MediaPlane;
  readonly store: RecordingStore;
  readonly stitcher: Stitcher;
  readonly files: RecordingFiles;
  readonly documents: MetadataDocuments;
  readonly accountSid: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly security: MediaSecurity;
  readonly log: Log;
  readonly limits: RecordingServerLimits;
  readonly #options: RecordingServerOptions;

  constructor(options: RecordingServerOptions) {
    this.#options = options;
    this.media = options.media;
    this.store = options.store;
    this.stitcher = new Stitcher(options.store);
    this.files = options.files ?? plainFiles(options.folder);
    this.documents = new MetadataDocuments(options.store, this.files, keepsDocuments(options.metadataPolicy));
    this.accountSid = options.accountSid;
    this.clock = options.clock;
    this.random = options.random;
    const { random, srtpPolicy: policy = "offered" } = options;
    this.security = { policy, suites: DEFAULT_CRYPTO_SUITES, random };
    this.log = options.log;
    this.limits = {
      liveRecordings: 2_000,
      tracksPerRecording: 16,
      metadataBytes: 65_536,
      freeBytes: 256 * 2 ** 20,
      ...options.limits,
    };
  }

  intakeOptions(profile: PeerProfile): IntakeOptions {
    return { strict: profile === "strict", metadataBytes: this.limits.metadataBytes };
  }

  /** The row without what the policy says is not to be kept. */
  minimise(record: RecordingRecord): RecordingRecord {
    return minimise(record, this.#options.metadataPolicy);
  }

  async makeFolder(path: string): Promise<void> {
    await mkdir(path, { recursive: true, mode: 0o700 });
  }

  /** A disk that is nearly full takes no new recording, so that those in progress can be finished. */
  async diskRefusal(): Promise<Refusal | undefined> {
    return this.#diskRefusal(await statfs(this.#options.folder));
  }

  /** The same, at once. */
  diskRefusalNow(): Refusal | undefined {
    return this.#diskRefusal(statfsSync(this.#options.folder));
  }

  #diskRefusal({ bavail, bsize }: { readonly bavail: number; readonly bsize: number }): Refusal | undefined {
    const free = bavail * bsize;
    if (free >= this.limits.freeBytes) return undefined;
    const message = `${Math.floor(free / 2 ** 20)} MiB are free on the disk of recordings, which is too little`;
    return { status: 503, message, reason: "disk", retryAfterSeconds: 60 };
  }

  alert = (level: Alert["level"], errorCode: number, resourceSid: string | undefined, text: string): void => {
    this.#options.alerts.raise({ accountSid: this.accountSid, errorCode, level, text, resourceSid });
  };

  /** Saves the row together with the callback that its status owes. */
  async saveWithNews(record: RecordingRecord): Promise<void> {
    const { webhook } = this.#options;
    await this.store.saveRecording(record, recordingCallback(webhook, record, this.clock.wallNow()));
  }

  /** For metrics. */
  onWarning = (code: string): void => this.#options.onWarning?.(code);

  onStarted(): void {
    this.#options.onStarted?.();
  }

  /** Counts a refused INVITE, and raises an alert when somebody should look at it. */
  refused({ status, reason, message }: Refusal, { callId, flow }: IncomingInvite): void {
    this.log.warn({ callId, status, reason, address: flow.remoteAddress }, `recording refused: ${message}`);
    this.#options.onRefused?.(reason);
    // Strangers are counted and logged: an alert for each would be theirs to raise.
    if (reason === "address") return;
    const text = `a recording from ${flow.remoteAddress} was refused with ${status}: ${message}`;
    this.alert(status >= 500 ? "error" : "warning", ALERT_CODES[reason] ?? 32102, undefined, text);
  }

  /** The row of a recording that is over; what cannot be saved stays in progress and is repaired at the next start. */
  async saveAtLast(record: RecordingRecord, version: MetadataVersion | undefined, log: Log): Promise<void> {
    let isKept = version === undefined;
    for (let attempt = 1; ; attempt++) {
      try {
        if (!isKept) await this.documents.add(version!);
        isKept = true;
        await this.saveWithNews(record);
        return;
      } catch (error) {
        log.error({ err: error, attempt }, "a recording's row could not be saved");
        if (attempt === LAST_SAVES) {
          this.alert("error", 20500, record.sid, "the row of a recording could not be saved");
          return;
        }
        await new Promise<void>((resolve) => {
          this.clock.setTimer(1_000 * 2 ** (attempt - 1), resolve);
        });
      }
    }
  }
}

/** Twilio's numbers where they fit: concurrency, service unavailable, internal; else 32102, bad session description. */
const ALERT_CODES: Readonly<Record<string, number | undefined>> = {
  limit: 10004,
  "track-limit": 10004,
  stopping: 20503,
  media: 20500,
  disk: 20500,
  internal: 20500,
};
