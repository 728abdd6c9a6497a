import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
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

// Bounded and seeded: the same mutations every time. Another seed: CALLFORK_FUZZ_SEED.
const SEED = Number(process.env.CALLFORK_FUZZ_SEED ?? 0x5eed);
const ROUNDS = 4000;

/** mulberry32: small, and good enough to stir octets. */
function randomOf(seed: number): (below: number) => number {
  let state = seed | 0;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

const GOLDEN = new URL("../golden/sip/", import.meta.url);
const corpus: Uint8Array[] = ["valid", "valid", "layered", "layered", "invalid"].flatMap((folder) =>
  readdirSync(new URL(`${folder}/`, GOLDEN))
    .sort()
    .map((file) => new Uint8Array(readFileSync(new URL(`${folder}/${file}`, GOLDEN)))),
);

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
  "@",
  " ",
  "\t",
]
  .concat([
    "Content-Length: 5\r\n",
    "l:-1\r\n",
    "\r\n--cut:here =?\r\n",
    "--",
    "\xff",
    "\xc3",
    "9".repeat(20),
    "SIP/2.0",
    "?a=b",
  ])
  .map((text) => Uint8Array.from(text, (c) => c.charCodeAt(0)));

function mutate(random: (below: number) => number): Uint8Array {
  let bytes = corpus[random(corpus.length)]!;
  for (let times = 1 + random(4); times > 0; times--) {
    const at = random(bytes.length + 1);
    const end = Math.min(bytes.length, at + random(30));
    const head = bytes.subarray(0, at);
    switch (random(6)) {
      case 0:
        bytes = join(head, bytes.subarray(end));
        break;
      case 1:
        bytes = join(head, SPICE[random(SPICE.length)]!, bytes.subarray(at));
        break;
      case 2:
        bytes = join(head, SPICE[random(SPICE.length)]!, bytes.subarray(end));
        break;
      case 3:
        bytes = join(bytes.subarray(0, end), bytes.subarray(at));
        break;
      case 4: {
        const other = corpus[random(corpus.length)]!;
        bytes = join(head, other.subarray(random(other.length)));
        break;
      }
      default:
        bytes = bytes.slice();
        if (at < bytes.length) bytes[at] = random(256);
    }
  }
  return bytes;
}

function join(...chunks: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(chunks));
}

/** Every typed reader on every value, fitting or not. */
function readEverything(message: SipMessage): void {
  for (const [name, value] of message.headers.entries()) {
    message.headers.list(name);
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

test("no mutation of a message makes a parser throw, and what is accepted can be written and read again", () => {
  const random = randomOf(SEED);
  let accepted = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const bytes = mutate(random);
    for (const framing of ["datagram", "stream"] as const) {
      const parsed = parseSipMessage(bytes, { framing });
      const message = parsed.ok ? parsed.value : parsed.error.request;
      if (message !== undefined) readEverything(message);
      if (!parsed.ok) {
        assert.ok(parsed.error.offset <= bytes.length, `round ${round}: offset beyond the end`);
        continue;
      }
      accepted++;
      const again = parseSipMessage(formatSipMessage(parsed.value), { framing: "stream" });
      assert.ok(again.ok, `round ${round}: ${again.ok ? "" : again.error.message}`);
      const names = (each: SipMessage) =>
        [...each.headers.entries()].map(([name]) => name.toLowerCase()).sort();
      const written = names(again.value).filter((name) => name !== "content-length");
      assert.deepEqual(
        written,
        names(parsed.value).filter((name) => name !== "content-length"),
        `round ${round}`,
      );
      assert.deepEqual(Buffer.from(again.value.body), Buffer.from(parsed.value.body), `round ${round}`);
    }
  }
  assert.ok(accepted > ROUNDS / 20, `only ${accepted} accepted: the mutations are too wild to test much`);
});

test("no mutation makes the framer throw, hold too much, or depend on how the stream is cut", () => {
  const random = randomOf(SEED + 1);
  const limits = { ...DEFAULT_SIP_LIMITS, headBytes: 8_000, bodyBytes: 4_000 };
  for (let round = 0; round < ROUNDS; round++) {
    const bytes = join(mutate(random), mutate(random));
    const whole = messages(new SipStreamFramer({ limits }).push(bytes));
    const framer = new SipStreamFramer({ limits });
    const cut: string[] = [];
    for (let at = 0; at < bytes.length; ) {
      const size = 1 + random(200);
      cut.push(...messages(framer.push(bytes.slice(at, at + size))));
      at += size;
    }
    assert.deepEqual(cut, whole, `round ${round}`);
  }
});

function messages(outputs: ReturnType<SipStreamFramer["push"]>): string[] {
  const kept = outputs.filter((output) => output.kind === "message" || output.kind === "error");
  return kept.map((output) =>
    output.kind === "message" ? Buffer.from(output.bytes).toString("latin1") : "close",
  );
}

test("no mutation makes the multipart reader throw, strict or lenient", () => {
  const random = randomOf(SEED + 2);
  const source = corpus.find((bytes) => Buffer.from(bytes).includes("--cut:here"))!;
  const body = source.subarray(Buffer.from(source).indexOf("\r\n\r\n") + 4);
  let opened = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const at = random(body.length);
    const end = Math.min(body.length, at + random(40));
    const spice = SPICE[random(SPICE.length)]!;
    const mutated = join(body.subarray(0, at), spice, body.subarray(random(2) === 0 ? at : end));
    for (const lenient of [false, true]) {
      const parsed = parseMultipart(mutated, 'multipart/mixed;boundary="cut:here =?"', { lenient });
      if (!parsed.ok) continue;
      opened++;
      const size = parsed.value.parts.reduce((sum, part) => sum + part.body.length, 0);
      assert.ok(size <= mutated.length, `round ${round}: parts larger than the whole`);
    }
  }
  assert.ok(opened > ROUNDS, "most mutations should leave something to read");
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
