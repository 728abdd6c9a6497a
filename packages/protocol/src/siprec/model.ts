/**
 * The recording metadata model of RFC 7865 §6, one document's worth of it.
 *
 * Ids are text as it stood (white space around it removed); compare them with `objectIdKey`. Times are text as
 * it stood; read them with `parseMetadataTime`, make them with `formatMetadataTime`. In a partial document an
 * absent member or an empty list means "not mentioned" (RFC 7865 §5), except in `ParticipantStreamAssociation`.
 */
export interface RecordingMetadata {
  readonly dataMode: "complete" | "partial";
  readonly groups: readonly CommunicationSessionGroup[];
  readonly sessions: readonly CommunicationSession[];
  readonly participants: readonly Participant[];
  readonly streams: readonly MediaStream[];
  readonly sessionRecordingAssociations: readonly SessionRecordingAssociation[];
  readonly participantSessionAssociations: readonly ParticipantSessionAssociation[];
  readonly participantStreamAssociations: readonly ParticipantStreamAssociation[];
  readonly extensions: readonly MetadataExtension[];
}

/** RFC 7865 §6.2. */
export interface CommunicationSessionGroup {
  readonly groupId: string;
  readonly associateTime?: string;
  readonly disassociateTime?: string;
  readonly extensions: readonly MetadataExtension[];
}

/** RFC 7865 §6.3: the call being recorded. */
export interface CommunicationSession {
  readonly sessionId: string;
  /** Session-ID values (RFC 7989) of the call's dialogs; some senders put a Call-ID here. */
  readonly sipSessionIds: readonly string[];
  readonly reasons: readonly SessionReason[];
  readonly groupRef?: string;
  readonly startTime?: string;
  readonly stopTime?: string;
  readonly extensions: readonly MetadataExtension[];
}

/** Why the call ended or changed, as its Reason header said (RFC 3326). */
export interface SessionReason {
  readonly protocol: string;
  readonly cause: number;
  readonly text: string;
}

/** RFC 7865 §6.5. */
export interface Participant {
  readonly participantId: string;
  readonly nameIds: readonly NameId[];
  readonly extensions: readonly MetadataExtension[];
}

export interface NameId {
  /** Address of record as it stood: a URI, or what the sender had instead; `normalizeAor` makes it searchable. */
  readonly aor: string;
  readonly name?: string;
  /** xml:lang of the name. */
  readonly lang?: string;
}

/** RFC 7865 §6.7. */
export interface MediaStream {
  readonly streamId: string;
  readonly sessionId?: string;
  /** `a=label` of the m-line, within the SIP message that carried the document; compared as text. */
  readonly label?: string;
  /** "separate" or "mixed", from senders of older drafts; never written. */
  readonly mode?: string;
  readonly extensions: readonly MetadataExtension[];
}

/** RFC 7865 §6.4; the recording session is the dialog that carried the document. */
export interface SessionRecordingAssociation {
  readonly sessionId: string;
  readonly associateTime?: string;
  readonly disassociateTime?: string;
  readonly extensions: readonly MetadataExtension[];
}

/** RFC 7865 §6.6. */
export interface ParticipantSessionAssociation {
  readonly participantId: string;
  readonly sessionId: string;
  readonly associateTime?: string;
  readonly disassociateTime?: string;
  /** Contact capabilities such as `isfocus` (RFC 4235). */
  readonly params: readonly AssociationParam[];
  readonly extensions: readonly MetadataExtension[];
}

export interface AssociationParam {
  readonly name: string;
  readonly value: string;
}

/** RFC 7865 §6.8. Both lists replace what was said before, in partial documents too: empty means none. */
export interface ParticipantStreamAssociation {
  readonly participantId: string;
  /** Stream ids the participant contributes to. */
  readonly send: readonly string[];
  /** Stream ids the participant receives. */
  readonly recv: readonly string[];
  readonly associateTime?: string;
  readonly disassociateTime?: string;
  readonly extensions: readonly MetadataExtension[];
}

/** An element the model does not know, kept with the object it stood in (RFC 7865 §9, `xs:any`). */
export interface MetadataExtension {
  readonly namespace: string;
  /** Local name of the element. */
  readonly name: string;
  /** The element as XML text that stands by itself. */
  readonly xml: string;
  /** Names and values found in it: `Parameter` elements, or child elements that hold only text. */
  readonly parameters: readonly ExtensionParameter[];
}

export interface ExtensionParameter {
  readonly name: string;
  readonly value: string;
}

/** A document that says nothing yet, to build on. */
export const EMPTY_METADATA: RecordingMetadata = {
  dataMode: "complete",
  groups: [],
  sessions: [],
  participants: [],
  streams: [],
  sessionRecordingAssociations: [],
  participantSessionAssociations: [],
  participantStreamAssociations: [],
  extensions: [],
};
