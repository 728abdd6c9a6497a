import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { openStore } from "../open.ts";
import { ACCOUNT, keepingLog, MASTER_KEY, sid } from "../testing/fixtures.ts";

const CHILD = join(import.meta.dirname, "..", "testing", "crash-child.ts");

/** Lets the child acknowledge so many saves, then kills it; returns what it acknowledged. */
async function acknowledgedUntilKilled(file: string, first: number, count: number): Promise<number[]> {
  const child = spawn(process.execPath, [CHILD, file, String(first)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const numbers: number[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    numbers.push(Number(line));
    if (numbers.length === count) child.kill("SIGKILL");
  }
  assert.equal(child.signalCode ?? "SIGKILL", "SIGKILL");
  return numbers;
}

test("killed at any moment: every acknowledged call is there with the callback it owes", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "callfork-kill-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "callfork.db");
  let first = 1;
  for (const count of [1, 40, 333]) {
    const acknowledged = await acknowledgedUntilKilled(file, first, count);
    assert.ok(acknowledged.length >= count);
    const store = await openStore({ file, masterKey: MASTER_KEY, log: keepingLog(), now: Date.now });
    for (const number of acknowledged)
      assert.ok(await store.api.call(ACCOUNT, sid("CA", number)), `call ${number}`);
    await store.close();
    const db = new DatabaseSync(file);
    const lonely = db
      .prepare("select count(*) as n from calls where sid not in (select call_sid from outbox)")
      .get();
    assert.deepEqual({ ...lonely }, { n: 0 });
    assert.deepEqual({ ...db.prepare("pragma integrity_check").get() }, { integrity_check: "ok" });
    db.close();
    first += 100_000;
  }
});
