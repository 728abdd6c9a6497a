import type { RecordingMetadata } from "@callfork/protocol/siprec";
import type { CallTap, SiprecRecord } from "../calls/index.ts";
import type { CallIdentity } from "./call-identity.ts";
import type { ClientContext } from "./context.ts";
import { type ExtensionElement, recordingMetadata } from "./metadata.ts";
import { changesSince } from "./metadata-changes.ts";
import { labelsOf } from "./tracks.ts";

export interface CallDocumentOptions {
  readonly context: ClientContext;
  readonly tap: CallTap;
  readonly identity: CallIdentity;
  /** As it was asked for. */
  readonly record: SiprecRecord;
  readonly extensions: readonly ExtensionElement[];
  readonly isPaused: () => boolean;
}

/** The call as one fork tells it: its complete document of the moment, whose times stay as long as it does. */
export class CallDocument {
  readonly #options: CallDocumentOptions;
  #last: RecordingMetadata | undefined;
  #isFrozen = false;

  constructor(options: CallDocumentOptions) {
    this.#options = options;
  }

  /** Something may have changed: now is the time of it. Before anybody was told anything it is not. */
  note(): void {
    if (this.#last !== undefined) this.snapshot();
  }

  /** From now on it stays as it was last: the call, or the fork, is over. */
  freeze(): void {
    this.#isFrozen = true;
  }

  /** The same object until something has changed. */
  snapshot(): RecordingMetadata {
    const { context, tap, identity, record, extensions, isPaused } = this.#options;
    const last = this.#last;
    if (last !== undefined && this.#isFrozen) return last;
    const call = context.calls.find(record.callSid)?.record();
    const now = context.clock.wallNow();
    const document = recordingMetadata(
      {
        identity,
        labels: labelsOf(record.track),
        party: tap.party(),
        counterpart: tap.counterpart(),
        direction: tap.direction(),
        sipSessionId: tap.sipSessionId(),
        callStart: call?.startTime ?? call?.dateCreated ?? record.dateCreated,
        forkStart: record.dateCreated,
        isPaused: isPaused(),
        extensions,
        now,
      },
      last,
    );
    if (last !== undefined && changesSince(last, document, now) === undefined) return last;
    this.#last = document;
    return document;
  }
}
