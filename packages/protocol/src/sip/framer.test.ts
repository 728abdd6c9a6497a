import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { utf8Decode, utf8Encode } from "../text/index.ts";
import { type FramerOutput, SipStreamFramer } from "./framer.ts";
import { DEFAULT_SIP_LIMITS } from "./limits.ts";

const HEAD =
  "Via: SIP/2.0/TCP a;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: x\r\nCSeq: 1 INFO\r\n";

const info = (body: string, length = `l: ${utf8Encode(body).length}\r\n`) =>
  `INFO sip:b@h SIP/2.0\r\n${HEAD}${length}\r\n${body}`;

function feed(text: string, size = Number.POSITIVE_INFINITY, framer = new SipStreamFramer()): FramerOutput[] {
  const bytes = utf8Encode(text);
  const outputs: FramerOutput[] = [];
  for (let at = 0; at < bytes.length; at += size) outputs.push(...framer.push(bytes.slice(at, at + size)));
  return outputs;
}

const show = (outputs: readonly FramerOutput[]) =>
  outputs.map((output) => {
    if (output.kind === "message") return utf8Decode(output.bytes);
    return output.kind === "error" ? output.error.code : output.kind;
  });

test("[R3261-18.3-1] Content-Length frames a stream, however it is cut", () => {
  const messages = [info(""), info("a\r\n\r\nb"), info("INFO sip:x SIP/2.0\r\n\r\n"), info("ż".repeat(700))];
  const stream = messages.join("");
  for (const size of [1, 2, 3, 7, 64, 1000, Number.POSITIVE_INFINITY])
    assert.deepEqual(show(feed(stream, size)), messages);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1 }), (sizes) => {
      const bytes = utf8Encode(stream);
      const framer = new SipStreamFramer();
      const outputs: FramerOutput[] = [];
      for (let at = 0, i = 0; at < bytes.length; i++) {
        const size = sizes[i % sizes.length]!;
        outputs.push(...framer.push(bytes.slice(at, at + size)));
        at += size;
      }
      assert.deepEqual(show(outputs), messages);
    }),
  );
});

test("what was handed out stays as it was", () => {
  const framer = new SipStreamFramer();
  const outputs = [...feed(info("first").slice(0, 50), 50, framer)];
  outputs.push(
    ...feed(info("first").slice(50) + info("second").slice(0, 60), Number.POSITIVE_INFINITY, framer),
  );
  const before = show(outputs);
  feed(info("second").slice(60) + info("third"), 9, framer);
  assert.deepEqual(show(outputs), before);
});

test("a chunk may be written over once it was pushed", () => {
  const framer = new SipStreamFramer();
  const message = info("abcdef");
  const buffer = Buffer.alloc(50);
  const outputs: FramerOutput[] = [];
  for (let at = 0; at < message.length; at += 50) {
    const length = buffer.write(message.slice(at, at + 50));
    outputs.push(...framer.push(buffer.subarray(0, length)));
  }
  assert.deepEqual(show(outputs), [message]);
});

test("[R5626-4.4.1-1] two line ends between messages are a ping, one is a pong", () => {
  assert.deepEqual(show(feed("\r\n\r\n")), ["ping"]);
  assert.deepEqual(show(feed("\r\n")), ["pong"]);
  assert.deepEqual(show(feed("\r\n\r\n\r\n\r\n")), ["ping", "ping"]);
  assert.deepEqual(show(feed(`${info("")}\r\n\r\n${info("")}`)), [info(""), "ping", info("")]);
  assert.deepEqual(show(feed("\r\n\r\n", 1)), ["pong", "ping"], "half a ping may be a pong");
  assert.deepEqual(show(feed(`\r\n${info("x")}`, 1)), ["pong", info("x")]);
  assert.deepEqual(show(feed(`\r\n${info("x")}`)), ["pong", info("x")]);
});

test("[R3261-20.14-1] without a usable Content-Length framing is lost: the error can be answered, then nothing more comes", () => {
  for (const length of [
    "",
    "l: -1\r\n",
    "l: x\r\n",
    "l: 3\r\nContent-Length: 3\r\n",
    "l: 1\r\n 2\r\n",
    "l:\r\n",
  ]) {
    const framer = new SipStreamFramer();
    const outputs = feed(info("abc", length), 5, framer);
    assert.deepEqual(
      outputs.map((output) => output.kind),
      ["error"],
      length,
    );
    const [error] = outputs;
    assert.ok(
      error?.kind === "error" && error.error.status === 400 && error.error.request?.method === "INFO",
      length,
    );
    assert.deepEqual(feed(info(""), 5, framer), []);
  }
});

test("a folded or long-named Content-Length counts", () => {
  assert.deepEqual(show(feed(info("abc", "CONTENT-Length  :\r\n\t3\r\n"), 4)), [
    info("abc", "CONTENT-Length  :\r\n\t3\r\n"),
  ]);
  const decoy = info("abc", "Contact: <sip:l>\r\nSubject: a\r\n l: 9\r\nl: 3\r\n");
  assert.deepEqual(show(feed(decoy)), [decoy]);
});

test("limits on head and body hold while octets trickle in", () => {
  const limits = { ...DEFAULT_SIP_LIMITS, startLineBytes: 100, headBytes: 400, bodyBytes: 10 };
  const run = (text: string, size: number) => show(feed(text, size, new SipStreamFramer({ limits })));
  for (const size of [1, 33, 5000]) {
    assert.deepEqual(run("x".repeat(5000), size), ["SIP_TOO_LARGE"]);
    assert.deepEqual(run(info("", `X: ${"y".repeat(1000)}\r\nl: 0\r\n`), size), ["SIP_TOO_LARGE"]);
    assert.deepEqual(run(info("", "l: 11\r\n"), size), ["SIP_TOO_LARGE"]);
    assert.deepEqual(run(info("0123456789"), size), [info("0123456789")]);
  }
  assert.deepEqual(run(info("", "l: 99999999999999999999\r\n"), 7), ["SIP_CONTENT_LENGTH"]);
});
