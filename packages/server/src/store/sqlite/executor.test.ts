import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { Executor } from "./executor.ts";
import type { StoreReply, StoreRequest } from "./messages.ts";

const insert = (value: number) => ({ sql: "insert into t (v) values (?)", parameters: [value] });
const batch = (id: number, ...values: number[]): StoreRequest => ({
  id,
  kind: "batch",
  statements: values.map(insert),
});
const run = (id: number, sql: string, connection = 0): StoreRequest => {
  return { id, kind: "run", connection, statement: { sql, parameters: [] } };
};

function setUp() {
  const db = new DatabaseSync(":memory:");
  db.exec("create table t (v integer primary key)");
  const executor = new Executor(db);
  const drain = (...requests: StoreRequest[]): readonly StoreReply[] => {
    for (const request of requests) executor.add(request);
    return executor.drain();
  };
  const values = () =>
    db
      .prepare("select v from t order by v")
      .all()
      .map(({ v }) => v);
  return { db, drain, values };
}

const failed = (replies: readonly StoreReply[]) =>
  replies.filter((reply) => "failure" in reply).map(({ id }) => id);

test("what waits together is committed together, and answered in order", () => {
  const { db, drain, values } = setUp();
  const statements: string[] = [];
  const exec = db.exec.bind(db);
  db.exec = (sql) => {
    statements.push(sql);
    exec(sql);
  };
  const replies = drain(batch(1, 1, 2), batch(2, 3), run(3, "select count(*) as n from t"));
  assert.deepEqual(
    replies.map(({ id }) => id),
    [1, 2, 3],
  );
  const [, , last] = replies;
  assert.ok(last !== undefined && "results" in last);
  assert.deepEqual({ ...last.results[0]?.rows[0] }, { n: 3 });
  assert.deepEqual(values(), [1, 2, 3]);
  assert.equal(statements.filter((sql) => sql === "commit").length, 1);
});

test("one that fails takes its own statements with it and nobody else's", () => {
  const { drain, values } = setUp();
  const replies = drain(batch(1, 1), batch(2, 2, 1), batch(3, 3), run(4, "select nonsense"));
  assert.deepEqual(failed(replies), [2, 4]);
  const second = replies[1];
  assert.ok(second !== undefined && "failure" in second);
  assert.equal(second.failure.resultCode, 1555);
  assert.deepEqual(values(), [1, 3]);
});

test("a lone failing one leaves nothing behind and the next one works", () => {
  const { drain, values } = setUp();
  assert.deepEqual(failed(drain(batch(1, 1, 1))), [1]);
  assert.deepEqual(failed(drain(batch(2, 1))), []);
  assert.deepEqual(values(), [1]);
});

test("when the commit fails nobody is told that it worked", () => {
  const { db, drain, values } = setUp();
  const exec = db.exec.bind(db);
  db.exec = (sql) => {
    if (sql === "commit") throw Object.assign(new Error("disk I/O error"), { errcode: 10 });
    exec(sql);
  };
  assert.deepEqual(failed(drain(batch(1, 1), batch(2, 2))), [1, 2]);
  db.exec = exec;
  assert.deepEqual(values(), []);
  assert.deepEqual(failed(drain(batch(3, 3))), []);
});

test("when the disk is full, whatever shared the transaction fails or stands as SQLite says", () => {
  const { db, drain } = setUp();
  db.exec("create table big (b text)");
  const { page_count } = db.prepare("pragma page_count").get() as { page_count: number };
  db.exec(`pragma max_page_count=${page_count + 2}`);
  const big: StoreRequest = {
    id: 2,
    kind: "batch",
    statements: [{ sql: "insert into big values (?)", parameters: ["x".repeat(100_000)] }],
  };
  const replies = drain(batch(1, 1), big, batch(3, 3));
  assert.ok(failed(replies).includes(2));
  const stored = db
    .prepare("select v from t order by v")
    .all()
    .map(({ v }) => v);
  const acknowledged = replies.filter((reply) => "results" in reply).map(({ id }) => id);
  assert.deepEqual(stored, acknowledged);
  assert.equal(db.isTransaction, false);
});

test("a transaction that asks as it goes has the database for itself", () => {
  const { drain, values } = setUp();
  const begun = drain(
    { id: 1, kind: "begin", connection: 7 },
    batch(2, 2),
    run(3, "insert into t values (30)", 7),
  );
  assert.deepEqual(
    begun.map(({ id }) => id),
    [1, 3],
  );
  assert.deepEqual(
    drain(run(4, "insert into t values (30)", 8), { id: 5, kind: "begin", connection: 8 }),
    [],
  );
  const rolledBack = drain({ id: 6, kind: "rollback", connection: 7 });
  assert.deepEqual(
    rolledBack.map(({ id }) => id),
    [6, 2, 4, 5],
  );
  assert.deepEqual(failed(rolledBack), []);
  assert.deepEqual(
    drain({ id: 7, kind: "commit", connection: 8 }).map(({ id }) => id),
    [7],
  );
  assert.deepEqual(values(), [2, 30]);
});

test("a group is bounded, and all of a long queue is carried out", () => {
  const { drain, values } = setUp();
  const requests = Array.from({ length: 1000 }, (_, number) => batch(number, number));
  assert.deepEqual(
    drain(...requests).map(({ id }) => id),
    requests.map(({ id }) => id),
  );
  assert.equal(values().length, 1000);
});
