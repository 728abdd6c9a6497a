import assert from "node:assert/strict";
import { createSecretKey, randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import { openFile } from "../files/file-reader.ts";
import type { FilePlace } from "../files/file-writer.ts";
import { PayloadFile, repairPayloadFile } from "./payload-file.ts";
import type { PayloadFormat } from "./payload-format.ts";
import { eachRecord, readPayloadIndex } from "./payload-index.ts";
import {
  PAYLOAD_HEADER_BYTES,
  RECORD_HEAD_BYTES,
  readPayloadHeader,
  readRecordHead,
} from "./payload-records.ts";

const folder = mkdtempSync(join(tmpdir(), "callfork-payloads-"));
after(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;
const freshPlace = (isSealed = false): FilePlace => ({
  path: join(folder, `${++files}.cfp`),
  ...(isSealed && { key: createSecretKey(randomBytes(32)) }),
});

const OPUS: PayloadFormat = {
  payloadType: 96,
  kind: "audio",
  codec: "OPUS",
  clockRateHz: 48_000,
  channels: 2,
  fmtp: "useinbandfec=1",
};
const G729: PayloadFormat = {
  payloadType: 18,
  kind: "audio",
  codec: "G729",
  clockRateHz: 8_000,
  channels: 1,
};

interface Kept {
  readonly payload: Uint8Array;
  readonly position: number;
  readonly sequence: number;
  readonly codec: string;
}

function write(
  place: FilePlace,
  payloads: readonly Uint8Array[],
  change = Number.POSITIVE_INFINITY,
): PayloadFile {
  const file = new PayloadFile(place, 48_000, 1_000_000_000_000.5);
  for (const [index, payload] of payloads.entries()) {
    const format = index < change ? OPUS : G729;
    const packet = {
      ssrc: 1,
      sequence: index & 0xffff,
      timestamp: index * 960,
      payloadType: format.payloadType,
      arrivalTime: 1e12 + 20 * index,
    };
    file.append(payload, format, packet, 960 * index, 960);
  }
  return file;
}

async function read(place: FilePlace): Promise<Kept[]> {
  const file = (await openFile(place))!;
  const kept: Kept[] = [];
  const codecs = new Map<number, string>();
  await eachRecord(file, PAYLOAD_HEADER_BYTES, (octets, at) => {
    const head = readRecordHead(octets, at)!;
    const body = octets.slice(at + RECORD_HEAD_BYTES, at + RECORD_HEAD_BYTES + head.bodyLength);
    if (head.kind === "format")
      codecs.set(head.payloadType, JSON.parse(new TextDecoder().decode(body)).codec);
    else
      kept.push({
        payload: body,
        position: head.position,
        sequence: head.sequence,
        codec: codecs.get(head.payloadType)!,
      });
    return true;
  });
  await file.close();
  return kept;
}

const arbPayloads = fc.array(fc.uint8Array({ minLength: 1, maxLength: 400 }), {
  minLength: 1,
  maxLength: 120,
});

for (const isSealed of [false, true]) {
  const kind = isSealed ? "sealed" : "plain";
  test(`${kind}: payloads of every codec come back as they were, with their places, before and after the end`, async () => {
    const property = fc.asyncProperty(arbPayloads, fc.nat(120), async (payloads, change) => {
      const place = freshPlace(isSealed);
      const file = write(place, payloads, change);
      file.flush();
      const meant = payloads.map((payload, index) => ({
        payload,
        position: 960 * index,
        sequence: index,
        codec: index < change ? "OPUS" : "G729",
      }));
      assert.deepEqual(await read(place), meant);
      file.close();
      assert.deepEqual(await read(place), meant);
      const index = (await readPayloadIndex(() => openFile(place)))!;
      assert.equal(index.header.durationTicks, 960 * payloads.length);
      assert.deepEqual([index.records, index.recordBytes], [index.header.records, index.header.recordBytes]);
      assert.equal(index.formats.length, change === 0 || change >= payloads.length ? 1 : 2);
    });
    await fc.assert(property, { numRuns: 40 });
  });
}

test("a file that was cut anywhere is repaired by its whole records, and repairing it again changes nothing", async () => {
  const payloads = Array.from({ length: 30 }, (_, index) => new Uint8Array(20 + index).fill(index));
  const whole = freshPlace();
  write(whole, payloads).flush();
  const octets = readFileSync(whole.path);
  for (let length = 0; length <= octets.length; length += 7) {
    const place = freshPlace();
    writeFileSync(place.path, octets);
    truncateSync(place.path, length);
    const ticks = await repairPayloadFile(place);
    if (length < PAYLOAD_HEADER_BYTES) {
      assert.equal(ticks, undefined);
      continue;
    }
    const kept = await read(place);
    assert.deepEqual(
      kept.map(({ payload }) => payload),
      payloads.slice(0, kept.length),
    );
    assert.equal(ticks, 960 * kept.length);
    const header = readPayloadHeader(readFileSync(place.path))!;
    assert.equal(header.durationTicks, ticks);
    assert.equal(await repairPayloadFile(place), ticks);
  }
});

test("what is no payload file is left alone", async () => {
  const place = freshPlace();
  writeFileSync(place.path, new Uint8Array(500).fill(1));
  assert.equal(await repairPayloadFile(place), undefined);
  assert.deepEqual([...new Set(readFileSync(place.path))], [1]);
  assert.equal(await repairPayloadFile({ path: join(folder, "none.cfp") }), undefined);
});
