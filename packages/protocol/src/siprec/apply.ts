import { closeLast, isOpen, orKept, same, sameIds } from "./intervals.ts";
import type {
  CommunicationSession,
  CommunicationSessionGroup,
  MediaStream,
  Participant,
  ParticipantSessionAssociation,
  ParticipantStreamAssociation,
  RecordingMetadata,
  SessionRecordingAssociation,
} from "./model.ts";
import { isUuidObjectId, objectIdKey } from "./object-id.ts";
import { type ObjectKind, referencesOf } from "./references.ts";
import type {
  Applied,
  ApplyOptions,
  GroupState,
  Interval,
  MetadataChange,
  MetadataState,
  ParticipantState,
  ParticipationState,
  SessionState,
  StateWarning,
  StreamState,
} from "./state.ts";
import { parseMetadataTime } from "./time.ts";

/**
 * Applies one document to the state of its recording session.
 *
 * A complete document replaces what is current: what it does not name is closed at its arrival, never deleted. A
 * partial one replaces, of each object it names, the kinds of children it has (RFC 7865 §5). Apply documents in
 * dialog order, and only those of requests answered with 2xx.
 */
export function applyMetadata(
  state: MetadataState,
  metadata: RecordingMetadata,
  nowEpochMs: number,
  options: ApplyOptions = {},
): Applied {
  return new Application(state, nowEpochMs, options).run(metadata);
}

/** One document being applied: copies of the maps, changed in place, handed out at the end. */
class Application {
  readonly #before: MetadataState;
  readonly #nowMs: number;
  readonly #zoneOffsetMs: number;
  readonly #maxObjects: number;
  readonly #maxIntervals: number;
  readonly #groups: Map<string, GroupState>;
  readonly #sessions: Map<string, SessionState>;
  readonly #participants: Map<string, ParticipantState>;
  readonly #streams: Map<string, StreamState>;
  readonly #participations: Map<string, ParticipationState>;
  readonly #changes: MetadataChange[] = [];
  readonly #warnings = new Map<string, StateWarning>();
  /** Keys that this document named, each with what it is. */
  readonly #named = new Set<string>();
  /** Sessions whose recorded interval this document only implied. */
  readonly #implied = new Set<string>();
  /** Sessions that had ended before and that this document says have ended. */
  readonly #over = new Set<string>();
  readonly #keys = new Map<string, string>();

  constructor(state: MetadataState, nowMs: number, options: ApplyOptions) {
    this.#before = state;
    this.#nowMs = nowMs;
    this.#zoneOffsetMs = (options.zoneOffsetMinutes ?? 0) * 60_000;
    this.#maxObjects = options.maxObjects ?? 1_000;
    this.#maxIntervals = options.maxIntervals ?? 1_000;
    this.#groups = new Map(state.groups);
    this.#sessions = new Map(state.sessions);
    this.#participants = new Map(state.participants);
    this.#streams = new Map(state.streams);
    this.#participations = new Map(state.participations);
  }

  run(metadata: RecordingMetadata): Applied {
    const complete = metadata.dataMode === "complete";
    for (const group of metadata.groups) this.#group(group);
    for (const session of metadata.sessions) this.#session(session, complete);
    for (const participant of metadata.participants) this.#participant(participant, complete);
    for (const stream of metadata.streams) this.#stream(stream, complete);
    for (const entry of metadata.sessionRecordingAssociations) this.#recorded(entry);
    for (const entry of metadata.participantSessionAssociations) this.#participation(entry);
    for (const entry of metadata.participantStreamAssociations) this.#roles(entry);
    // A session's stop ends what stands under it, listed or not (RFC 7865 §6.3), so it comes after the rest.
    for (const session of metadata.sessions) this.#stopSession(session);
    if (complete) this.#closeUnnamed(metadata);

    const { pending, references } = this.#references(metadata);
    if (pending.length > 0) {
      this.#warn("METADATA_PENDING_REFERENCE", `not declared yet: ${pending.slice(0, 8).join(", ")}`);
    }
    const hasSnapshot = this.#before.hasSnapshot || complete;
    if (!hasSnapshot) {
      this.#warn("METADATA_PARTIAL_WITHOUT_SNAPSHOT", "a partial document came before any complete one");
    }
    const extensions =
      complete || metadata.extensions.length > 0 ? metadata.extensions : this.#before.extensions;
    return {
      state: {
        hasSnapshot,
        groups: this.#groups,
        sessions: this.#sessions,
        participants: this.#participants,
        streams: this.#streams,
        participations: this.#participations,
        extensions,
      },
      changes: this.#changes,
      warnings: [...this.#warnings.values()],
      needsSnapshot: !hasSnapshot || (!complete && pending.length * 2 > references),
    };
  }

  #group(group: CommunicationSessionGroup): void {
    const { groupId, extensions } = group;
    const key = this.#claim(this.#groups, groupId, "group");
    if (key === undefined) return;
    const old = this.#groups.get(key);
    const openedAtMs = old?.openedAtMs ?? this.#time(group.associateTime);
    const ended = group.disassociateTime !== undefined;
    this.#groups.set(key, {
      groupId: old?.groupId ?? groupId,
      openedAtMs,
      closedAtMs: ended ? (old?.closedAtMs ?? this.#time(group.disassociateTime)) : undefined,
      extensions: extensions.length > 0 ? extensions : (old?.extensions ?? []),
    });
    if (old === undefined || (old.closedAtMs !== undefined && !ended)) {
      this.#changes.push({ kind: "groupOpened", groupId, atMs: openedAtMs });
    }
    if (ended && old?.closedAtMs === undefined) {
      this.#changes.push({ kind: "groupClosed", groupId, atMs: this.#time(group.disassociateTime) });
    }
  }

  #session(session: CommunicationSession, complete: boolean): void {
    const { sessionId } = session;
    const key = this.#claim(this.#sessions, sessionId, "session");
    if (key === undefined) return;
    const old = this.#sessions.get(key);
    const keep = complete ? undefined : old;
    // Senders that repeat everything also repeat sessions that have ended: these stay as they ended.
    const staysClosed = session.stopTime !== undefined ? old?.closedAtMs : undefined;
    if (staysClosed !== undefined) this.#over.add(key);
    const startedAtMs =
      session.startTime === undefined
        ? (old?.startedAtMs ?? this.#nowMs)
        : this.#time(session.startTime, old?.startedAtMs);
    const next: SessionState = {
      sessionId: old?.sessionId ?? sessionId,
      sipSessionIds: orKept(session.sipSessionIds, keep?.sipSessionIds),
      reasons: orKept(session.reasons, keep?.reasons),
      groupRef: session.groupRef ?? keep?.groupRef,
      startedAtMs,
      openedAtMs: old?.openedAtMs ?? this.#nowMs,
      closedAtMs: staysClosed,
      recorded: old?.recorded ?? [],
      extensions: orKept(session.extensions, keep?.extensions),
    };
    this.#sessions.set(key, next);
    if (old === undefined || (old.closedAtMs !== undefined && staysClosed === undefined)) {
      this.#changes.push({ kind: "sessionOpened", sessionId: next.sessionId, atMs: startedAtMs });
      // Few senders write sessionrecordingassoc: naming the session says that it is recorded (RFC 7865 §6.4).
      const fromMs = old === undefined ? startedAtMs : this.#nowMs;
      this.#sessions.set(key, { ...next, recorded: this.#open(next.recorded, fromMs, {}) });
      this.#implied.add(key);
    } else if (!same(old, next)) {
      this.#changes.push({ kind: "sessionChanged", sessionId: next.sessionId, atMs: this.#nowMs });
    }
  }

  #participant(participant: Participant, complete: boolean): void {
    const { participantId } = participant;
    const key = this.#claim(this.#participants, participantId, "participant");
    if (key === undefined) return;
    const old = this.#participants.get(key);
    const keep = complete ? undefined : old;
    const next: ParticipantState = {
      participantId: old?.participantId ?? participantId,
      nameIds: orKept(participant.nameIds, keep?.nameIds),
      roles: old?.roles ?? [],
      openedAtMs: old?.openedAtMs ?? this.#nowMs,
      closedAtMs: undefined,
      extensions: orKept(participant.extensions, keep?.extensions),
    };
    this.#participants.set(key, next);
    this.#noteChange("participant", old, next, { participantId: next.participantId });
  }

  #stream(stream: MediaStream, complete: boolean): void {
    const { streamId } = stream;
    const key = this.#claim(this.#streams, streamId, "stream");
    if (key === undefined) return;
    const old = this.#streams.get(key);
    const keep = complete ? undefined : old;
    const sessionId = stream.sessionId ?? keep?.sessionId;
    const isOver = sessionId !== undefined && this.#over.has(this.#key(sessionId));
    const next: StreamState = {
      streamId: old?.streamId ?? streamId,
      sessionId,
      label: stream.label ?? keep?.label,
      openedAtMs: old?.openedAtMs ?? this.#nowMs,
      closedAtMs: isOver ? old?.closedAtMs : undefined,
      extensions: orKept(stream.extensions, keep?.extensions),
    };
    this.#streams.set(key, next);
    this.#noteChange("stream", old, next, { streamId: next.streamId });
  }

  #noteChange(
    what: "participant" | "stream",
    old: ParticipantState | StreamState | undefined,
    next: ParticipantState | StreamState,
    id: { participantId: string } | { streamId: string },
  ): void {
    const opened = old === undefined || (old.closedAtMs !== undefined && next.closedAtMs === undefined);
    if (!opened && same(old, next)) return;
    const kind = opened ? "Opened" : "Changed";
    this.#changes.push({ kind: `${what}${kind}`, ...id, atMs: this.#nowMs } as MetadataChange);
  }

  #recorded(entry: SessionRecordingAssociation): void {
    const key = this.#key(entry.sessionId);
    const session = this.#sessions.get(key);
    if (session === undefined) return;
    // The sender's time is better than the one implied a moment ago.
    let recorded = this.#implied.delete(key) ? session.recorded.slice(0, -1) : session.recorded;
    const last = recorded.at(-1);
    const opens = entry.disassociateTime === undefined || entry.associateTime !== undefined;
    if (session.closedAtMs === undefined && !isOpen(recorded) && opens && !this.#repeats(last, entry)) {
      recorded = this.#open(recorded, this.#time(entry.associateTime, session.startedAtMs), {});
    }
    if (entry.disassociateTime !== undefined) {
      recorded = closeLast(recorded, this.#time(entry.disassociateTime));
    }
    this.#sessions.set(key, { ...session, recorded });
  }

  #participation(entry: ParticipantSessionAssociation): void {
    const participantKey = this.#key(entry.participantId);
    const key = `${participantKey} ${this.#key(entry.sessionId)}`;
    this.#named.add(`participation ${key}`);
    if (this.#over.has(this.#key(entry.sessionId))) return;
    const old = this.#participations.get(key);
    if (old === undefined && this.#isFull(this.#participations)) return;
    const { participantId, sessionId } = old ?? entry;
    let intervals = old?.intervals ?? [];
    const isOpen = intervals.length > 0 && intervals.at(-1)!.untilMs === undefined;
    const opens = entry.disassociateTime === undefined || entry.associateTime !== undefined;
    if (!isOpen && opens && !this.#repeats(intervals.at(-1), entry)) {
      const atMs = this.#time(entry.associateTime);
      intervals = this.#open(intervals, atMs, {});
      this.#changes.push({ kind: "participantJoined", participantId, sessionId, atMs });
    } else if (intervals.length === 0) {
      // Only the end is known: the participant was there before its first document came.
      intervals = this.#open(intervals, Math.min(this.#nowMs, this.#time(entry.disassociateTime)), {});
    }
    if (entry.disassociateTime !== undefined && intervals.at(-1)!.untilMs === undefined) {
      const atMs = this.#time(entry.disassociateTime);
      intervals = closeLast(intervals, atMs);
      this.#changes.push({ kind: "participantLeft", participantId, sessionId, atMs });
    }
    const params = orKept(entry.params, old?.params);
    this.#participations.set(key, { participantId, sessionId, params, intervals });
    const left = intervals.at(-1)!.untilMs;
    if (left !== undefined) this.#endRoles(participantKey, this.#key(sessionId), left, false);
  }

  /** A document that repeats the times of an interval already closed does not open another. */
  #repeats(last: Interval | undefined, entry: { readonly associateTime?: string }): boolean {
    if (last?.untilMs === undefined || entry.associateTime === undefined) return false;
    return this.#time(entry.associateTime, last.fromMs) < last.untilMs;
  }

  /** Replaces both sets, in partial documents too: merging is the classic mistake (RFC 7865 §6.8). */
  #roles(entry: ParticipantStreamAssociation): void {
    const key = this.#key(entry.participantId);
    let participant = this.#participants.get(key);
    if (participant === undefined) {
      if (this.#isFull(this.#participants)) return;
      // Referred to before it is declared: kept with what is known.
      participant = {
        participantId: entry.participantId,
        nameIds: [],
        roles: [],
        openedAtMs: this.#nowMs,
        closedAtMs: undefined,
        extensions: [],
      };
    }
    this.#named.add(`participant ${key}`);
    this.#named.add(`roles ${key}`);
    const ended = entry.disassociateTime !== undefined;
    const isLive = (id: string): boolean => {
      const sessionId = this.#streams.get(this.#key(id))?.sessionId;
      return sessionId === undefined || !this.#over.has(this.#key(sessionId));
    };
    const send = ended ? [] : entry.send.filter(isLive);
    const recv = ended ? [] : entry.recv.filter(isLive);
    this.#participants.set(key, participant);
    const last = participant.roles.at(-1);
    const current = last !== undefined && last.untilMs === undefined ? last : undefined;
    if (sameIds(current?.send ?? [], send) && sameIds(current?.recv ?? [], recv)) return;
    const atMs = ended ? this.#time(entry.disassociateTime) : this.#roleStart(entry, last);
    this.#setRoles(key, send, recv, atMs);
  }

  /** Senders often repeat the first associate-time in every update: a change cannot be older than what it ends. */
  #roleStart(entry: ParticipantStreamAssociation, last: Interval | undefined): number {
    const atMs = this.#time(entry.associateTime);
    if (last === undefined) return atMs;
    const isOlder = last.untilMs === undefined ? atMs <= last.fromMs : atMs < last.untilMs;
    return isOlder ? this.#nowMs : atMs;
  }

  #setRoles(key: string, send: readonly string[], recv: readonly string[], atMs: number): void {
    const participant = this.#participants.get(key)!;
    const closed = closeLast(participant.roles, atMs);
    const roles = send.length === 0 && recv.length === 0 ? closed : this.#open(closed, atMs, { send, recv });
    this.#participants.set(key, { ...participant, roles });
    this.#changes.push({ kind: "rolesChanged", participantId: participant.participantId, send, recv, atMs });
  }

  /**
   * Leaving a session ends the participant's part in its streams, mentioned or not (RFC 7865 §6.6). A stream that
   * names no session counts as this one's, unless the participant is in another one.
   */
  #endRoles(participantKey: string, sessionKey: string, atMs: number, sessionEnded: boolean): void {
    const mentioned = this.#named.has(`roles ${participantKey}`);
    if (mentioned && !sessionEnded) return;
    const last = this.#participants.get(participantKey)?.roles.at(-1);
    if (last === undefined || last.untilMs !== undefined) return;
    const keepsUnassigned = mentioned || this.#isInAnother(participantKey, sessionKey);
    const stays = (id: string): boolean => {
      const session = this.#streams.get(this.#key(id))?.sessionId;
      return session === undefined ? keepsUnassigned : this.#key(session) !== sessionKey;
    };
    const send = last.send.filter(stays);
    const recv = last.recv.filter(stays);
    if (send.length === last.send.length && recv.length === last.recv.length) return;
    this.#setRoles(participantKey, send, recv, atMs);
  }

  #isInAnother(participantKey: string, sessionKey: string): boolean {
    for (const [key, entry] of this.#participations) {
      if (!key.startsWith(`${participantKey} `) || !isOpen(entry.intervals)) continue;
      if (this.#key(entry.sessionId) !== sessionKey) return true;
    }
    return false;
  }

  #stopSession(session: CommunicationSession): void {
    if (session.stopTime === undefined) return;
    const key = this.#key(session.sessionId);
    if (this.#sessions.has(key)) this.#closeSession(key, this.#time(session.stopTime));
  }

  #closeSession(key: string, atMs: number): void {
    const session = this.#sessions.get(key)!;
    if (session.closedAtMs !== undefined) return;
    this.#sessions.set(key, { ...session, closedAtMs: atMs, recorded: closeLast(session.recorded, atMs) });
    this.#changes.push({ kind: "sessionClosed", sessionId: session.sessionId, atMs });
    for (const [id, entry] of this.#participations) {
      if (this.#key(entry.sessionId) === key) this.#leave(id, entry, atMs, true);
    }
    for (const [id, stream] of this.#streams) {
      if (stream.sessionId !== undefined && this.#key(stream.sessionId) === key) this.#closeStream(id, atMs);
    }
  }

  #leave(key: string, entry: ParticipationState, atMs: number, sessionEnded: boolean): void {
    const last = entry.intervals.at(-1);
    if (last === undefined || last.untilMs !== undefined) return;
    this.#participations.set(key, { ...entry, intervals: closeLast(entry.intervals, atMs) });
    const { participantId, sessionId } = entry;
    this.#changes.push({ kind: "participantLeft", participantId, sessionId, atMs });
    this.#endRoles(this.#key(participantId), this.#key(sessionId), atMs, sessionEnded);
  }

  #closeStream(key: string, atMs: number): void {
    const stream = this.#streams.get(key)!;
    if (stream.closedAtMs !== undefined) return;
    this.#streams.set(key, { ...stream, closedAtMs: atMs });
    this.#changes.push({ kind: "streamClosed", streamId: stream.streamId, atMs });
  }

  /** What a complete document no longer has is over since its arrival (RFC 7865 §5). */
  #closeUnnamed(metadata: RecordingMetadata): void {
    const atMs = this.#nowMs;
    // A sender that writes no such associations at all does not say with it that everybody left.
    const listsParticipations = metadata.participantSessionAssociations.length > 0;
    for (const [key, entry] of this.#participations) {
      const mayStay =
        !listsParticipations &&
        this.#named.has(`participant ${this.#key(entry.participantId)}`) &&
        this.#named.has(`session ${this.#key(entry.sessionId)}`);
      if (!mayStay && !this.#named.has(`participation ${key}`)) this.#leave(key, entry, atMs, false);
    }
    for (const key of this.#sessions.keys()) {
      if (!this.#named.has(`session ${key}`)) this.#closeSession(key, atMs);
    }
    for (const key of this.#streams.keys()) {
      if (!this.#named.has(`stream ${key}`)) this.#closeStream(key, atMs);
    }
    for (const [key, participant] of this.#participants) {
      if (this.#named.has(`participant ${key}`) || participant.closedAtMs !== undefined) {
        if (!this.#named.has(`roles ${key}`) && isOpen(participant.roles)) this.#setRoles(key, [], [], atMs);
        continue;
      }
      if (isOpen(participant.roles)) this.#setRoles(key, [], [], atMs);
      this.#participants.set(key, { ...this.#participants.get(key)!, closedAtMs: atMs });
      this.#changes.push({ kind: "participantClosed", participantId: participant.participantId, atMs });
    }
    for (const [key, group] of this.#groups) {
      if (this.#named.has(`group ${key}`) || group.closedAtMs !== undefined) continue;
      this.#groups.set(key, { ...group, closedAtMs: atMs });
      this.#changes.push({ kind: "groupClosed", groupId: group.groupId, atMs });
    }
  }

  /** The key of an id for an object of that kind, or nothing where the id is another kind's or there is no room. */
  #claim(map: ReadonlyMap<string, unknown>, id: string, kind: ObjectKind): string | undefined {
    const key = this.#key(id);
    const others: [ObjectKind, ReadonlyMap<string, unknown>][] = [
      ["group", this.#groups],
      ["session", this.#sessions],
      ["participant", this.#participants],
      ["stream", this.#streams],
    ];
    const taken = others.find(([other, objects]) => other !== kind && objects.has(key));
    if (taken !== undefined && isUuidObjectId(id)) {
      this.#warn("METADATA_DUPLICATE_ID", `${id} is a ${taken[0]} and cannot be a ${kind} too`);
      return undefined;
    }
    if (!map.has(key) && this.#isFull(map)) return undefined;
    this.#named.add(`${kind} ${key}`);
    return key;
  }

  #isFull(map: ReadonlyMap<string, unknown>): boolean {
    if (map.size < this.#maxObjects) return false;
    this.#warn("METADATA_STATE_FULL", `more than ${this.#maxObjects} objects of one kind`);
    return true;
  }

  #open<T extends Interval, R extends Omit<T, keyof Interval>>(
    intervals: readonly T[],
    fromMs: number,
    rest: R,
  ): readonly T[] {
    const next = [...intervals, { ...rest, fromMs, untilMs: undefined } as unknown as T];
    if (next.length <= this.#maxIntervals) return next;
    this.#warn("METADATA_STATE_FULL", `more than ${this.#maxIntervals} intervals; the oldest were let go`);
    return next.slice(-this.#maxIntervals);
  }

  /** The time a document gave, or `fallbackMs` (its arrival) where it gave none or one that cannot be. */
  #time(text: string | undefined, fallbackMs: number = this.#nowMs): number {
    const parsed = text === undefined ? undefined : parseMetadataTime(text);
    if (parsed === undefined) return fallbackMs;
    const atMs = parsed.zoned ? parsed.epochMs : parsed.epochMs - this.#zoneOffsetMs;
    if (atMs < this.#nowMs - TEN_YEARS_MS || atMs > this.#nowMs + ONE_DAY_MS) {
      this.#warn("METADATA_IMPLAUSIBLE_TIME", `${text} cannot be true; the time of arrival stands in`);
      return fallbackMs;
    }
    return atMs;
  }

  /** How many ids the associations and references of a document name, and which of them nobody has declared. */
  #references(metadata: RecordingMetadata): { references: number; pending: string[] } {
    const declared = new Set(metadata.participants.map(({ participantId }) => this.#key(participantId)));
    const isDeclared = {
      group: (key: string) => this.#groups.has(key),
      session: (key: string) => this.#sessions.has(key),
      participant: (key: string) => declared.has(key) || this.#before.participants.has(key),
      stream: (key: string) => this.#streams.has(key),
    };
    const seen = new Set<string>();
    const pending: string[] = [];
    for (const [kind, id] of referencesOf(metadata)) {
      const key = this.#key(id);
      if (seen.has(key)) continue;
      seen.add(key);
      if (!isDeclared[kind](key)) pending.push(id);
    }
    return { references: seen.size, pending };
  }

  /** `objectIdKey`, remembered: one document asks for the same ids again and again. */
  #key(id: string): string {
    let key = this.#keys.get(id);
    if (key === undefined) {
      key = objectIdKey(id);
      this.#keys.set(id, key);
    }
    return key;
  }

  #warn(code: StateWarning["code"], message: string): void {
    // One of a kind is enough: each names an example.
    if (!this.#warnings.has(code)) this.#warnings.set(code, { code, message });
  }
}

const ONE_DAY_MS = 86_400_000;
const TEN_YEARS_MS = 3_653 * ONE_DAY_MS;
