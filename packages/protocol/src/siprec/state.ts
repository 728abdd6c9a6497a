import type { AssociationParam, MetadataExtension, NameId, SessionReason } from "./model.ts";

/** From and until as epoch milliseconds; open while `untilMs` is undefined. */
export interface Interval {
  readonly fromMs: number;
  readonly untilMs: number | undefined;
}

/** Who contributed to and received which streams, and when. */
export interface StreamRoleInterval extends Interval {
  /** Stream ids; some may not have been declared yet. */
  readonly send: readonly string[];
  readonly recv: readonly string[];
}

/** What every object of the state has. */
interface Tracked {
  /** When a document first named it. */
  readonly openedAtMs: number;
  /** When it stopped being current: its stop time, or the arrival of the document that no longer has it. */
  readonly closedAtMs: number | undefined;
  readonly extensions: readonly MetadataExtension[];
}

export interface GroupState extends Tracked {
  readonly groupId: string;
}

export interface SessionState extends Tracked {
  readonly sessionId: string;
  readonly sipSessionIds: readonly string[];
  readonly reasons: readonly SessionReason[];
  readonly groupRef: string | undefined;
  /** As the sender said; `openedAtMs` where it did not. */
  readonly startedAtMs: number;
  /** When this session was part of the recording session (RFC 7865 §6.4); several times is usual. */
  readonly recorded: readonly Interval[];
}

export interface ParticipantState extends Tracked {
  readonly participantId: string;
  readonly nameIds: readonly NameId[];
  /** Oldest first; the last one is current while it is open. */
  readonly roles: readonly StreamRoleInterval[];
}

export interface StreamState extends Tracked {
  readonly streamId: string;
  readonly sessionId: string | undefined;
  readonly label: string | undefined;
}

export interface ParticipationState {
  readonly participantId: string;
  readonly sessionId: string;
  readonly params: readonly AssociationParam[];
  /** Oldest first: leaving and coming back gives two. */
  readonly intervals: readonly Interval[];
}

/**
 * What one recording session's documents have said so far, history included. A value: applying a document gives
 * a new one, so a rejected request leaves the old one as it was (RFC 7866 §9.2).
 *
 * Maps are keyed by `objectIdKey`, participations by both keys and a blank. They keep what is closed.
 */
export interface MetadataState {
  /** A complete document came, so what is known is all there is. */
  readonly hasSnapshot: boolean;
  readonly groups: ReadonlyMap<string, GroupState>;
  readonly sessions: ReadonlyMap<string, SessionState>;
  readonly participants: ReadonlyMap<string, ParticipantState>;
  readonly streams: ReadonlyMap<string, StreamState>;
  readonly participations: ReadonlyMap<string, ParticipationState>;
  readonly extensions: readonly MetadataExtension[];
}

export const EMPTY_METADATA_STATE: MetadataState = {
  hasSnapshot: false,
  groups: new Map(),
  sessions: new Map(),
  participants: new Map(),
  streams: new Map(),
  participations: new Map(),
  extensions: [],
};

/** One thing that a document changed; `atMs` is the sender's time where it gave a plausible one. */
export type MetadataChange = { readonly atMs: number } & (
  | { readonly kind: "groupOpened" | "groupClosed"; readonly groupId: string }
  | { readonly kind: "sessionOpened" | "sessionChanged" | "sessionClosed"; readonly sessionId: string }
  | {
      readonly kind: "participantOpened" | "participantChanged" | "participantClosed";
      readonly participantId: string;
    }
  | {
      readonly kind: "participantJoined" | "participantLeft";
      readonly participantId: string;
      readonly sessionId: string;
    }
  | { readonly kind: "streamOpened" | "streamChanged" | "streamClosed"; readonly streamId: string }
  | {
      readonly kind: "rolesChanged";
      readonly participantId: string;
      readonly send: readonly string[];
      readonly recv: readonly string[];
    }
);

export interface StateWarning {
  readonly code: /** One UUID for two things; the second was ignored (RFC 7865 §6.10). */
    | "METADATA_DUPLICATE_ID"
    /** The time cannot be true, the arrival stands in; the document keeps its text. */
    | "METADATA_IMPLAUSIBLE_TIME"
    /** Ids that no document has declared yet; they stay pending (RFC 7865 §6.8). */
    | "METADATA_PENDING_REFERENCE"
    /** A partial document came before any complete one. */
    | "METADATA_PARTIAL_WITHOUT_SNAPSHOT"
    /** More objects or intervals than are kept. */
    | "METADATA_STATE_FULL";
  readonly message: string;
}

export interface Applied {
  readonly state: MetadataState;
  readonly changes: readonly MetadataChange[];
  readonly warnings: readonly StateWarning[];
  /** The state looks lost: ask for a snapshot, once, if the peer takes UPDATE. */
  readonly needsSnapshot: boolean;
}

export interface ApplyOptions {
  /** Zone of times that name none, in minutes east of UTC. Default 0. */
  readonly zoneOffsetMinutes?: number;
  /** Objects of each kind, closed ones included. Default 1,000. */
  readonly maxObjects?: number;
  /** Intervals kept of each participation, participant and session; the oldest go first. Default 1,000. */
  readonly maxIntervals?: number;
}
