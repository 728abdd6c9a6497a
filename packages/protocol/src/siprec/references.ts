import type { RecordingMetadata } from "./model.ts";

export type ObjectKind = "group" | "session" | "participant" | "stream";

/** Every id a document refers to without declaring it in that place, with the kind of object it must be. */
export function* referencesOf(metadata: RecordingMetadata): Generator<readonly [ObjectKind, string]> {
  for (const { groupRef } of metadata.sessions) if (groupRef !== undefined) yield ["group", groupRef];
  for (const { sessionId } of metadata.streams) if (sessionId !== undefined) yield ["session", sessionId];
  for (const { sessionId } of metadata.sessionRecordingAssociations) yield ["session", sessionId];
  for (const { participantId, sessionId } of metadata.participantSessionAssociations) {
    yield ["participant", participantId];
    yield ["session", sessionId];
  }
  for (const { participantId, send, recv } of metadata.participantStreamAssociations) {
    yield ["participant", participantId];
    for (const streamId of send) yield ["stream", streamId];
    for (const streamId of recv) yield ["stream", streamId];
  }
}
