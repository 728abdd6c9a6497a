import {
  type CommunicationSession,
  EMPTY_METADATA,
  formatMetadataTime,
  type Participant,
  parseMetadataTime,
  type RecordingMetadata,
  type SessionReason,
} from "@callfork/protocol/siprec";
import { hasSameRoles } from "./metadata.ts";

/**
 * What has changed between two complete documents, as the document that brings a recorder from the first to the
 * second: partial (RFC 7865 §5); complete where a partial one has no words for it, such as a stream that is gone;
 * `undefined` when nothing has changed.
 *
 * @param told - what the recorder has accepted
 * @param at - epoch milliseconds: when what is gone went
 */
export function changesSince(
  told: RecordingMetadata,
  now: RecordingMetadata,
  at: number,
): RecordingMetadata | undefined {
  if (!isPartialEnough(told, now)) return now;
  const disassociateTime = formatMetadataTime(at);
  const partial: RecordingMetadata = {
    ...EMPTY_METADATA,
    dataMode: "partial",
    groups: now.groups.filter((group) => !told.groups.some(({ groupId }) => groupId === group.groupId)),
    sessions: now.sessions.flatMap((session) =>
      sessionChanges(
        told.sessions.find(({ sessionId }) => sessionId === session.sessionId),
        session,
      ),
    ),
    participants: now.participants.filter((participant) => {
      const before = told.participants.find(
        ({ participantId }) => participantId === participant.participantId,
      );
      return before === undefined || namesOf(before) !== namesOf(participant);
    }),
    streams: now.streams.filter(
      (stream) =>
        !told.streams.some(
          ({ streamId, sessionId, label }) =>
            streamId === stream.streamId && sessionId === stream.sessionId && label === stream.label,
        ),
    ),
    sessionRecordingAssociations: now.sessionRecordingAssociations.flatMap((entry) => {
      const before = told.sessionRecordingAssociations.find(({ sessionId }) => sessionId === entry.sessionId);
      const isNew = before?.associateTime !== entry.associateTime;
      if (!isNew && before?.disassociateTime === entry.disassociateTime) return [];
      if (isNew) return [entry];
      const { associateTime: _, ...end } = entry;
      return [end];
    }),
    participantSessionAssociations: [
      ...told.participantSessionAssociations
        .filter((entry) => !now.participantSessionAssociations.some((each) => isSamePart(each, entry)))
        .map(({ participantId, sessionId }) => ({
          participantId,
          sessionId,
          disassociateTime,
          params: [],
          extensions: [],
        })),
      ...now.participantSessionAssociations.filter(
        (entry) => !told.participantSessionAssociations.some((each) => isSamePart(each, entry)),
      ),
    ],
    participantStreamAssociations: [
      ...told.participantStreamAssociations
        .filter(({ participantId }) =>
          now.participantStreamAssociations.every((each) => each.participantId !== participantId),
        )
        // Both sets empty: nothing is sent or heard by that participant any more (RFC 7865 §6.8).
        .map(({ participantId }) => ({
          participantId,
          send: [],
          recv: [],
          disassociateTime,
          extensions: [],
        })),
      ...now.participantStreamAssociations.filter(
        (entry) => !told.participantStreamAssociations.some((each) => hasSameRoles(each, entry)),
      ),
    ],
  };
  return isEmpty(partial) ? undefined : partial;
}

/** A participant that came this short before the end, untold, is not worth two lines: bridges part before calls end. */
const TOO_SHORT_MS = 250;

/**
 * The last words of a recording session, a partial document for its BYE. RFC 7866 §9.1 does not name BYE among the
 * carriers of metadata and RFC 8068 §3.2.4 shows it there; an UPDATE first would only hold the end up, and a recorder
 * that does not read the body has lost nothing but the times.
 *
 * @param told - what the recorder has accepted
 * @param now - what there would be to tell; what was not told yet goes along
 * @param at - epoch milliseconds
 * @param isCallOver - `false` when only the fork ends: then the session goes on, with its participants, unrecorded
 * @param reasons - why the call is over (RFC 7865 §6.3)
 */
export function finalMetadata(
  told: RecordingMetadata,
  now: RecordingMetadata,
  at: number,
  isCallOver: boolean,
  reasons: readonly SessionReason[] = [],
): RecordingMetadata {
  const disassociateTime = formatMetadataTime(at);
  const untold = changesSince(told, worthTelling(told, now, at), at);
  const pending = untold?.dataMode === "partial" ? untold : EMPTY_METADATA;
  const parts = [
    ...told.participantSessionAssociations.map(({ associateTime: _, ...entry }) => entry),
    ...pending.participantSessionAssociations.filter((entry) => entry.disassociateTime === undefined),
  ];
  const roles = [...told.participantStreamAssociations, ...pending.participantStreamAssociations];
  const participantsOfRoles = [...new Set(roles.map(({ participantId }) => participantId))];
  return {
    ...EMPTY_METADATA,
    dataMode: "partial",
    groups: isCallOver
      ? told.groups.map(({ groupId }) => ({ groupId, disassociateTime, extensions: [] }))
      : [],
    sessions: isCallOver
      ? told.sessions.map(({ sessionId }) => ({
          sessionId,
          sipSessionIds: [],
          ...pending.sessions.find((session) => session.sessionId === sessionId),
          reasons,
          stopTime: disassociateTime,
          extensions: [],
        }))
      : pending.sessions,
    participants: pending.participants,
    sessionRecordingAssociations: told.sessionRecordingAssociations
      .filter((entry) => entry.disassociateTime === undefined)
      .map(({ sessionId }) => ({ sessionId, disassociateTime, extensions: [] })),
    participantSessionAssociations: isCallOver
      ? parts.map((entry) => ({ ...entry, disassociateTime }))
      : pending.participantSessionAssociations,
    participantStreamAssociations: participantsOfRoles.map((participantId) => {
      const { send, recv } = roles.findLast((each) => each.participantId === participantId)!;
      return { participantId, send, recv, disassociateTime, extensions: [] };
    }),
  };
}

/** `now` without the participants that `told` does not have and that have hardly come. */
function worthTelling(told: RecordingMetadata, now: RecordingMetadata, at: number): RecordingMetadata {
  const isNew = (id: string) => told.participants.every(({ participantId }) => participantId !== id);
  const recent = now.participantSessionAssociations.filter(({ participantId, associateTime }) => {
    const since = associateTime === undefined ? undefined : parseMetadataTime(associateTime);
    return isNew(participantId) && since !== undefined && at - since.epochMs < TOO_SHORT_MS;
  });
  if (recent.length === 0) return now;
  return told;
}

/** A partial document adds and replaces; it has no way to take a stream, or the last of a list, away. */
function isPartialEnough(told: RecordingMetadata, now: RecordingMetadata): boolean {
  const sessions = told.sessions.map((before) => ({
    before,
    after: now.sessions.find(({ sessionId }) => sessionId === before.sessionId),
  }));
  return (
    told.streams.every(({ streamId }) => now.streams.some((stream) => stream.streamId === streamId)) &&
    told.groups.every(({ groupId }) => now.groups.some((group) => group.groupId === groupId)) &&
    sessions.every(
      ({ before, after }) =>
        after !== undefined &&
        (before.sipSessionIds.length === 0 || after.sipSessionIds.length > 0) &&
        (before.extensions.length === 0 || after.extensions.length > 0),
    )
  );
}

/** The kinds of children that differ: each replaces its kind (RFC 7865 §5). */
function sessionChanges(
  before: CommunicationSession | undefined,
  session: CommunicationSession,
): CommunicationSession[] {
  if (before === undefined) return [session];
  const { sessionId } = session;
  const text = (value: unknown) => JSON.stringify(value);
  const isSame = (kind: keyof CommunicationSession) => text(before[kind]) === text(session[kind]);
  const kinds = ["sipSessionIds", "reasons", "groupRef", "startTime", "stopTime", "extensions"] as const;
  if (kinds.every(isSame)) return [];
  return [
    {
      sessionId,
      sipSessionIds: isSame("sipSessionIds") ? [] : session.sipSessionIds,
      reasons: isSame("reasons") ? [] : session.reasons,
      ...(!isSame("groupRef") && session.groupRef !== undefined && { groupRef: session.groupRef }),
      ...(!isSame("startTime") && session.startTime !== undefined && { startTime: session.startTime }),
      ...(!isSame("stopTime") && session.stopTime !== undefined && { stopTime: session.stopTime }),
      extensions: isSame("extensions") ? [] : session.extensions,
    },
  ];
}

const namesOf = ({ nameIds }: Participant): string => JSON.stringify(nameIds);

interface Part {
  readonly participantId: string;
  readonly sessionId: string;
  readonly associateTime?: string;
}

/** The same participant in the same session, without having left it in between. */
const isSamePart = (a: Part, b: Part): boolean =>
  a.participantId === b.participantId && a.sessionId === b.sessionId;

function isEmpty({ dataMode: _, ...lists }: RecordingMetadata): boolean {
  return Object.values(lists).every((list: readonly unknown[]) => list.length === 0);
}
