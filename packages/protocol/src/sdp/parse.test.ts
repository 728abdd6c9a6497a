import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  attribute,
  codecsOf,
  connectionOf,
  directionOf,
  formatSessionDescription,
  parseSessionDescription,
  type SessionDescription,
} from "./index.ts";

const FULL = `${[
  "v=0",
  "o=jdoe 9223372036854775807 9223372036854775806 IN IP4 203.0.113.7",
  "s=Call to John Smith",
  "i=A call: with colons",
  "u=http://www.jdoe.example.com/home.html",
  "e=Jane Doe <jane@jdoe.example.com>",
  "p=+1 617 555-6011",
  "c=IN IP4 198.51.100.1",
  "b=X-YZ:128",
  "t=3034423619 3042462419",
  "r=604800 3600 0 90000",
  "t=0 0",
  "z=2882844526 -1h 2898848070 0",
  "k=prompt",
  "a=recvonly",
  "a=3gOoBTC",
  "a=X-empty:",
  "m=audio 49170/2 RTP/AVP 0 97",
  "i=speech",
  "c=IN IP4 224.2.1.1/127/3",
  "c=IN IP4 224.2.1.9/127",
  "b=AS:64",
  "k=clear:x",
  "x=private",
  "a=rtpmap:97 opus/48000/2",
  "y=between",
  "a=direction:both",
  "m=message 7654 TCP/MSRP *",
  "a=path:msrp://alice.example.com:7394/2s93i9ek2a;tcp",
].join("\r\n")}\r\n`;

function parsed(text: string | Uint8Array): SessionDescription {
  const result = parseSessionDescription(text);
  assert.ok(result.ok, result.ok ? "" : result.error.message);
  return result.value;
}

function errorOf(text: string): string {
  const result = parseSessionDescription(text);
  return result.ok ? "accepted" : `${result.error.code}@${result.error.line}`;
}

const MINIMAL = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\n";

test("[R8866-5-1] unknown attributes, bandwidths and letters have no effect and are not lost", () => {
  const description = parsed(FULL);
  assert.equal(formatSessionDescription(description), FULL);
  assert.equal(attribute(description, "3gOoBTC"), "");
  assert.equal(attribute(description.media[0]!, "direction"), "both");
  assert.equal(directionOf(description, description.media[0]!), "recvonly");
  assert.deepEqual(
    codecsOf(description.media[0]!).map(({ name }) => name),
    ["PCMU", "opus"],
  );
});

test("octets and text give the same description; UTF-8 survives", () => {
  const text = MINIMAL.replace("s=-", "s=Gespräch 通話");
  assert.deepEqual(parsed(new TextEncoder().encode(text)), parsed(text));
  assert.equal(parsed(text).name, "Gespräch 通話");
  assert.equal(
    parsed(new Uint8Array([...new TextEncoder().encode(MINIMAL), 0x61, 0x3d, 0xff])).attributes.length,
    1,
  );
});

test("bare LF, no last line end, empty lines at the end, missing s= and t= are put right", () => {
  assert.equal(formatSessionDescription(parsed(MINIMAL.replaceAll("\r\n", "\n"))), MINIMAL);
  assert.equal(formatSessionDescription(parsed(MINIMAL.trimEnd())), MINIMAL);
  assert.equal(formatSessionDescription(parsed(`${MINIMAL}\r\n\n`)), MINIMAL);
  assert.equal(formatSessionDescription(parsed("v=0\r\no=- 1 1  IN IP4 192.0.2.1 \r\n")), MINIMAL);
});

test("[R8866-5-2] junk is refused, with the line it stands in", () => {
  assert.equal(errorOf(""), "SDP_MISSING_LINE@0");
  assert.equal(errorOf("garbage"), "SDP_BAD_LINE@1");
  assert.equal(errorOf("o=- 1 1 IN IP4 192.0.2.1"), "SDP_MISSING_LINE@1");
  assert.equal(errorOf("v=1\r\n"), "SDP_BAD_VERSION@1");
  assert.equal(errorOf("v=0\r\ns=-\r\n"), "SDP_MISSING_LINE@0");
  for (const line of [
    "m=audio",
    "m=audio x RTP/AVP 0",
    "m=audio 65536 RTP/AVP 0",
    "m=audio 4000 RTP/AVP",
    "m=audio 4000/ RTP/AVP 0",
    "c=IN IP4",
    "b=64",
    "o=-",
    "t=0",
    "v=0",
    " a=x",
    "a =x",
    "a= x\0",
    "r=1",
  ]) {
    const text = MINIMAL.replace("t=0 0\r\n", `${line}\r\n`).replace(
      line.startsWith("o") ? "o=- 1 1 IN IP4 192.0.2.1\r\n" : "\0\0",
      "",
    );
    assert.match(errorOf(text), /^SDP_BAD_LINE@/, line);
  }
  assert.equal(errorOf(`${MINIMAL}m=audio 4000 RTP/AVP 0\r\n\r\na=x\r\n`), "SDP_BAD_LINE@6");
  assert.equal(errorOf(`${MINIMAL}a=x\ry\r\n`), "SDP_BAD_LINE@5");
});

test("[R3264-5-1] a body holds one description; numbers of 64 bits stay exact", () => {
  assert.equal(errorOf(`${MINIMAL}m=audio 4000 RTP/AVP 0\r\n${MINIMAL}`), "SDP_BAD_LINE@6");
  assert.equal(parsed(FULL).origin.sessionId, "9223372036854775807");
});

test("limits: size, lines, m-lines, attributes of one section", () => {
  const codeFor = (text: string) => errorOf(text).split("@")[0];
  assert.equal(codeFor(`${MINIMAL}a=${"x".repeat(65_536)}`), "SDP_TOO_LARGE");
  assert.equal(codeFor(`${MINIMAL}${"b=AS:1\r\n".repeat(2_000)}`), "SDP_TOO_MANY_LINES");
  assert.equal(codeFor(`${MINIMAL}${"m=audio 0 RTP/AVP 0\r\n".repeat(65)}`), "SDP_TOO_MANY_MEDIA");
  assert.equal(codeFor(`${MINIMAL}${"a=x\r\n".repeat(501)}`), "SDP_TOO_MANY_ATTRIBUTES");
  assert.equal(codeFor(`${MINIMAL}${"a=x\r\n".repeat(500)}m=audio 0 RTP/AVP 0\r\na=x\r\n`), "accepted");
});

test("[R8866-5.7-1] the media's c= beats the session's; either may be missing", () => {
  const description = parsed(
    `${MINIMAL.replace("t=", "c=IN IP4 192.0.2.1\r\nt=")}m=audio 4000 RTP/AVP 0\r\nm=audio 4002 RTP/AVP 0\r\nc=IN IP6 2001:db8::1\r\n`,
  );
  const addresses = description.media.map((media) => connectionOf(description, media)?.address);
  assert.deepEqual(addresses, ["192.0.2.1", "2001:db8::1"]);
  const without = parsed(`${MINIMAL}m=audio 4000 RTP/AVP 0\r\n`);
  assert.equal(connectionOf(without, without.media[0]!), undefined);
});

const token = fc.stringMatching(/^[A-Za-z0-9.-]{1,12}$/);
const text = fc.stringMatching(/^[ -~]{1,20}$/).filter((value) => value.trim() !== "");
const attributeLine = fc
  .tuple(token, fc.option(text))
  .map(([name, value]) => (value === null ? `a=${name}` : `a=${name}:${value}`));
const connectionLine = token.map((address) => `c=IN IP4 ${address}`);
const lines = <T>(line: fc.Arbitrary<T>) => fc.array(line, { maxLength: 4 });
const maybe = (line: fc.Arbitrary<string>) => fc.option(line).map((one) => (one === null ? [] : [one]));
const arbMedia = fc
  .tuple(
    fc
      .tuple(token, fc.nat(65_535), token, fc.array(token, { minLength: 1, maxLength: 5 }))
      .map(([kind, port, protocol, formats]) => [`m=${kind} ${port} ${protocol} ${formats.join(" ")}`]),
    maybe(text.map((value) => `i=${value}`)),
    maybe(connectionLine),
    lines(fc.tuple(token, token).map(([type, value]) => `b=${type}:${value}`)),
    lines(
      fc.oneof(
        attributeLine,
        text.map((value) => `x=${value}`),
      ),
    ),
  )
  .map((parts) => parts.flat());
const arbText = fc
  .tuple(
    fc.bigInt(0n, 2n ** 63n).map((id) => ["v=0", `o=- ${id} ${id} IN IP4 192.0.2.1`]),
    text.map((value) => [`s=${value}`]),
    maybe(connectionLine),
    lines(fc.nat().map((start) => `t=${start} 0`)).map((all) => ["t=0 0", ...all]),
    lines(attributeLine),
    lines(arbMedia).map((all) => all.flat()),
  )
  .map((parts) =>
    parts
      .flat()
      .map((line) => `${line}\r\n`)
      .join(""),
  );

test("[R8866-9-1] what is well-formed survives parse then format, octet for octet", () => {
  fc.assert(
    fc.property(arbText, (sdp) => {
      assert.equal(formatSessionDescription(parsed(sdp)), sdp);
    }),
  );
});

test("no input throws", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => void parseSessionDescription(bytes)));
  fc.assert(
    fc.property(arbText, fc.nat(), fc.string({ maxLength: 3 }), (sdp, at, junk) => {
      const place = at % sdp.length;
      const result = parseSessionDescription(sdp.slice(0, place) + junk + sdp.slice(place + junk.length));
      if (result.ok) assert.ok(parseSessionDescription(formatSessionDescription(result.value)).ok);
    }),
  );
});
