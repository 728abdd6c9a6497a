import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type MetadataDocument,
  readRecordingMetadata,
  readSnapshotOrMetadata,
  writeSnapshotRequest,
} from "./index.ts";

const NS = "urn:ietf:params:xml:ns:recording:1";
const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const wrap = (inside: string, namespace = NS): string =>
  `<recording xmlns="${namespace}">${inside}</recording>`;

function read(text: string): MetadataDocument {
  const result = readRecordingMetadata(encode(text));
  assert.ok(result.ok, result.ok ? "" : JSON.stringify(result.error));
  return result.value;
}

const codes = (document: MetadataDocument): string[] => document.warnings.map(({ code }) => code);

test("[V-02] [R7865-6.11-1] namespaces of drafts and of unknown versions are read and named", () => {
  const inside = '<session session_id="AAAAAAAAAAAAAAAAAAAAAA=="/>';
  const dialectOf = (namespace: string) => {
    const document = read(wrap(inside, namespace));
    assert.equal(document.metadata.sessions.length, 1, namespace);
    assert.equal(document.namespace, namespace);
    return [document.dialect, ...codes(document)];
  };
  assert.deepEqual(dialectOf(NS), ["rfc7865"]);
  assert.deepEqual(dialectOf("urn:ietf:params:xml:ns:recording"), ["draft-recording"]);
  assert.deepEqual(dialectOf("urn:ietf:params:xml:ns:recording:2"), [
    "unknown-version",
    "METADATA_UNKNOWN_VERSION",
  ]);
  assert.deepEqual(dialectOf("http://example.com/x"), ["other", "METADATA_UNKNOWN_NAMESPACE"]);
  assert.deepEqual(dialectOf(""), ["other", "METADATA_UNKNOWN_NAMESPACE"]);
});

test("[V-03] [V-08] [V-09] the draft of 2010 maps to the same model", () => {
  const document = read(`<?xml version="1.0" encoding="UTF-8"?>
<recording_metadata xmlns="urn:ietf:params:xml:ns:siprec">
  <dataMode>complete</dataMode>
  <recording id="urn:uuid:11111111-1111-4111-8111-111111111111"><requestor>SRC</requestor><type>selective</type></recording>
  <group id="urn:uuid:g" recording="urn:uuid:11111111-1111-4111-8111-111111111111"><initiator>sip:2301@example.com</initiator></group>
  <session id="urn:uuid:s" group="urn:uuid:g"><start-time>2010-12-16T23:41:07Z</start-time></session>
  <participant id="urn:uuid:p1" session="urn:uuid:s"><aor>sip:2301@example.com</aor><name>Bob</name>
    <send><id>urn:uuid:m1</id></send><recv>urn:uuid:m2</recv></participant>
  <participant id="urn:uuid:p2" session="urn:uuid:s"><aor>tel:+15551234567</aor><send>urn:uuid:m2</send></participant>
  <stream id="urn:uuid:m1" session="urn:uuid:s"><label>1</label><mode>separate</mode></stream>
  <stream id="urn:uuid:m2" session="urn:uuid:s"><label>2</label><mode>separate</mode></stream>
  <extensiondata id="urn:uuid:x" parent="urn:uuid:s"><broadWorksRecordingMetadata xmlns="http://schema.example.com/cr"><extTrackingID>41:1</extTrackingID></broadWorksRecordingMetadata></extensiondata>
</recording_metadata>`);
  const { metadata } = document;
  assert.equal(document.dialect, "draft-siprec");
  assert.deepEqual(
    metadata.groups.map(({ groupId }) => groupId),
    ["urn:uuid:g"],
  );
  assert.equal(metadata.groups[0]!.extensions[0]!.name, "initiator");
  assert.equal(metadata.sessions[0]!.groupRef, "urn:uuid:g");
  assert.equal(metadata.sessions[0]!.startTime, "2010-12-16T23:41:07Z");
  assert.equal(metadata.sessions[0]!.extensions[0]!.name, "extensiondata");
  assert.match(metadata.sessions[0]!.extensions[0]!.xml, /<extTrackingID>41:1<\/extTrackingID>/);
  assert.deepEqual(
    metadata.participants.map(({ nameIds }) => nameIds),
    [[{ aor: "sip:2301@example.com", name: "Bob" }], [{ aor: "tel:+15551234567" }]],
  );
  assert.deepEqual(
    metadata.participantStreamAssociations.map(({ participantId, send, recv }) => ({
      participantId,
      send,
      recv,
    })),
    [
      { participantId: "urn:uuid:p1", send: ["urn:uuid:m1"], recv: ["urn:uuid:m2"] },
      { participantId: "urn:uuid:p2", send: ["urn:uuid:m2"], recv: [] },
    ],
  );
  assert.equal(metadata.participantSessionAssociations.length, 2);
  assert.deepEqual(
    metadata.streams.map(({ label, mode }) => [label, mode]),
    [
      ["1", "separate"],
      ["2", "separate"],
    ],
  );
});

test("[V-06] [V-08] [V-11] [V-12] a document of the working group's early drafts", () => {
  const { metadata, dialect } = read(`<recording xmlns="urn:ietf:params:xml:ns:recording">
  <dataMode>complete</dataMode>
  <session id="s1"><associate-time>2013-04-19T17:03:46</associate-time>
    <extensiondata xmlns:apkt="http://acme.example/siprec/extensiondata"><apkt:ucid>00FA08</apkt:ucid><apkt:callerOrig>true</apkt:callerOrig></extensiondata></session>
  <participant id="p1" session="s1"><nameID aor="sip:a@example.com"><name>"Alice"</name></nameID>
    <send>m1</send><associate-time>2013-04-19T17:03:47Z</associate-time>
    <extensiondata xmlns:apkt="http://acme.example/siprec/extensiondata"><apkt:callingParty>true</apkt:callingParty></extensiondata></participant>
  <stream id="m1" session="s1"><label>65804</label><mode>mixed</mode><associate-time>2013-04-19T17:03:46</associate-time></stream>
</recording>`);
  assert.equal(dialect, "draft-recording");
  assert.deepEqual(metadata.sessionRecordingAssociations, [
    { sessionId: "s1", associateTime: "2013-04-19T17:03:46", extensions: [] },
  ]);
  assert.deepEqual(metadata.sessions[0]!.extensions[0]!.parameters, [
    { name: "ucid", value: "00FA08" },
    { name: "callerOrig", value: "true" },
  ]);
  assert.equal(metadata.participants[0]!.extensions.length, 1);
  assert.deepEqual(metadata.participantSessionAssociations[0], {
    participantId: "p1",
    sessionId: "s1",
    associateTime: "2013-04-19T17:03:47Z",
    params: [],
    extensions: [],
  });
  assert.equal(metadata.streams[0]!.mode, "mixed");
  assert.deepEqual(metadata.participants[0]!.nameIds, [{ aor: "sip:a@example.com", name: "Alice" }]);
});

test("[V-04] prefixes mean nothing, namespaces everything", () => {
  const { metadata } = read(`<tns:recording xmlns:tns="${NS}" xmlns:o="urn:other">
    <tns:datamode>partial</tns:datamode>
    <tns:session tns:session_id="s"><o:start-time>2001-01-01T00:00:00Z</o:start-time></tns:session>
    <session xmlns="urn:other" session_id="not ours"/>
    <p:stream xmlns:p="${NS}" stream_id="m"><label xmlns="${NS}">7</label></p:stream></tns:recording>`);
  assert.equal(metadata.dataMode, "partial");
  assert.equal(metadata.sessions.length, 1);
  assert.equal(metadata.sessions[0]!.startTime, undefined);
  assert.equal(metadata.sessions[0]!.extensions[0]!.namespace, "urn:other");
  assert.equal(metadata.streams[0]!.label, "7");
  assert.equal(metadata.extensions[0]!.name, "session");
});

test("[V-05] [R7865-5.1.2-3] [R7865-5.1.2-4] the data mode in any spelling; absent means complete", () => {
  const mode = (inside: string) => read(wrap(inside)).metadata.dataMode;
  assert.equal(mode(""), "complete");
  assert.equal(mode("<datamode>partial</datamode>"), "partial");
  assert.equal(mode("<dataMode>\n  Partial </dataMode>"), "partial");
  assert.equal(mode("<DATAMODE>COMPLETE</DATAMODE>"), "complete");
  const odd = read(wrap("<datamode>full</datamode>"));
  assert.equal(odd.metadata.dataMode, "complete");
  assert.deepEqual(codes(odd), ["METADATA_BAD_DATAMODE"]);
});

test("an object without id gets one from its place, the same in the next document", () => {
  const text = wrap('<stream stream_id=""><label>1</label></stream><stream><label>2</label></stream>');
  const document = read(text);
  const ids = document.metadata.streams.map(({ streamId }) => streamId);
  assert.equal(new Set(ids).size, 2);
  assert.deepEqual(
    read(text).metadata.streams.map(({ streamId }) => streamId),
    ids,
  );
  assert.deepEqual(codes(document), ["METADATA_EMPTY_ID", "METADATA_EMPTY_ID"]);
});

test("[V-10] blank names are none, one pair of quotes is taken off", () => {
  const nameOf = (name: string) =>
    read(wrap(`<participant participant_id="p"><nameID aor="sip:a@b">${name}</nameID></participant>`))
      .metadata.participants[0]!.nameIds;
  assert.deepEqual(nameOf('<name>" "</name>'), [{ aor: "sip:a@b" }]);
  assert.deepEqual(nameOf("<name>  </name>"), [{ aor: "sip:a@b" }]);
  assert.deepEqual(nameOf(""), [{ aor: "sip:a@b" }]);
  assert.deepEqual(nameOf('<name xml:lang="fr">"Zoé"</name>'), [{ aor: "sip:a@b", name: "Zoé", lang: "fr" }]);
});

test("[R7865-X-1] unknown elements are kept at every extension point, as text that stands by itself", () => {
  const extension = '<x:note xmlns:x="urn:x" x:level="1" plain="&lt;"><x:a>one</x:a> two</x:note>';
  const { metadata } = read(
    wrap(
      `<group group_id="g">${extension}</group><session session_id="s">${extension}</session>` +
        `<participant participant_id="p">${extension}</participant><stream stream_id="m">${extension}</stream>` +
        `<sessionrecordingassoc session_id="s">${extension}</sessionrecordingassoc>` +
        `<participantsessionassoc participant_id="p" session_id="s">${extension}</participantsessionassoc>` +
        `<participantstreamassoc participant_id="p">${extension}</participantstreamassoc>${extension}`,
    ),
  );
  const owners = [
    ...metadata.groups,
    ...metadata.sessions,
    ...metadata.participants,
    ...metadata.streams,
    ...metadata.sessionRecordingAssociations,
    ...metadata.participantSessionAssociations,
    ...metadata.participantStreamAssociations,
    metadata,
  ];
  assert.equal(owners.length, 8);
  const xml = '<note xmlns="urn:x" xmlns:ns1="urn:x" ns1:level="1" plain="&lt;"><a>one</a> two</note>';
  for (const { extensions } of owners) {
    assert.deepEqual(extensions, [
      { namespace: "urn:x", name: "note", xml, parameters: [{ name: "a", value: "one" }] },
    ]);
  }
});

test("custom parameters are found by local name, whatever their namespace", () => {
  const { metadata } = read(
    wrap(
      '<session session_id="s"><ExtensionParameters xmlns="http://any.example/siprec">' +
        '<Parameter name="Role" value="agent"/><Parameter name="CallerDisplayName" value="A &amp; B"/><Parameter value="x"/>' +
        "</ExtensionParameters></session>",
    ),
  );
  assert.deepEqual(metadata.sessions[0]!.extensions[0]!.parameters, [
    { name: "Role", value: "agent" },
    { name: "CallerDisplayName", value: "A & B" },
  ]);
});

test("[V-27] invented attributes are ignored, and none is needed", () => {
  const { metadata } = read(
    `<recording xmlns="${NS}" session="1" state="active" sequence="2" direction="inbound">` +
      '<participant id="p" role="agent"><aor display="x">sip:a@b</aor></participant><stream stream_id="m" type="audio"/></recording>',
  );
  assert.deepEqual(metadata.participants[0]!.nameIds, [{ aor: "sip:a@b" }]);
  assert.equal(metadata.streams[0]!.streamId, "m");
});

test("[R7865-5.1.2-2] a recording inside the recording is left out", () => {
  const document = read(wrap('<recording><session session_id="x"/></recording><session session_id="y"/>'));
  assert.deepEqual(
    document.metadata.sessions.map(({ sessionId }) => sessionId),
    ["y"],
  );
  assert.deepEqual(codes(document), ["METADATA_NESTED_RECORDING", "METADATA_OPAQUE_IDS"]);
  const two = readRecordingMetadata(encode(`${wrap("")}${wrap("")}`));
  assert.equal(!two.ok && two.error.code, "XML_MALFORMED");
});

test("[R7865-6.1-2] an empty document is a document", () => {
  assert.deepEqual(codes(read(`<recording xmlns="${NS}"/>`)), []);
});

test("[R7865-6.8-6] associations without streams, and ones that do not say whose they are", () => {
  const document = read(
    wrap('<participantstreamassoc participant_id="p"/><participantstreamassoc/><sessionrecordingassoc/>'),
  );
  assert.deepEqual(document.metadata.participantStreamAssociations, [
    { participantId: "p", send: [], recv: [], extensions: [] },
  ]);
  assert.deepEqual(codes(document), ["METADATA_INCOMPLETE_ASSOCIATION", "METADATA_INCOMPLETE_ASSOCIATION"]);
});

test("[R7865-5.1-1] text of every script, every encoding that is supported, and a clean refusal of others", () => {
  const name = "Привет 世界 😀 é";
  const text = (encoding: string) =>
    `<?xml version="1.0" encoding="${encoding}"?>${wrap(`<participant participant_id="p"><nameID aor="sip:a@b"><name>${name}</name></nameID></participant>`)}`;
  const utf16 = (bigEndian: boolean, mark: boolean): Uint8Array => {
    const bytes = Buffer.from(`${mark ? "\ufeff" : ""}${text("UTF-16")}`, "utf16le");
    return bigEndian ? bytes.swap16() : bytes;
  };
  const nameIn = (bytes: Uint8Array, charset?: string): string | undefined => {
    const result = readRecordingMetadata(bytes, { charset });
    assert.ok(result.ok, result.ok ? "" : result.error.message);
    return result.value.metadata.participants[0]!.nameIds[0]!.name;
  };
  assert.equal(nameIn(encode(text("UTF-8"))), name);
  assert.equal(nameIn(encode(`\ufeff${text("UTF-8")}`)), name);
  // The charset parameter wins over the declaration.
  assert.equal(nameIn(encode(text("ISO-8859-1")), "utf-8"), name);
  assert.equal(nameIn(encode(text("UTF-8")), '"UTF-8"'), name);
  for (const bigEndian of [false, true]) {
    assert.equal(nameIn(utf16(bigEndian, true)), name);
    assert.equal(nameIn(utf16(bigEndian, false)), name);
    assert.equal(nameIn(utf16(bigEndian, false), "utf-16"), name);
  }
  const latin = Buffer.from(text("ISO-8859-1").replace(name, "Zoé"), "latin1");
  assert.equal(nameIn(latin), "Zoé");
  const refused = readRecordingMetadata(encode(text("UTF-8")), { charset: "shift_jis" });
  assert.equal(!refused.ok && refused.error.code, "XML_UNSUPPORTED_ENCODING");
  const repaired = readRecordingMetadata(Buffer.from(text("UTF-8").replace(name, "Zoé"), "latin1"));
  assert.ok(repaired.ok);
  assert.equal(repaired.value.metadata.participants[0]!.nameIds[0]!.name, "Zo\ufffd");
  assert.ok(repaired.value.warnings.some(({ code }) => code === "METADATA_ENCODING_REPAIRED"));
});

test("[R7865-5.1-2] [R7866-9.2-8] what is not well-formed is refused with its line and column", () => {
  const result = readRecordingMetadata(
    encode(`<recording xmlns="${NS}">\n  <session session_id="s">\n  </sesion>\n</recording>`),
  );
  assert.ok(!result.ok);
  assert.equal(result.error.code, "XML_MALFORMED");
  assert.equal(result.error.line, 3);
  assert.ok(result.error.column > 1);
});

test("[R7865-X-3] DTDs, floods of elements, attributes, depth and octets are refused, and fast", () => {
  const code = (text: string): string | undefined => {
    const result = readRecordingMetadata(encode(text));
    return result.ok ? undefined : result.error.code;
  };
  const laughs = Array.from({ length: 9 }, (_, at) => `<!ENTITY l${at + 1} "${`&l${at};`.repeat(10)}">`);
  assert.equal(
    code(`<!DOCTYPE r [<!ENTITY l0 "lol">${laughs.join("")}]>${wrap("&l9;")}`),
    "XML_DOCTYPE_REFUSED",
  );
  assert.equal(
    code(`<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>${wrap("&x;")}`),
    "XML_DOCTYPE_REFUSED",
  );
  assert.equal(code(`<!DOCTYPE r SYSTEM "http://192.0.2.1/x.dtd">${wrap("")}`), "XML_DOCTYPE_REFUSED");
  assert.equal(code(wrap("<a>".repeat(200) + "</a>".repeat(200))), "XML_TOO_DEEP");
  const attributes = Array.from({ length: 20_000 }, (_, at) => `a${at}=""`).join(" ");
  assert.equal(code(wrap(`<x ${attributes}/>`)), "XML_TOO_MANY_ATTRIBUTES");
  const many = Array.from({ length: 50_000 }, (_, at) => `a${at}=""`).join(" ");
  assert.equal(code(wrap(`<x ${many}/>`)), "XML_TOO_LARGE");
  assert.equal(code(wrap("<x/>".repeat(10_001))), "XML_TOO_MANY_ELEMENTS");
  assert.equal(code(wrap("x".repeat(1_048_576))), "XML_TOO_LARGE");
  for (const entity of ["constructor", "toString", "__proto__", "nbsp"]) {
    assert.equal(code(wrap(`&${entity};`)), "XML_MALFORMED", entity);
  }
  for (const text of ["", " ", "<", "<recording", "text", "{}", "<a/>\u0000"]) assert.ok(code(text), text);
});

test("[R7866-11.3-1] [R7865-7-2] one media type, two documents: the root element decides", () => {
  const metadata = readSnapshotOrMetadata(encode(wrap("")));
  assert.equal(metadata.ok && metadata.value.kind, "metadata");
  const plain = readSnapshotOrMetadata(encode(writeSnapshotRequest()));
  assert.deepEqual(plain, { ok: true, value: { kind: "snapshotRequest", request: {} } });
  const request = readSnapshotOrMetadata(encode(writeSnapshotRequest({ reason: "lost <it>", lang: "en" })));
  assert.deepEqual(request.ok && request.value, {
    kind: "snapshotRequest",
    request: { reason: "lost <it>", lang: "en" },
  });
  const wrongSide = readRecordingMetadata(encode(writeSnapshotRequest()));
  assert.equal(!wrongSide.ok && wrongSide.error.code, "METADATA_UNEXPECTED_ROOT");
  const other = readSnapshotOrMetadata(encode("<html/>"));
  assert.equal(!other.ok && other.error.code, "METADATA_UNKNOWN_ROOT");
});
