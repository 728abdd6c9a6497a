import { parseReason } from "@callfork/protocol/sip";
import {
  EMPTY_METADATA,
  type ExtensionParameter,
  formatMetadataTime,
  type Participant,
  type ParticipantStreamAssociation,
  parametersExtension,
  type RecordingMetadata,
  type SessionReason,
} from "@callfork/protocol/siprec";
import type { CallParty, CallTap } from "../calls/index.ts";
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
  /** Of the party's leg as seen from us: whether it speaks, and whether it hears. */
  readonly direction: ReturnType<CallTap["direction"]>;
  readonly sipSessionId: string | undefined;
  /** When the call was answered, or came in. */
  readonly callStart: number;
  /** When this fork was asked for. */
  readonly forkStart: number;
  /** Nothing is recorded for now, by order. */
  readonly isPaused: boolean;
  /** Of the session; those without parameters are left out. */
  readonly extensions: readonly ExtensionElement[];
  readonly now: number;
}

/** Names and values that go into the session as `<ExtensionParameters>`. */
export interface ExtensionElement {
  readonly namespace: string;
  readonly parameters: readonly ExtensionParameter[];
}

/**
 * The complete document (RFC 7866 §9.1): one group with one communication session, two participants, a stream a track,
 * and who speaks on which: the party of the leg is the sender of "inbound" and hears "outbound", its counterpart the
 * other way round. A hold takes away what is no longer said or heard (RFC 8068 §3.2.2); a pause ends the recording of
 * the session, not the session (RFC 7865 §6.4).
 *
 * @param before - the document of the moment before: what has not changed since keeps its time
 */
export function recordingMetadata(input: MetadataInput, before?: RecordingMetadata): RecordingMetadata {
  const { identity, labels, now } = input;
  const { sessionId, groupId } = identity;
  const party = identity.participant("party", input.party, input.callStart);
  const counterpart = identity.participant("counterpart", input.counterpart, now);
  const extensions = input.extensions
    .filter(({ parameters }) => parameters.length > 0)
    .map(({ namespace, parameters }) => parametersExtension(namespace, parameters));
  const partySpeaks = input.direction === "sendrecv" || input.direction === "recvonly";
  const partyHears = input.direction === "sendrecv" || input.direction === "sendonly";
  const roles = [
    streamsOf(input, party, partySpeaks ? "inbound" : undefined, partyHears ? "outbound" : undefined),
    streamsOf(input, counterpart, partyHears ? "outbound" : undefined, partySpeaks ? "inbound" : undefined),
  ];
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
    sessionRecordingAssociations: [{ sessionId, ...recordedTimes(input, before), extensions: [] }],
    participantSessionAssociations: [party, counterpart].map(({ id, since }) => ({
      participantId: id,
      sessionId,
      associateTime:
        before?.participantSessionAssociations.find(({ participantId }) => participantId === id)
          ?.associateTime ?? formatMetadataTime(before === undefined ? since : now),
      params: [],
      extensions: [],
    })),
    participantStreamAssociations: roles.map((role) => {
      const same = before?.participantStreamAssociations.find((each) => hasSameRoles(each, role));
      if (same !== undefined) return same;
      return before === undefined ? role : { ...role, associateTime: formatMetadataTime(now) };
    }),
  };
}

function participantOf({ id }: KnownParticipant, { aor, displayName }: CallParty): Participant {
  const name = displayName?.trim();
  return { participantId: id, nameIds: [{ aor, ...(name && { name }) }], extensions: [] };
}

function streamsOf(
  { identity, labels, forkStart }: MetadataInput,
  participant: KnownParticipant,
  sends: TrackLabel | undefined,
  hears: TrackLabel | undefined,
): ParticipantStreamAssociation {
  const ids = (label: TrackLabel | undefined) =>
    label !== undefined && labels.includes(label) ? [identity.streamId(label)] : [];
  return {
    participantId: participant.id,
    send: ids(sends),
    recv: ids(hears),
    associateTime: formatMetadataTime(Math.max(forkStart, participant.since)),
    extensions: [],
  };
}

/** Since when the session has been recorded; while it is paused, also when that ended. */
function recordedTimes({ forkStart, isPaused, now }: MetadataInput, before: RecordingMetadata | undefined) {
  const last = before?.sessionRecordingAssociations[0];
  const wasPaused = last?.disassociateTime !== undefined;
  const began = formatMetadataTime(wasPaused && !isPaused ? now : forkStart);
  const associateTime = wasPaused && !isPaused ? began : (last?.associateTime ?? began);
  if (!isPaused) return { associateTime };
  return { associateTime, disassociateTime: last?.disassociateTime ?? formatMetadataTime(now) };
}

const MAXIMUM_REASONS = 8;

/** Reason header fields as the session has them (RFC 7865 §6.3); those without a cause have nothing to say there. */
export function sessionReasons(values: readonly string[]): readonly SessionReason[] {
  return values.slice(0, MAXIMUM_REASONS).flatMap((value) => {
    const reason = parseReason(value);
    if (!reason.ok) return [];
    const { protocol, cause, text = "" } = reason.value;
    // `cause` is an xs:short.
    return cause === undefined || cause > 32_767 ? [] : [{ protocol, cause, text }];
  });
}

/** Of the same participant, sending and receiving the same. */
export function hasSameRoles(a: ParticipantStreamAssociation, b: ParticipantStreamAssociation): boolean {
  const list = ({ participantId, send, recv }: ParticipantStreamAssociation) =>
    `${participantId} ${send.join()} ${recv.join()}`;
  return list(a) === list(b);
}
