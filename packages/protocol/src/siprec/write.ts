import { escapeXmlAttribute, escapeXmlText } from "../text/index.ts";
import type {
  CommunicationSession,
  MetadataExtension,
  NameId,
  Participant,
  RecordingMetadata,
} from "./model.ts";
import { RECORDING_NAMESPACE } from "./namespaces.ts";
import { formatMetadataTime, parseMetadataTime } from "./time.ts";

export interface WriteOptions {
  /** Leaves display names out, where policy wants less in the document (RFC 7865 §10). */
  readonly omitNames?: boolean;
  /** Leaves extensions out. */
  readonly omitExtensions?: boolean;
}

/**
 * Writes a metadata document that the schema of RFC 7865 §9 accepts: children in its order, extensions after
 * them, every time in UTC with `T` and `Z` (§6.9). The text is UTF-8 once encoded, as its declaration says.
 *
 * Always gives a document: a character XML cannot carry becomes U+FFFD, a time that is none is left out, a
 * participant without address gets the anonymous one of RFC 3323, an extension in the recording namespace is left
 * out. Ids are written as they are: make them with `newObjectId`.
 */
export function writeRecordingMetadata(metadata: RecordingMetadata, options: WriteOptions = {}): string {
  const extensions = (list: readonly MetadataExtension[]): string[] =>
    options.omitExtensions
      ? []
      : list.filter(({ namespace }) => namespace !== RECORDING_NAMESPACE).map(({ xml }) => xml);

  const body = [
    element("datamode", [], [metadata.dataMode]),
    ...metadata.groups.map((group) =>
      element(
        "group",
        [["group_id", group.groupId]],
        [...association(group), ...extensions(group.extensions)],
      ),
    ),
    ...metadata.sessions.map((session) =>
      element(
        "session",
        [["session_id", session.sessionId]],
        [...sessionChildren(session), ...extensions(session.extensions)],
      ),
    ),
    ...metadata.participants.map((participant) =>
      element(
        "participant",
        [["participant_id", participant.participantId]],
        [...nameIds(participant, options), ...extensions(participant.extensions)],
      ),
    ),
    ...metadata.streams.map((stream) =>
      element(
        "stream",
        [
          ["stream_id", stream.streamId],
          ["session_id", stream.sessionId],
        ],
        [...text("label", stream.label), ...extensions(stream.extensions)],
      ),
    ),
    ...metadata.sessionRecordingAssociations.map((entry) =>
      element(
        "sessionrecordingassoc",
        [["session_id", entry.sessionId]],
        [...association(entry), ...extensions(entry.extensions)],
      ),
    ),
    ...metadata.participantSessionAssociations.map((entry) =>
      element(
        "participantsessionassoc",
        [
          ["participant_id", entry.participantId],
          ["session_id", entry.sessionId],
        ],
        [
          ...association(entry),
          ...entry.params.map(({ name, value }) =>
            element(
              "param",
              [
                ["pname", name],
                ["pval", value],
              ],
              [],
            ),
          ),
          ...extensions(entry.extensions),
        ],
      ),
    ),
    ...metadata.participantStreamAssociations.map((entry) =>
      element(
        "participantstreamassoc",
        [["participant_id", entry.participantId]],
        [
          ...entry.send.flatMap((id) => text("send", id)),
          ...entry.recv.flatMap((id) => text("recv", id)),
          // Here the times follow the streams, unlike in the other associations (RFC 7865 §9).
          ...association(entry),
          ...extensions(entry.extensions),
        ],
      ),
    ),
    ...extensions(metadata.extensions),
  ];
  return `${DECLARATION}<recording xmlns="${RECORDING_NAMESPACE}">\n${body.map((line) => `  ${line}\n`).join("")}</recording>\n`;
}

/** Asks the recording client for a complete document (RFC 7865 §7); to be sent in an UPDATE without SDP. */
export function writeSnapshotRequest(
  options: { readonly reason?: string; readonly lang?: string } = {},
): string {
  const reason =
    options.reason === undefined
      ? []
      : [element("requestreason", languageOf(options.lang), [escapeXmlText(options.reason)])];
  return `${DECLARATION}<requestsnapshot xmlns="${RECORDING_NAMESPACE}">${reason.join("")}</requestsnapshot>\n`;
}

const DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n';

type Attribute = readonly [name: string, value: string | undefined];

/** `children` are markup already. */
function element(name: string, attributes: readonly Attribute[], children: readonly string[]): string {
  const head = attributes
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}="${escapeXmlAttribute(value!)}"`);
  const start = `<${name}${head.join("")}`;
  return children.length === 0 ? `${start}/>` : `${start}>${children.join("")}</${name}>`;
}

const text = (name: string, value: string | undefined): string[] =>
  value === undefined ? [] : [element(name, [], [escapeXmlText(value)])];

function time(name: string, value: string | undefined): string[] {
  const parsed = value === undefined ? undefined : parseMetadataTime(value);
  if (parsed === undefined) return [];
  return [element(name, [], [STRICT_TIME.test(value!) ? value! : formatMetadataTime(parsed.epochMs)])];
}

/** What need not be rewritten: RFC 3339 in UTC, upper case; more fraction digits than ours are kept. */
const STRICT_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

const association = (entry: {
  readonly associateTime?: string;
  readonly disassociateTime?: string;
}): string[] => [
  ...time("associate-time", entry.associateTime),
  ...time("disassociate-time", entry.disassociateTime),
];

const sessionChildren = (session: CommunicationSession): string[] => [
  ...session.sipSessionIds.flatMap((id) => text("sipSessionID", id)),
  ...session.reasons.map((reason) =>
    element(
      "reason",
      [
        ["cause", String(reason.cause)],
        ["protocol", reason.protocol],
      ],
      reason.text === "" ? [] : [escapeXmlText(reason.text)],
    ),
  ),
  ...text("group-ref", session.groupRef),
  ...time("start-time", session.startTime),
  ...time("stop-time", session.stopTime),
];

const ANONYMOUS: NameId = { aor: "sip:anonymous@anonymous.invalid" };

const nameIds = (participant: Participant, options: WriteOptions): string[] =>
  (participant.nameIds.length === 0 ? [ANONYMOUS] : participant.nameIds).map(({ aor, name, lang }) =>
    element(
      "nameID",
      [["aor", aor]],
      name === undefined || options.omitNames
        ? []
        : [element("name", languageOf(lang), [escapeXmlText(name)])],
    ),
  );

/** xs:language, or nothing. */
const languageOf = (lang: string | undefined): Attribute[] =>
  lang !== undefined && /^[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*$/.test(lang) ? [["xml:lang", lang]] : [];
