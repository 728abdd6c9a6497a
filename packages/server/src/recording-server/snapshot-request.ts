import {
  METADATA_MEDIA_TYPE,
  RECORDING_SESSION_DISPOSITION,
  writeSnapshotRequest,
} from "@callfork/protocol/siprec";
import { utf8Encode } from "@callfork/protocol/text";
import type { Log } from "../observe/index.ts";
import type { SipBody, SipDialog } from "../signalling/index.ts";
import type { Warnings } from "./warnings.ts";

/**
 * Asks the recording client for a complete document when the state looks lost: once, by UPDATE and nothing else, and
 * only when the peer takes UPDATE (RFC 7866 §9.2). The document comes in a request of its own. A client that leaves the
 * request unanswered is recorded on: its audio is worth more than its metadata.
 */
export class SnapshotRequest {
  readonly #dialog: SipDialog;
  readonly #warnings: Warnings;
  readonly #log: Log;
  #state: "none" | "wanted" | "over" = "none";

  constructor(dialog: SipDialog, warnings: Warnings, log: Log) {
    this.#dialog = dialog;
    this.#warnings = warnings;
    this.#log = log;
  }

  /** It will be asked for when there is a moment for it. */
  want(): void {
    if (this.#state === "none") this.#state = "wanted";
  }

  cancel(): void {
    this.#state = "over";
  }

  /** This is such a moment: no request of the peer waits for our answer. */
  ask(): void {
    if (this.#state !== "wanted") return;
    this.#state = "over";
    if (!this.#dialog.remoteAllow.has("UPDATE")) return;
    const body: SipBody = {
      contentType: METADATA_MEDIA_TYPE,
      disposition: RECORDING_SESSION_DISPOSITION,
      bytes: utf8Encode(writeSnapshotRequest({ reason: "MetadataIncomplete" })),
    };
    this.#dialog.update({ body, mayGoUnanswered: true }).then(
      ({ status, headers }) => {
        if (status < 300) return;
        const told = headers.has("Via") ? `was refused with ${status}` : "got no answer";
        this.#warnings.add("SNAPSHOT_REFUSED", `the request for a snapshot ${told}`);
      },
      (error: unknown) => this.#log.warn({ err: error }, "a snapshot could not be asked for"),
    );
  }
}
