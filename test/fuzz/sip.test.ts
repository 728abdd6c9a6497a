import assert from "node:assert/strict";
import { test } from "node:test";
import {
  DEFAULT_SIP_LIMITS,
  flattenBody,
  formatSipMessage,
  parseAuthParams,
  parseContentDisposition,
  parseMediaType,
  parseMultipart,
  parseReason,
  parseRetryAfter,
  parseSessionExpires,
  parseSipDate,
  parseSipMessage,
  parseUri,
  type SipMessage,
  SipStreamFramer,
} from "@callfork/protocol/sip";
import { type Below, corpusOf, filesIn, fuzz, join, mutate, octetsOf, rounds } from "./fuzzer.ts";

const GOLDEN = new URL("../golden/sip/", import.meta.url);
const corpus = ["valid", "valid", "layered", "layered", "invalid"]
  .flatMap((folder) => filesIn(new URL(`${folder}/`, GOLDEN)))
  .concat(corpusOf("sip"));

const SPICE = [
  "\r\n",
  "\r\n\r\n",
  "\n",
  "\r",
  "\0",
  "\\",
  '"',
  "<",
  ">",
  ",",
  ";",
  "=",
  ":",
  "%",
  "%00",
  "[",
  "]",
]
  .concat([
    "@",
    " ",
    "\t",
    "Content-Length: 5\r\n",
    "l:-1\r\n",
    "\r\n--cut:here =?\r\n",
    "--",
    "\xff",
    "\xc3",
  ])
  .concat(["9".repeat(20), "SIP/2.0", "?a=b"])
  .map(octetsOf);

const mutation = (random: Below): Uint8Array => mutate(corpus, SPICE, random);

/** Every typed reader on every value, fitting or not. */
function readEverything(message: SipMessage): void {
  const names = new Set<string>();
  for (const [name, value] of message.headers.entries()) {
    if (!names.has(name)) message.headers.list(name);
    names.add(name);
    for (const read of [
      parseUri,
      parseMediaType,
      parseContentDisposition,
      parseReason,
      parseRetryAfter,
      parseSessionExpires,
      parseSipDate,
      parseAuthParams,
    ])
      read(value);
  }
  for (const lenient of [false, true]) flattenBody(message, { lenient });
}

test("no mutation of a message makes a parser throw or take long, and what is accepted can be written and read again", () => {
  let accepted = 0;
  fuzz("sip", mutation, (bytes) => {
    for (const framing of ["datagram", "stream"] as const) {
      const parsed = parseSipMessage(bytes, { framing });
      const message = parsed.ok ? parsed.value : parsed.error.request;
      if (message !== undefined) readEverything(message);
      if (!parsed.ok) {
        assert.ok(parsed.error.offset <= bytes.length, "offset beyond the end");
        continue;
      }
      accepted++;
      const again = parseSipMessage(formatSipMessage(parsed.value), { framing: "stream" });
      assert.ok(again.ok, again.ok ? "" : again.error.message);
      const names = (each: SipMessage) =>
        [...each.headers.entries()].map(([name]) => name.toLowerCase()).sort();
      const written = names(again.value).filter((name) => name !== "content-length");
      assert.deepEqual(
        written,
        names(parsed.value).filter((name) => name !== "content-length"),
      );
      assert.deepEqual(Buffer.from(again.value.body), Buffer.from(parsed.value.body));
    }
  });
  assert.ok(accepted > rounds / 20, `only ${accepted} accepted: the mutations are too wild to test much`);
});

test("no mutation makes the framer throw, hold too much, take long, or depend on how the stream is cut", () => {
  const limits = { ...DEFAULT_SIP_LIMITS, headBytes: 8_000, bodyBytes: 4_000 };
  const two = (random: Below): Uint8Array => join(mutation(random), mutation(random));
  fuzz("sip-stream", two, (bytes, random) => {
    const whole = messages(new SipStreamFramer({ limits }).push(bytes));
    const framer = new SipStreamFramer({ limits });
    const cut: string[] = [];
    for (let at = 0; at < bytes.length; ) {
      const size = 1 + random(200);
      cut.push(...messages(framer.push(bytes.slice(at, at + size))));
      at += size;
    }
    assert.deepEqual(cut, whole);
  });
});

function messages(outputs: ReturnType<SipStreamFramer["push"]>): string[] {
  const kept = outputs.filter((output) => output.kind === "message" || output.kind === "error");
  return kept.map((output) =>
    output.kind === "message" ? Buffer.from(output.bytes).toString("latin1") : "close",
  );
}

test("no mutation makes the multipart reader throw or take long, strict or lenient", () => {
  const source = corpus.find((bytes) => Buffer.from(bytes).includes("--cut:here"))!;
  const body = source.subarray(Buffer.from(source).indexOf("\r\n\r\n") + 4);
  const gentle = (random: Below): Uint8Array => {
    const at = random(body.length);
    const end = Math.min(body.length, at + random(40));
    const spice = SPICE[random(SPICE.length)]!;
    return join(body.subarray(0, at), spice, body.subarray(random(2) === 0 ? at : end));
  };
  let opened = 0;
  fuzz("multipart", gentle, (bytes) => {
    for (const lenient of [false, true]) {
      const parsed = parseMultipart(bytes, 'multipart/mixed;boundary="cut:here =?"', { lenient });
      if (!parsed.ok) continue;
      opened++;
      const size = parsed.value.parts.reduce((sum, part) => sum + part.body.length, 0);
      assert.ok(size <= bytes.length, "parts larger than the whole");
    }
  });
  assert.ok(opened > rounds, "most mutations should leave something to read");
});

test("a megabyte of anything in one value is read in linear time", () => {
  // Quadratic reading of this would not come to an end at all; no clock is needed to notice.
  const size = 1_000_000;
  const blanks = " ".repeat(size);
  const values = [`a${blanks}b`, `h${blanks}:`, `"${"\\".repeat(size)}`];
  for (const c of [";", ",", "<", '"', "%", ":", "(", "=", "a=", "a"]) values.push(c.repeat(size));
  const limits = { ...DEFAULT_SIP_LIMITS, headerLineBytes: 3 * size, headBytes: 6 * size };
  for (const value of values) {
    for (const name of ["Via", "From", "Contact", "CSeq", "Call-ID", "Content-Length"]) {
      const usual = [
        "Via: SIP/2.0/UDP h",
        "From: <sip:a@h>",
        "To: <sip:b@h>",
        "Call-ID: x",
        "CSeq: 1 INVITE",
      ];
      const rest = usual.filter((line) => !line.startsWith(name)).join("\r\n");
      const text = `INVITE sip:a@h SIP/2.0\r\n${name}: ${name === "Via" ? "SIP/2.0/UDP " : ""}${value}\r\n${rest}\r\n\r\n`;
      parseSipMessage(Buffer.from(text), { limits });
    }
    for (const read of [
      parseMediaType,
      parseContentDisposition,
      parseReason,
      parseRetryAfter,
      parseAuthParams,
      parseSipDate,
    ])
      read(value);
    parseUri(`sip:${value}`);
    parseUri(`sip:${value}%41@h`);
    parseRetryAfter(`1 ${value}`);
    parseAuthParams(`Digest ${value}`);
  }
});
