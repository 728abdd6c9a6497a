import { labelOf, type SessionDescription } from "@callfork/protocol/sdp";
import {
  applyMetadata,
  EMPTY_METADATA_STATE,
  type MediaStream,
  type MetadataState,
  objectIdKey,
} from "@callfork/protocol/siprec";
import type { ReceivedMetadata } from "./intake.ts";
import type { MetadataVersion } from "./ports.ts";
import type { RecordedTrack } from "./recorded-track.ts";

/** Documents of one recording that are kept; the state goes on beyond. */
const MAX_VERSIONS = 1_000;

/** Streams by `objectIdKey`, and the track each of them is on. */
export type StreamBindings = ReadonlyMap<string, RecordedTrack>;

/** What is known from metadata at one moment. A value: a refused request leaves the one before. */
export interface Knowledge {
  readonly state: MetadataState;
  readonly bindings: StreamBindings;
}

export interface PreparedMetadata {
  readonly knowledge: Knowledge;
  /** To be made durable before the request is answered; undefined when enough are kept. */
  readonly version: MetadataVersion | undefined;
  readonly warnings: readonly { readonly code: string; readonly message: string }[];
  readonly needsSnapshot: boolean;
}

/** Where labels are looked up. */
export interface MetadataPlace {
  /** The session description that labels are looked up in: of the same message, else the current one. */
  readonly description: SessionDescription | undefined;
  /** Tracks by m-line, as they are when the request is granted. */
  readonly onLine: ReadonlyMap<number, RecordedTrack>;
}

export interface MetadataContext extends MetadataPlace {
  /** The SIP method that carried the document. */
  readonly carrier: string;
  readonly now: number;
}

/** The metadata documents of one recording session, in order (RFC 7866 §9). */
export class MetadataLog {
  readonly #recordingSid: string;
  #knowledge: Knowledge = { state: EMPTY_METADATA_STATE, bindings: new Map() };
  #versions = 0;
  #dialect: string | undefined;

  constructor(recordingSid: string) {
    this.#recordingSid = recordingSid;
  }

  get knowledge(): Knowledge {
    return this.#knowledge;
  }

  /** Of the first document that could be read; "none" before. */
  get dialect(): string {
    return this.#dialect ?? "none";
  }

  /** Says what a document would change. A number is used up even when the request is refused. */
  prepare(received: ReceivedMetadata, context: MetadataContext): PreparedMetadata {
    const warnings: { code: string; message: string }[] = [];
    const version = this.#version(received, context, warnings);
    const { document } = received;
    if (document === undefined) {
      warnings.push({ code: "METADATA_MALFORMED", message: `metadata cannot be read: ${received.problem}` });
      const needsSnapshot = !this.#knowledge.state.hasSnapshot;
      return { knowledge: this.#knowledge, version, warnings, needsSnapshot };
    }
    this.#dialect ??= document.dialect;
    const applied = applyMetadata(this.#knowledge.state, document.metadata, context.now);
    warnings.push(...document.warnings, ...applied.warnings);
    const bindings = this.#bind(applied.state, document.metadata.streams, context, warnings);
    return {
      knowledge: { state: applied.state, bindings },
      version,
      warnings,
      needsSnapshot: applied.needsSnapshot,
    };
  }

  /** A new description without metadata: streams that waited for their label may find it. */
  resolve(place: MetadataPlace): PreparedMetadata | undefined {
    const { state } = this.#knowledge;
    const bindings = this.#bind(state, [], place, []);
    if (bindings.size === this.#knowledge.bindings.size) return undefined;
    return { knowledge: { state, bindings }, version: undefined, warnings: [], needsSnapshot: false };
  }

  commit(prepared: PreparedMetadata): void {
    this.#knowledge = prepared.knowledge;
  }

  #version(
    received: ReceivedMetadata,
    { carrier, now }: MetadataContext,
    warnings: { code: string; message: string }[],
  ): MetadataVersion | undefined {
    if (received.oversized) {
      const message = "a metadata document is too large: only its beginning is kept";
      warnings.push({ code: "METADATA_NOT_KEPT", message });
    }
    if (this.#versions >= MAX_VERSIONS) {
      const message = `of more than ${MAX_VERSIONS} metadata documents the later ones are not kept`;
      warnings.push({ code: "METADATA_NOT_KEPT", message });
      return undefined;
    }
    const version = ++this.#versions;
    return { recordingSid: this.#recordingSid, version, time: now, carrier, document: received.kept };
  }

  /**
   * Which stream is on which track. A label means something only within its message (RFC 7866 §7.1.1, RFC 7865 §6.7):
   * the identity across messages is the stream_id, so a stream that is named without label stays where it is.
   */
  #bind(
    state: MetadataState,
    streams: readonly MediaStream[],
    { description, onLine }: MetadataPlace,
    warnings: { code: string; message: string }[],
  ): StreamBindings {
    const bindings = new Map(this.#knowledge.bindings);
    const labels = description?.media.map(labelOf) ?? [];
    const noLabels = labels.every((label) => label === undefined);
    for (const [position, { streamId, label }] of streams.entries()) {
      const key = objectIdKey(streamId);
      // Without any label in the description, what is left is the order.
      const line = noLabels ? position : label === undefined ? -1 : labels.indexOf(label);
      const track = onLine.get(line);
      if (track !== undefined) bindings.set(key, track);
      else if (label === undefined && !bindings.has(key)) {
        const message = `stream ${streamId} has no label: it cannot be told which track it is`;
        warnings.push({ code: "STREAM_WITHOUT_LABEL", message });
      } else if (label !== undefined && line < 0) {
        const message = `stream ${streamId} has the label ${label}, which no m-line has`;
        warnings.push({ code: "STREAM_LABEL_UNKNOWN", message });
      }
    }
    // Named before, under a label that no line had then.
    for (const [key, { label }] of state.streams) {
      const track = label === undefined ? undefined : onLine.get(labels.indexOf(label));
      if (track !== undefined && !bindings.has(key)) bindings.set(key, track);
    }
    return bindings;
  }
}
