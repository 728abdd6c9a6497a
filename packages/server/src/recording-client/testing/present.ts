import type { MetadataState } from "@callfork/protocol/siprec";

/** What is true now, without its history. */
export function present(state: MetadataState): object {
  const open = (list: readonly { untilMs: number | undefined }[]) => list.at(-1)?.untilMs === undefined;
  const here = [...state.participations.values()].filter(({ intervals }) => open(intervals));
  return {
    sessions: [...state.sessions.values()].map((session) => ({
      id: session.sessionId,
      sipSessionIds: session.sipSessionIds,
      groupRef: session.groupRef,
      startedAtMs: session.startedAtMs,
      isOver: session.closedAtMs !== undefined,
      isRecorded: open(session.recorded),
      extensions: session.extensions,
    })),
    participants: here
      .map(({ participantId, sessionId }) => {
        const known = [...state.participants.values()].find((each) => each.participantId === participantId)!;
        const roles = known.roles.filter(({ untilMs }) => untilMs === undefined);
        return {
          participantId,
          sessionId,
          nameIds: known.nameIds,
          roles: roles.map(({ send, recv }) => ({ send, recv })),
        };
      })
      .sort((a, b) => (a.participantId < b.participantId ? -1 : 1)),
    streams: [...state.streams.values()].map(({ streamId, sessionId, label }) => [
      streamId,
      sessionId,
      label,
    ]),
  };
}
