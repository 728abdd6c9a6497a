import assert from "node:assert/strict";
import { test } from "node:test";
import {
  applyMetadata,
  EMPTY_METADATA_STATE,
  type MetadataState,
  readSnapshotOrMetadata,
  writeRecordingMetadata,
} from "@callfork/protocol/siprec";
import { parseTwiml } from "@callfork/protocol/twiml";
import { fuzz, rounds } from "./fuzzer.ts";

const METADATA = `<?xml version="1.0" encoding="UTF-8"?>
<t:recording xmlns:t="urn:ietf:params:xml:ns:recording:1" xmlns:x="urn:x"><t:datamode>complete</t:datamode>
<t:group group_id="AAAAAAAAAAAAAAAAAAAAAQ=="><t:associate-time>2026-01-01T00:00:00Z</t:associate-time></t:group>
<t:session session_id="AAAAAAAAAAAAAAAAAAAAAg=="><t:sipSessionID>a;remote=b</t:sipSessionID><t:reason cause="486" protocol="SIP">Busy &amp; gone</t:reason><t:group-ref>AAAAAAAAAAAAAAAAAAAAAQ==</t:group-ref><x:e a="1">t<x:f/></x:e></t:session>
<t:participant participant_id="p" session="AAAAAAAAAAAAAAAAAAAAAg=="><t:nameID aor="sip:a@b"><t:name xml:lang="en">"A"</t:name></t:nameID><t:send>m</t:send></t:participant>
<t:stream stream_id="m" session_id="AAAAAAAAAAAAAAAAAAAAAg=="><t:label>1</t:label><![CDATA[x]]></t:stream>
<t:participantsessionassoc participant_id="p" session_id="AAAAAAAAAAAAAAAAAAAAAg=="><t:param pname="isfocus" pval="true"/></t:participantsessionassoc>
<t:participantstreamassoc participant_id="p"><t:send>m</t:send><t:recv>m</t:recv><t:disassociate-time>2026-01-01T00:00:09+01:00</t:disassociate-time></t:participantstreamassoc>
<!-- c --><?pi x?><x:extensiondata parent="m"><x:n>v</x:n></x:extensiondata></t:recording>`;

const TWIML = `<?xml version="1.0" encoding="UTF-8"?><Response><Start><Siprec name="a b" connectorName="c" track="both_tracks" statusCallback="https://e.com/"><Parameter name="k" value="v &lt; w"/></Siprec></Start>
<Say voice="x" loop="2">Hi <break/> you</Say><Play digits="1w">http://e.com/a.wav</Play><Pause length="1"/>
<Dial timeout="5" record="true" callerId="+1"><Number sendDigits="1">+15551234567</Number><Sip username="u">sip:b@e.com?X-A=1</Sip></Dial>
<Stop><Siprec name="a b"/></Stop><Redirect method="GET">/x</Redirect><Reject reason="busy"/><Hangup/></Response>`;

/** Pieces that parsers trip over. */
const PIECES = [
  "<",
  ">",
  "</",
  "/>",
  "&",
  "&amp;",
  "&#0;",
  "&#x110000;",
  "&constructor;",
  "]]>",
  "<![CDATA[",
  "<!--",
  "<?xml",
  "<!DOCTYPE a>",
  'xmlns="',
  'xmlns:xml="x"',
  'xmlns:t=""',
  "\u0000",
  "\ufffe",
  "\ud800",
  '"',
  "'",
  "=",
  "\r\n",
  "\u2028",
  "-1",
  "9".repeat(40),
  "__proto__",
  "constructor",
  'constructor="1"',
  "AAAAAAAAAAAAAAAAAAAAAQ==",
  "2026-13-45T99:99:99Z",
  "<t:session/>",
  "partial",
  "<a>".repeat(40),
];

/** A generator small enough to replay by its seed (xorshift32). */
function generator(seed: number): (below: number) => number {
  let state = seed | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** Half of the documents are broken anywhere, half stay well-formed and say odd things. */
function mutate(document: string, random: (below: number) => number): Uint8Array {
  let text = document;
  const change = random(2) === 0 ? breakAnywhere : changeValues;
  for (let left = 1 + random(6); left > 0; left -= 1) text = change(text, random);
  const bytes = new TextEncoder().encode(text);
  if (random(8) === 0 && bytes.length > 0) bytes[random(bytes.length)]! ^= 1 << random(8);
  return bytes;
}

/** Cuts, doubles, overwrites, inserts or swaps a stretch. */
function breakAnywhere(text: string, random: (below: number) => number): string {
  const at = random(text.length + 1);
  const end = Math.min(text.length, at + random(60));
  const piece = PIECES[random(PIECES.length)]!;
  const edits = [
    () => text.slice(0, at) + text.slice(end),
    () => text.slice(0, end) + text.slice(at),
    () => text.slice(0, at) + piece + text.slice(end),
    () => text.slice(0, at) + piece + text.slice(at),
    () => text.slice(at, end) + text.slice(0, at) + text.slice(end),
  ];
  return edits[random(edits.length)]!();
}

/** Writes something else into an attribute or between tags, or drops, doubles or moves an element without children. */
function changeValues(text: string, random: (below: number) => number): string {
  const pattern = [/(?<=[^n1]=")[^"]*(?=")/g, /(?<=>)[^<>]*(?=<\/)/g, /<([\w:]+)[^<>]*>[^<>]*<\/\1>/g][
    random(3)
  ]!;
  const found = [...text.matchAll(pattern)];
  if (found.length === 0) return text;
  const chosen = found[random(found.length)]!;
  const other = found[random(found.length)]![0];
  const plain = PIECES.filter((piece) => !/[<>&"'\u0000\ufffe\ud800]|^\]/.test(piece));
  const isElement = chosen[0].startsWith("<");
  const instead = isElement ? ["", other, chosen[0] + other] : ["", other, ...plain];
  const before = text.slice(0, chosen.index);
  return before + instead[random(instead.length)]! + text.slice(chosen.index + chosen[0].length);
}

test("no mutation of a metadata document makes the reader, the state or the writer throw, take long, or grow", () => {
  let state: MetadataState = EMPTY_METADATA_STATE;
  let understood = 0;
  let at = Date.UTC(2026, 0);
  const make = (_random: unknown, round: number) => mutate(METADATA, generator((round + 1) * 2_654_435_761));
  fuzz("metadata", make, (bytes) => {
    const read = readSnapshotOrMetadata(bytes);
    if (!read.ok) {
      assert.ok(read.error.line >= 1 && read.error.column >= 1 && read.error.message !== "");
      return;
    }
    if (read.value.kind !== "metadata") return;
    understood += 1;
    at += 1_000;
    const { metadata } = read.value;
    state = applyMetadata(state, metadata, at, { maxObjects: 50, maxIntervals: 8 }).state;
    const again = readSnapshotOrMetadata(new TextEncoder().encode(writeRecordingMetadata(metadata)));
    assert.ok(again.ok, "what was written can be read");
  });
  assert.ok(understood > rounds / 4, `${understood} documents were understood`);
  assert.ok(state.participants.size <= 50 && state.streams.size <= 50);
});

test("no mutation of a TwiML document makes the parser throw or take long", () => {
  let understood = 0;
  const make = (_random: unknown, round: number) => mutate(TWIML, generator((round + 1) * 2_246_822_519));
  fuzz("twiml", make, (bytes) => {
    const parsed = parseTwiml(bytes);
    if (!parsed.ok) {
      assert.ok([11750, 11770, 12100, 12101, 12102].includes(parsed.error.code));
      assert.ok(parsed.error.line >= 1 && parsed.error.column >= 1);
      return;
    }
    understood += 1;
    for (const issue of parsed.value.issues) assert.ok(issue.line >= 1 && issue.column >= 1);
    for (const verb of parsed.value.verbs) {
      if (verb.fault !== undefined) assert.ok(parsed.value.issues.includes(verb.fault));
    }
  });
  assert.ok(understood > rounds / 4, `${understood} documents were understood`);
});
