import { EMPTY_METADATA, formatMetadataTime, type RecordingMetadata } from "@callfork/protocol/siprec";

/**
 * The last words of a recording session, a partial document for its BYE. RFC 7866 §9.1 does not name BYE among the
 * carriers of metadata and RFC 8068 §3.2.4 shows it there; an UPDATE first would only hold the end up, and a recorder
 * that does not read the body has lost nothing but the times.
 *
 * @param told - what the recorder was told last
 * @param at - epoch milliseconds
 * @param isCallOver - `false` when only the fork ends: then the session goes on, with its participants, unrecorded
 */
export function finalMetadata(told: RecordingMetadata, at: number, isCallOver: boolean): RecordingMetadata {
  const disassociateTime = formatMetadataTime(at);
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
          reasons: [],
          stopTime: disassociateTime,
          extensions: [],
        }))
      : [],
    sessionRecordingAssociations: told.sessionRecordingAssociations.map(({ sessionId }) => ({
      sessionId,
      disassociateTime,
      extensions: [],
    })),
    participantSessionAssociations: isCallOver
      ? told.participantSessionAssociations.map(({ participantId, sessionId }) => ({
          participantId,
          sessionId,
          disassociateTime,
          params: [],
          extensions: [],
        }))
      : [],
    participantStreamAssociations: told.participantStreamAssociations.map(
      ({ participantId, send, recv }) => ({
        participantId,
        send,
        recv,
        disassociateTime,
        extensions: [],
      }),
    ),
  };
}
