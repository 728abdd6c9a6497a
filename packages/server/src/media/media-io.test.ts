import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";
import { createPacketIo } from "../net/index.ts";

const probe = createPacketIo({ choice: "auto" });
const worksHere = probe.io.name === "uring";
const why = worksHere ? false : `io_uring cannot be used here: ${probe.refusal}`;
await probe.io.stop();

interface Told {
  readonly implementation?: { readonly io: string; readonly refusal?: string };
  readonly warnings?: readonly (readonly [object, string])[];
  readonly sent?: number;
  readonly code?: string;
}

async function chosen(choice: string, firstPort: number, preload: readonly string[] = []): Promise<Told> {
  const program = new URL("./testing/chosen-plane.ts", import.meta.url).pathname;
  const { stdout } = await promisify(execFile)(process.execPath, [
    ...preload,
    program,
    choice,
    String(firstPort),
  ]);
  return JSON.parse(stdout) as Told;
}

const withoutKoffi = ["--import", new URL("./testing/without-koffi.ts", import.meta.url).href];

test("io_uring is taken where it works, and nothing is said of it", { skip: why }, async () => {
  const { implementation, warnings, sent } = await chosen("auto", 49_500);
  assert.deepEqual([implementation?.io, implementation?.refusal, warnings], ["uring", undefined, []]);
  assert.equal(sent, 5);
});

test("where it cannot be had, dgram carries the same packets; one line of the log says why", async () => {
  const { implementation, warnings, sent } = await chosen("auto", 49_510, withoutKoffi);
  assert.equal(implementation?.io, "dgram");
  assert.deepEqual(warnings, [
    [
      { refusal: "the package koffi is not installed" },
      "packets go by node:dgram, at twice the cost of io_uring",
    ],
  ]);
  assert.equal(sent, 5);
});

test("who demands io_uring and cannot have it is told so at the start", async () => {
  assert.equal((await chosen("uring", 49_520, withoutKoffi)).code, "MEDIA_IO_UNAVAILABLE");
});

test("who wants dgram gets it, without a word", async () => {
  const { implementation, warnings } = await chosen("dgram", 49_530);
  assert.deepEqual([implementation?.io, implementation?.refusal, warnings], ["dgram", undefined, []]);
});
