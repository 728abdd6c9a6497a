import assert from "node:assert/strict";
import { createSecretKey, type KeyObject, randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { rename } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { MessageChannel, receiveMessageOnPort } from "node:worker_threads";
import fc from "fast-check";
import { openFile } from "./file-reader.ts";
import { createFile, type FilePlace, reopenFile } from "./file-writer.ts";

const folder = mkdtempSync(join(tmpdir(), "callfork-files-"));
after(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;

const newKey = (): KeyObject => createSecretKey(randomBytes(32));
const freshPlace = (key?: KeyObject): FilePlace => ({ path: join(folder, `${++files}.bin`), key });
const HEADER = Uint8Array.from({ length: 20 }, (_, at) => at);
const damaged = { code: "RECORDING_DAMAGED" };

async function whole(place: FilePlace): Promise<Buffer> {
  const file = await openFile(place);
  assert.ok(file);
  try {
    return Buffer.from(await file.read(0, file.size));
  } finally {
    await file.close();
  }
}

const arbParts = fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 20 });

for (const [kind, key] of [
  ["plain", undefined],
  ["sealed", newKey()],
] as const) {
  test(`${kind}: what was appended is read, whole and in any range, while it is written and afterwards`, async () => {
    const property = fc.asyncProperty(arbParts, fc.nat(6_000), fc.nat(6_000), async (parts, a, b) => {
      const place = freshPlace(key);
      const file = createFile(place, HEADER);
      for (const part of parts) file.append(part);
      const live = Buffer.concat([HEADER, ...parts]);
      assert.equal(file.size, live.length);
      assert.deepEqual(await whole(place), live);
      const header = HEADER.map((octet) => octet + 100);
      file.setHeader(header);
      file.close();
      const done = Buffer.concat([header, ...parts]);
      assert.deepEqual(await whole(place), done);
      const reader = (await openFile(place))!;
      const at = a % done.length;
      assert.deepEqual(Buffer.from(await reader.read(at, b)), done.subarray(at, at + b));
      assert.equal(reader.isFinished, true);
      await reader.close();
    });
    await fc.assert(property, { numRuns: 50 });
  });

  test(`${kind}: a file that was cut anywhere keeps every whole frame, and can be gone on with`, async () => {
    const parts = [100, 1, 250, 3].map((length, at) => new Uint8Array(length).fill(at + 1));
    const size = (() => {
      const place = freshPlace(key);
      const file = createFile(place, HEADER);
      for (const part of parts) file.append(part);
      file.abandon();
      return readFileSync(place.path).length;
    })();
    for (let cut = 0; cut <= size; cut++) {
      const place = freshPlace(key);
      const file = createFile(place, HEADER);
      for (const part of parts) file.append(part);
      file.abandon();
      truncateSync(place.path, cut);
      const again = reopenFile(place, HEADER.length);
      if (again === undefined) {
        assert.ok(cut < (key === undefined ? 20 : 84), "without a whole header there is nothing");
        continue;
      }
      const kept = again.size - HEADER.length;
      again.append(Uint8Array.of(9, 9));
      again.setHeader(HEADER);
      again.close();
      const all = Buffer.concat(parts).subarray(0, kept);
      assert.deepEqual(await whole(place), Buffer.concat([HEADER, all, Uint8Array.of(9, 9)]));
      if (cut === size) assert.equal(kept, 354);
    }
  });

  test(`${kind}: a file that was finished can be reopened`, async () => {
    const place = freshPlace(key);
    const file = createFile(place, HEADER);
    file.append(Uint8Array.of(1, 2, 3));
    file.setHeader(HEADER.map(() => 7));
    file.close();
    const again = reopenFile(place, HEADER.length)!;
    assert.deepEqual(
      again.header,
      HEADER.map(() => 7),
    );
    again.append(Uint8Array.of(4));
    again.close();
    assert.deepEqual([...(await whole(place)).subarray(20)], [1, 2, 3, 4]);
  });

  test(`${kind}: one that exists is not overwritten, one that does not is nothing`, async () => {
    const place = freshPlace(key);
    createFile(place, HEADER).close();
    assert.throws(() => createFile(place, HEADER), { code: "EEXIST" });
    assert.equal(await openFile(freshPlace(key)), undefined);
  });
}

function sealedFile(key: KeyObject, isFinished: boolean): FilePlace {
  const place = freshPlace(key);
  const file = createFile(place, HEADER);
  for (let part = 0; part < 5; part++) file.append(new Uint8Array(50).fill(part));
  if (isFinished) file.close();
  else file.abandon();
  return place;
}

test("[R7866-12.4-1] sealed: nothing of the audio stands in the file, and no frame is like another", () => {
  const { path } = sealedFile(newKey(), true);
  const bytes = readFileSync(path);
  for (let part = 0; part < 5; part++) assert.equal(bytes.indexOf(Buffer.alloc(8, part), 32), -1);
});

test("sealed: any octet that is changed is found, never read as audio", async () => {
  for (const isFinished of [true, false]) {
    const place = sealedFile(newKey(), isFinished);
    const bytes = readFileSync(place.path);
    const good = await whole(place);
    for (let at = 0; at < bytes.length; at++) {
      const changed = Buffer.from(bytes);
      changed[at]! ^= 0x10;
      writeFileSync(place.path, changed);
      const read = await whole(place).catch((error: unknown) => error as Error & { code?: string });
      // Without the end of a file to vouch for it a frame's head can say that there is no more, not that there is else.
      if (Buffer.isBuffer(read)) assert.deepEqual(read, good.subarray(0, read.length), `octet ${at}`);
      // Nor can it tell a header that is said to be longer from one that is not yet there.
      else if (isFinished || at < 12 || at > 15) assert.equal(read.code, "RECORDING_DAMAGED", `octet ${at}`);
      // The first header is not read when the end has another; without its trailer the file is not finished.
      const counts = (at < 32 || at >= 84) && at < bytes.length - 16;
      if (isFinished && counts) assert.ok(!Buffer.isBuffer(read), `octet ${at}`);
    }
  }
});

test("sealed: frames cannot be left out, repeated or taken from another file", async () => {
  const key = newKey();
  const place = sealedFile(key, false);
  const bytes = readFileSync(place.path);
  const [first, frame] = [32 + 32 + 20, 32 + 50];
  writeFileSync(place.path, Buffer.concat([bytes.subarray(0, first), bytes.subarray(first + frame)]));
  await assert.rejects(whole(place), damaged);
  const other = sealedFile(key, false);
  const theirs = readFileSync(other.path);
  writeFileSync(
    place.path,
    Buffer.concat([bytes.subarray(0, first + frame), theirs.subarray(first + frame)]),
  );
  await assert.rejects(whole(place), damaged);
  await rename(other.path, place.path);
  await assert.rejects(whole(place), damaged, "under another name");
});

test("sealed: without the key, or with another, it is said plainly; a plain file in its place is not taken", async () => {
  const place = sealedFile(newKey(), true);
  await assert.rejects(whole({ ...place, key: newKey() }), damaged);
  await assert.rejects(whole({ path: place.path }), damaged);
  writeFileSync(place.path, Buffer.alloc(400, 1));
  await assert.rejects(whole(place), damaged);
  assert.throws(() => reopenFile(place, HEADER.length), damaged);
});

test("sealed: what was changed in the middle is not cut off as if a crash had done it", () => {
  const place = sealedFile(newKey(), false);
  const bytes = readFileSync(place.path);
  bytes[32 + 32 + 20 + 82 + 30]! ^= 1;
  writeFileSync(place.path, bytes);
  assert.throws(() => reopenFile(place, HEADER.length), damaged);
  assert.deepEqual(readFileSync(place.path), bytes, "and it is left as it is");
});

test("sealed: large appends are cut into frames that can be read alone", async () => {
  const place = freshPlace(newKey());
  const file = createFile(place, new Uint8Array(0));
  const octets = randomBytes(300_001);
  file.append(octets);
  file.close();
  assert.deepEqual(await whole(place), octets);
});

test("a place with its key can be posted to another thread", () => {
  const { port1, port2 } = new MessageChannel();
  const place = freshPlace(newKey());
  port1.postMessage(place);
  const { message } = receiveMessageOnPort(port2) as { message: FilePlace };
  createFile(message, HEADER).close();
  assert.ok(reopenFile(place, HEADER.length));
  port1.close();
});
