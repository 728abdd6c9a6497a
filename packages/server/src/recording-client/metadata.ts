import {
  EMPTY_METADATA,
  type ExtensionParameter,
  formatMetadataTime,
  type Participant,
  type ParticipantStreamAssociation,
  parametersExtension,
  type RecordingMetadata,
} from "@callfork/protocol/siprec";
import type { CallParty } from "../calls/index.ts";
import type { CallIdentity, KnownParticipant } from "./call-identity.ts";
import type { TrackLabel } from "./tracks.ts";

/** What a recorder is told of a call. Times: epoch milliseconds. */
export interface MetadataInput {
  readonly identity: CallIdentity;
  readonly labels: readonly TrackLabel[];
  /** Heard on "inbound". */
  readonly party: CallParty;
  /** Heard on "outbound". */
  readonly counterpart: CallParty;
  readonly sipSessionId: string | undefined;
  /** When the call was answered, or came in. */
  readonly callStart: number;
  /** When this fork was asked for. */
  readonly forkStart: number;
  readonly parameters: readonly ExtensionParameter[];
  readonly extensionNamespace: string;
  readonly now: number;
}

/**
 * The complete document (RFC 7866 §9.1): one group with one communication session, two participants, a stream a track,
 * and who speaks on which: the party of the leg is the sender of "inbound" and hears "outbound", its counterpart the
 * other way round.
 */
export function recordingMetadata(input: MetadataInput): RecordingMetadata {
  const { identity, labels, now } = input;
  const { sessionId, groupId } = identity;
  const party = identity.participant("party", input.party, input.callStart);
  const counterpart = identity.participant("counterpart", input.counterpart, now);
  const associateTime = formatMetadataTime(input.forkStart);
  const extensions =
    input.parameters.length === 0 ? [] : [parametersExtension(input.extensionNamespace, input.parameters)];
  return {
    ...EMPTY_METADATA,
    dataMode: "complete",
    groups: [{ groupId, associateTime: formatMetadataTime(identity.since), extensions: [] }],
    sessions: [
      {
        sessionId,
        sipSessionIds: input.sipSessionId === undefined ? [] : [input.sipSessionId],
        reasons: [],
        groupRef: groupId,
        startTime: formatMetadataTime(input.callStart),
        extensions,
      },
    ],
    participants: [participantOf(party, input.party), participantOf(counterpart, input.counterpart)],
    streams: labels.map((label) => ({
      streamId: identity.streamId(label),
      sessionId,
      label,
      extensions: [],
    })),
    sessionRecordingAssociations: [{ sessionId, associateTime, extensions: [] }],
    participantSessionAssociations: [party, counterpart].map(({ id, since }) => ({
      participantId: id,
      sessionId,
      associateTime: formatMetadataTime(since),
      params: [],
      extensions: [],
    })),
    participantStreamAssociations: [
      streamsOf(input, party, "inbound", "outbound"),
      streamsOf(input, counterpart, "outbound", "inbound"),
    ],
  };
}

function participantOf({ id }: KnownParticipant, { aor, displayName }: CallParty): Participant {
  const name = displayName?.trim();
  return { participantId: id, nameIds: [{ aor, ...(name && { name }) }], extensions: [] };
}

function streamsOf(
  { identity, labels, forkStart }: MetadataInput,
  participant: KnownParticipant,
  sends: TrackLabel,
  hears: TrackLabel,
): ParticipantStreamAssociation {
  const ids = (label: TrackLabel) => (labels.includes(label) ? [identity.streamId(label)] : []);
  return {
    participantId: participant.id,
    send: ids(sends),
    recv: ids(hears),
    associateTime: formatMetadataTime(Math.max(forkStart, participant.since)),
    extensions: [],
  };
}
