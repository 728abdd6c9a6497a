import { closeSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import { describe, Executor } from "./executor.ts";
import type { StoreGreeting, StoreRequest } from "./messages.ts";

const SQLITE_BUSY = 5;

/** The thread that owns the SQLite connection: synchronous calls and disk syncs stall nobody else here. */
function main(): void {
  const port = parentPort!;
  const { file } = workerData as { readonly file: string };
  const greet = (greeting: StoreGreeting) => port.postMessage(greeting);
  let owner: DatabaseSync | undefined;
  let db: DatabaseSync;
  try {
    if (file !== ":memory:") owner = takeOwnership(file);
    db = new DatabaseSync(file);
    // FULL: the commit returns after the sync, so what is acknowledged survives the loss of power.
    db.exec(
      "pragma journal_mode=wal; pragma synchronous=full; pragma foreign_keys=on; pragma busy_timeout=5000; pragma secure_delete=on",
    );
  } catch (error) {
    owner?.close();
    const failure = describe(error);
    greet({ ready: false, locked: (failure.resultCode & 0xff) === SQLITE_BUSY, failure });
    return;
  }

  const executor = new Executor(db);
  let scheduled = false;
  port.on("message", (request: StoreRequest) => {
    if (request.kind === "close") {
      for (const reply of executor.drain()) port.postMessage(reply);
      db.close();
      owner?.close();
      port.postMessage({ id: request.id, results: [] });
      port.close();
      return;
    }
    executor.add(request);
    if (scheduled) return;
    scheduled = true;
    // By then everything that has already arrived is in the queue, and shares the commit.
    setImmediate(() => {
      scheduled = false;
      for (const reply of executor.drain()) port.postMessage(reply);
    });
  });
  greet({ ready: true, sqliteVersion: process.versions.sqlite ?? "" });
}

/**
 * Takes a lock that the system gives back when the process dies, however it dies. It stands beside the database, not on
 * it, so that an operator can still look at the database or back it up while we run.
 */
function takeOwnership(file: string): DatabaseSync {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  for (const path of [file, `${file}-owner`]) closeSync(openSync(path, "a", 0o600));
  const lock = new DatabaseSync(`${file}-owner`);
  try {
    lock.exec("pragma journal_mode=memory; begin exclusive");
  } catch (error) {
    lock.close();
    throw error;
  }
  return lock;
}

main();
