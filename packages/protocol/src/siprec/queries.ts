import type { MetadataExtension } from "./model.ts";
import { normalizeAor } from "./names.ts";
import { objectIdKey } from "./object-id.ts";
import type { Interval, MetadataState } from "./state.ts";

/** A participant as a list shows it. */
export interface ParticipantSummary {
  readonly participantId: string;
  /** As it stood; empty where the sender gave none. */
  readonly aor: string;
  /** In `sip:` or `tel:` form. */
  readonly normalizedAor: string;
  readonly name: string | undefined;
  readonly current: boolean;
  /** Sessions taken part in, with the times. */
  readonly sessions: readonly { readonly sessionId: string; readonly intervals: readonly Interval[] }[];
}

/** A stream, and who is heard on it. */
export interface StreamSummary {
  readonly streamId: string;
  readonly label: string | undefined;
  readonly sessionId: string | undefined;
  readonly current: boolean;
  /** Participants who contribute now. */
  readonly senders: readonly string[];
  /** Participants who contributed at any time, in the order of their first contribution. */
  readonly everSenders: readonly string[];
  readonly receivers: readonly string[];
}

export interface SessionSummary {
  readonly sessionId: string;
  readonly groupId: string | undefined;
  readonly sipSessionIds: readonly string[];
  readonly startedAtMs: number;
  readonly endedAtMs: number | undefined;
}

/** Every participant so far, in the order they were first named. */
export function participantsOf(state: MetadataState): ParticipantSummary[] {
  const sessions = new Map<string, { sessionId: string; intervals: readonly Interval[] }[]>();
  for (const { participantId, sessionId, intervals } of state.participations.values()) {
    add(sessions, objectIdKey(participantId), { sessionId, intervals });
  }
  return [...state.participants].map(([key, participant]) => {
    const aor = participant.nameIds[0]?.aor ?? "";
    return {
      participantId: participant.participantId,
      aor,
      normalizedAor: normalizeAor(aor),
      name: participant.nameIds.find(({ name }) => name !== undefined)?.name,
      current: participant.closedAtMs === undefined,
      sessions: sessions.get(key) ?? [],
    };
  });
}

/** Every stream so far, in the order they were first named. */
export function streamsOf(state: MetadataState): StreamSummary[] {
  const senders = new Map<string, Set<string>>();
  const everSenders = new Map<string, Set<string>>();
  const receivers = new Map<string, Set<string>>();
  const intervals = [...state.participants.values()]
    .flatMap(({ participantId, roles }) => roles.map((role) => ({ participantId, ...role })))
    .sort((left, right) => left.fromMs - right.fromMs);
  for (const { participantId, send, recv, untilMs } of intervals) {
    for (const key of send.map(objectIdKey)) {
      join(everSenders, key, participantId);
      if (untilMs === undefined) join(senders, key, participantId);
    }
    if (untilMs === undefined) for (const key of recv.map(objectIdKey)) join(receivers, key, participantId);
  }
  return [...state.streams].map(([key, stream]) => ({
    streamId: stream.streamId,
    label: stream.label,
    sessionId: stream.sessionId,
    current: stream.closedAtMs === undefined,
    senders: [...(senders.get(key) ?? [])],
    everSenders: [...(everSenders.get(key) ?? [])],
    receivers: [...(receivers.get(key) ?? [])],
  }));
}

/** Every session so far, with its group. */
export const sessionsOf = (state: MetadataState): SessionSummary[] =>
  [...state.sessions.values()].map((session) => ({
    sessionId: session.sessionId,
    groupId: session.groupRef,
    sipSessionIds: session.sipSessionIds,
    startedAtMs: session.startedAtMs,
    endedAtMs: session.closedAtMs,
  }));

/** Every extension that is held, with its owner. */
export function extensionsOf(
  state: MetadataState,
): { readonly owner: string; readonly ownerId: string | undefined; readonly extension: MetadataExtension }[] {
  const of = (owner: string, ownerId: string | undefined, extensions: readonly MetadataExtension[]) =>
    extensions.map((extension) => ({ owner, ownerId, extension }));
  return [
    ...of("recording", undefined, state.extensions),
    ...[...state.groups.values()].flatMap((entry) => of("group", entry.groupId, entry.extensions)),
    ...[...state.sessions.values()].flatMap((entry) => of("session", entry.sessionId, entry.extensions)),
    ...[...state.participants.values()].flatMap((entry) =>
      of("participant", entry.participantId, entry.extensions),
    ),
    ...[...state.streams.values()].flatMap((entry) => of("stream", entry.streamId, entry.extensions)),
  ];
}

function add<T>(map: Map<string, T[]>, key: string, value: T): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}

function join(map: Map<string, Set<string>>, key: string, value: string): void {
  const set = map.get(key);
  if (set === undefined) map.set(key, new Set([value]));
  else set.add(value);
}
