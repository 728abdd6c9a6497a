import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8Decode, utf8Encode } from "../text/index.ts";
import { findParts, flattenBody, partDisposition, partMediaType } from "./body.ts";
import { SipHeaders } from "./headers.ts";
import type { MultipartOptions } from "./multipart.ts";

const message = (type: string | undefined, body: string, more: [string, string][] = []) => ({
  headers: new SipHeaders([
    ["Via", "x"],
    ["Content-Length", "9"],
    ...(type ? [["c", type] as const] : []),
    ...more,
  ]),
  body: utf8Encode(body),
});

function flatten(type: string | undefined, body: string, options?: MultipartOptions) {
  const flat = flattenBody(message(type, body), options);
  assert.ok(flat.ok, flat.ok ? "" : flat.error.message);
  return flat.value.parts;
}

const multi = (boundary: string, parts: readonly (readonly [type: string, body: string])[]) =>
  `${parts.map(([type, body]) => `--${boundary}\r\n${type === "" ? "" : `Content-Type: ${type}\r\n`}\r\n${body}\r\n`).join("")}--${boundary}--\r\n`;

test("[R5621-4.2-1] nested multiparts are opened: mixed in mixed, alternative with two descriptions", () => {
  const alternative = multi("alt", [
    ["application/sdp", "v=0 a"],
    ["application/sdp", "v=0 b"],
  ]);
  const inner = multi("in", [["application/rs-metadata+xml", "<r/>"]]);
  const outer = multi("out", [
    ["multipart/alternative;boundary=alt", alternative],
    ["multipart/mixed;boundary=in", inner],
    ["text/plain", "bye"],
  ]);
  const parts = flatten("multipart/mixed;boundary=out", outer);
  assert.deepEqual(
    parts.map((part) => utf8Decode(part.body)),
    ["v=0 a", "v=0 b", "<r/>", "bye"],
  );
  assert.deepEqual(
    parts.map((part) => part.containers.map((each) => partMediaType(each)!.subtype).join("/")),
    ["mixed/alternative", "mixed/alternative", "mixed/mixed", "mixed"],
  );
  assert.equal(parts[0]!.containers[1], parts[1]!.containers[1], "siblings share their container");
});

test("[R5621-X-1] metadata may come before the session description", () => {
  for (const order of [0, 1]) {
    const both = [
      ["application/sdp", "v=0"],
      ["application/rs-metadata+xml", "<r/>"],
    ] as const;
    const body = multi("b", order === 0 ? both : [both[1], both[0]]);
    const parts = flatten("multipart/mixed;boundary=b", body);
    assert.equal(utf8Decode(findParts(parts, "application/sdp")[0]!.body), "v=0");
    assert.equal(utf8Decode(findParts(parts, "application/rs-metadata+xml")[0]!.body), "<r/>");
  }
});

test("[R2046-5.1.1-4] a part without headers is text/plain", () => {
  const [part] = flatten("multipart/mixed;boundary=b", multi("b", [["", "hello"]]));
  assert.deepEqual(partMediaType(part!), { type: "text", subtype: "plain", params: new Map() });
});

test("[R3261-13.2.1-3] without Content-Disposition a session description is for the session, all else to render", () => {
  const parts = flatten(
    "multipart/mixed;boundary=b",
    multi("b", [
      ["application/SDP", "v=0"],
      ["application/rs-metadata+xml", "<r/>"],
      ["application/rs-metadata+xml\r\nContent-Disposition: Recording-Session", "<r/>"],
    ]),
  );
  assert.deepEqual(
    parts.map((part) => partDisposition(part).type),
    ["session", "render", "recording-session"],
  );
  assert.deepEqual(
    parts.map((part) => part.headers.has("Content-Disposition")),
    [false, false, true],
  );
});

test("a body that is no multipart is one part with the message's own Content headers; no body, no part", () => {
  const flat = flattenBody(message("application/sdp", "v=0", [["Content-Disposition", "session"]]));
  assert.ok(flat.ok);
  assert.deepEqual(
    [...flat.value.parts[0]!.headers.entries()].map(([name]) => name),
    ["Content-Type", "Content-Disposition"],
  );
  assert.deepEqual(flat.value.parts[0]!.containers, []);
  assert.deepEqual(flatten(undefined, ""), []);
});

test("depth and number of leaves are bounded", () => {
  let body = "x";
  let type = "text/plain";
  for (let level = 0; level < 5; level++) {
    body = multi(`b${level}`, [[type, body]]);
    type = `multipart/mixed;boundary=b${level}`;
  }
  const deep = flattenBody(message(type, body), { lenient: true });
  assert.ok(!deep.ok && deep.error.code === "MULTIPART_TOO_LARGE");
});
