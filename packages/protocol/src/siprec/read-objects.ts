import { childElements, type XmlElement } from "../text/index.ts";
import { childText, type ElementReading, keyOf } from "./element-reading.ts";
import { toExtension } from "./extensions.ts";
import type {
  CommunicationSession,
  CommunicationSessionGroup,
  MediaStream,
  MetadataExtension,
  NameId,
  Participant,
  ParticipantSessionAssociation,
  ParticipantStreamAssociation,
  RecordingMetadata,
  SessionRecordingAssociation,
} from "./model.ts";
import { type Extensible, ObjectChildren, readNameIds, readReason } from "./object-children.ts";
import { objectIdKey } from "./object-id.ts";

/** What is collected while the document is walked; lists are frozen by type when it is handed out. */
interface Collected {
  dataMode: "complete" | "partial";
  readonly groups: (CommunicationSessionGroup & Extensible)[];
  readonly sessions: (CommunicationSession & Extensible)[];
  readonly participants: (Participant & Extensible)[];
  readonly streams: (MediaStream & Extensible)[];
  readonly sessionRecordingAssociations: SessionRecordingAssociation[];
  readonly participantSessionAssociations: ParticipantSessionAssociation[];
  readonly participantStreamAssociations: ParticipantStreamAssociation[];
  /** With the object that `parent=` names, where it does. */
  readonly extensions: { readonly extension: MetadataExtension; readonly parent: string | undefined }[];
}

/** Maps the children of the root to the model; their order does not matter (RFC 7865 §6.1). */
export function readObjects(root: XmlElement, reading: ElementReading): RecordingMetadata {
  const collected: Collected = {
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
  for (const child of childElements(root)) readChild(child, collected, reading);
  return { ...collected, extensions: handToOwners(collected) };
}

/** @param sessionId - the session the element stands in, where a sender nests them */
type ObjectReader = (
  element: XmlElement,
  into: Collected,
  reading: ElementReading,
  sessionId?: string,
) => void;

const OBJECTS: Readonly<Record<string, ObjectReader | undefined>> = Object.assign(Object.create(null), {
  datamode: readDataMode,
  group: readGroup,
  session: readSession,
  participant: readParticipant,
  stream: readStream,
  sessionrecordingassoc: readSessionRecordingAssociation,
  participantsessionassoc: readParticipantSessionAssociation,
  participantstreamassoc: readParticipantStreamAssociation,
  recording: readInnerRecording,
} satisfies Record<string, ObjectReader>);

function readChild(element: XmlElement, into: Collected, reading: ElementReading, sessionId?: string): void {
  const read = reading.isModel(element) ? OBJECTS[keyOf(element)] : undefined;
  if (read !== undefined) {
    read(element, into, reading, sessionId);
    return;
  }
  const parent = element.attributes.find(({ name }) => name === "parent")?.value.trim();
  into.extensions.push({ extension: toExtension(element), parent });
}

function readDataMode(element: XmlElement, into: Collected, reading: ElementReading): void {
  const value = childText(element).toLowerCase();
  if (value === "complete" || value === "partial") into.dataMode = value;
  else
    reading.warn(
      "METADATA_BAD_DATAMODE",
      "the data mode is neither complete nor partial; complete is assumed",
    );
}

function readGroup(element: XmlElement, into: Collected, reading: ElementReading): void {
  const children = new ObjectChildren(element, reading);
  into.groups.push({
    groupId: reading.objectId(element, "group_id", "id", "group"),
    ...children.times(),
    extensions: children.rest(),
  });
}

function readSession(element: XmlElement, into: Collected, reading: ElementReading): void {
  const children = new ObjectChildren(element, reading);
  const sessionId = reading.objectId(element, "session_id", "id", "session");
  const groupRef = children.text("groupref") ?? reading.reference(element, "group-ref", "group_id", "group");
  const startTime = children.time("starttime");
  const stopTime = children.time("stoptime");
  const associated = children.times();
  for (const nested of children.take("participant")) readParticipant(nested, into, reading, sessionId);
  for (const nested of children.take("stream")) readStream(nested, into, reading, sessionId);
  into.sessions.push({
    sessionId,
    // A folded value is one value: white space round its ";" carries nothing (RFC 7989 §5).
    sipSessionIds: children.take("sipsessionid").map((id) => childText(id).replace(/\s*;\s*/g, ";")),
    reasons: children.take("reason").map((reason) => readReason(reason, reading)),
    ...(groupRef === undefined ? {} : { groupRef }),
    ...(startTime === undefined ? {} : { startTime }),
    ...(stopTime === undefined ? {} : { stopTime }),
    extensions: children.rest(),
  });
  if (associated.associateTime !== undefined || associated.disassociateTime !== undefined) {
    into.sessionRecordingAssociations.push({ sessionId, ...associated, extensions: [] });
  }
}

function readParticipant(
  element: XmlElement,
  into: Collected,
  reading: ElementReading,
  nestedIn?: string,
): void {
  const children = new ObjectChildren(element, reading);
  const participantId = reading.objectId(element, "participant_id", "id");
  const sessionId = reading.reference(element, "session_id", "session") ?? nestedIn;
  const nameIds: NameId[] = readNameIds(children, reading);
  const send = children.streams("send");
  const recv = children.streams("recv");
  const times = children.times();
  const nested = children.take("participantsessionassoc");
  into.participants.push({ participantId, nameIds, extensions: children.rest() });
  // The first drafts had no association elements: what they nested says the same.
  if (sessionId !== undefined) {
    into.participantSessionAssociations.push({
      participantId,
      sessionId,
      ...times,
      params: [],
      extensions: [],
    });
  }
  if (send.length > 0 || recv.length > 0) {
    const message = "send and recv inside <participant> are read as its stream association";
    reading.warnOnce("METADATA_OLD_NAMES", message, "send");
    into.participantStreamAssociations.push({ participantId, send, recv, ...times, extensions: [] });
  }
  for (const association of nested) {
    readParticipantSessionAssociation(association, into, reading, sessionId, participantId);
  }
}

function readStream(element: XmlElement, into: Collected, reading: ElementReading, nestedIn?: string): void {
  const children = new ObjectChildren(element, reading);
  const sessionId = reading.reference(element, "session_id", "session") ?? nestedIn;
  const label = children.text("label");
  const mode = children.text("mode");
  children.times();
  into.streams.push({
    streamId: reading.objectId(element, "stream_id", "id"),
    ...(sessionId === undefined ? {} : { sessionId }),
    ...(label === undefined ? {} : { label }),
    ...(mode === undefined ? {} : { mode }),
    extensions: children.rest(),
  });
}

function readSessionRecordingAssociation(
  element: XmlElement,
  into: Collected,
  reading: ElementReading,
): void {
  const children = new ObjectChildren(element, reading);
  const sessionId = reading.reference(element, "session_id", "session", "id");
  if (sessionId === undefined) {
    incomplete(element, reading);
    return;
  }
  into.sessionRecordingAssociations.push({ sessionId, ...children.times(), extensions: children.rest() });
}

function readParticipantSessionAssociation(
  element: XmlElement,
  into: Collected,
  reading: ElementReading,
  nestedIn?: string,
  ofParticipant?: string,
): void {
  const children = new ObjectChildren(element, reading);
  const participantId = reading.reference(element, "participant_id", "participant", "id") ?? ofParticipant;
  const sessionId = reading.reference(element, "session_id", "session") ?? nestedIn;
  if (participantId === undefined || sessionId === undefined) {
    incomplete(element, reading);
    return;
  }
  into.participantSessionAssociations.push({
    participantId,
    sessionId,
    ...children.times(),
    params: children.take("param").map((param) => ({
      name: reading.attribute(param, "pname") ?? "",
      value: reading.attribute(param, "pval") ?? "",
    })),
    extensions: children.rest(),
  });
}

function readParticipantStreamAssociation(
  element: XmlElement,
  into: Collected,
  reading: ElementReading,
): void {
  const children = new ObjectChildren(element, reading);
  const participantId = reading.reference(element, "participant_id", "participant", "id");
  if (participantId === undefined) {
    incomplete(element, reading);
    return;
  }
  into.participantStreamAssociations.push({
    participantId,
    send: children.streams("send"),
    recv: children.streams("recv"),
    ...children.times(),
    extensions: children.rest(),
  });
}

/** The 2010 draft describes the recording in an element of its own; in the RFC there is one `recording`, the root. */
function readInnerRecording(element: XmlElement, into: Collected, reading: ElementReading): void {
  if (reading.dialect !== "draft-siprec") {
    reading.warn("METADATA_NESTED_RECORDING", `<recording> at line ${element.line} stands inside another`);
    return;
  }
  const nested = childElements(element).filter((child) => OBJECTS[keyOf(child)] !== undefined);
  if (nested.length === 0) into.extensions.push({ extension: toExtension(element), parent: undefined });
  for (const child of nested) readChild(child, into, reading);
}

function incomplete(element: XmlElement, reading: ElementReading): void {
  const message = `<${element.local}> at line ${element.line} does not say whose it is`;
  reading.warn("METADATA_INCOMPLETE_ASSOCIATION", message);
}

/** Extension data beside its object names it by `parent=`; the rest belongs to the recording. */
function handToOwners(collected: Collected): MetadataExtension[] {
  const owners = new Map<string, Extensible>();
  for (const group of collected.groups) owners.set(objectIdKey(group.groupId), group);
  for (const session of collected.sessions) owners.set(objectIdKey(session.sessionId), session);
  for (const stream of collected.streams) owners.set(objectIdKey(stream.streamId), stream);
  for (const entry of collected.participants) owners.set(objectIdKey(entry.participantId), entry);
  const own: MetadataExtension[] = [];
  for (const { extension, parent } of collected.extensions) {
    const owner = parent === undefined ? undefined : owners.get(objectIdKey(parent));
    (owner?.extensions ?? own).push(extension);
  }
  return own;
}
