import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import type { Migration } from "kysely/migration";
import { StoreSchemaError } from "../errors.ts";
import { openStore } from "../open.ts";
import { openSqliteEngine } from "../sqlite/engine.ts";
import { keepingLog, MASTER_KEY } from "../testing/fixtures.ts";
import { migrate, migrations } from "./index.ts";

const ALL = [
  "0001-first-tables",
  "0002-siprec-detail",
  "0003-certificates",
  "0005-recordings-kept",
  "0006-recordings-in-full",
  "0007-call-reports",
];

function fileOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "callfork-migrations-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return join(folder, "callfork.db");
}

const names = (file: string) => {
  const db = new DatabaseSync(file, { readOnly: true });
  const recorded = db.prepare("select name from schema_migrations order by name").all();
  const tables = db.prepare("select name from sqlite_schema where type = 'table' order by name").all();
  db.close();
  return { recorded: recorded.map(({ name }) => name), tables: tables.map(({ name }) => String(name)) };
};

test("an empty database gets every table, in recorded steps, once", async (t) => {
  const file = fileOf(t);
  const engine = await openSqliteEngine(file);
  assert.deepEqual(await migrate(engine), Object.keys(migrations(engine)));
  assert.deepEqual(await migrate(engine), []);
  await engine.close();
  const { recorded, tables } = names(file);
  assert.deepEqual(recorded, ALL);
  for (const table of "accounts keys numbers trunks connectors calls siprec_sessions recordings tracks metadata_versions alerts outbox".split(
    " ",
  ))
    assert.ok(tables.includes(table), table);
});

test("a step that fails leaves the database as it was, the steps before it undone too", async (t) => {
  const file = fileOf(t);
  const engine = await openSqliteEngine(file);
  await migrate(engine);
  const more: Record<string, Migration> = {
    ...migrations(engine),
    "9002-good": { up: (db) => db.schema.createTable("good").addColumn("a", "text").execute() },
    "9003-bad": { up: (db) => db.schema.createTable("accounts").addColumn("a", "text").execute() },
  };
  await assert.rejects(migrate(engine, more), (error) => {
    assert.ok(error instanceof StoreSchemaError);
    assert.match(error.message, /9003-bad/);
    return true;
  });
  await engine.close();
  const { recorded, tables } = names(file);
  assert.deepEqual(recorded, ALL);
  assert.ok(!tables.includes("good"));
});

test("the next version's step runs on what the first version left", async (t) => {
  const file = fileOf(t);
  const store = await openStore({ file, masterKey: MASTER_KEY, log: keepingLog(), now: Date.now });
  const { account } = await store.accounts.ensureAccount({});
  await store.close();
  const engine = await openSqliteEngine(file);
  const next = {
    ...migrations(engine),
    "9002-colour": {
      up: (db) =>
        db.schema
          .alterTable("accounts")
          .addColumn("colour", "text", (c) => c.defaultTo("blue"))
          .execute(),
    } satisfies Migration,
  };
  assert.deepEqual(await migrate(engine, next), ["9002-colour"]);
  const [row] = await engine.db.selectFrom("accounts").selectAll().execute();
  assert.equal(row?.sid, account.sid);
  await engine.close();
  // And the first version says that it is not for it.
  await assert.rejects(openStore({ file, masterKey: MASTER_KEY, log: keepingLog(), now: Date.now }), {
    code: "STORE_SCHEMA",
  });
});

test("every list of the platform is read by an index", async (t) => {
  const file = fileOf(t);
  const engine = await openSqliteEngine(file);
  await migrate(engine);
  await engine.close();
  const db = new DatabaseSync(file);
  for (const sql of [
    "select * from calls where account_sid = 'a' order by seq desc limit 50",
    "select * from calls where account_sid = 'a' and status = 'b' order by seq desc limit 50",
    "select * from calls where account_sid = 'a' and to_address = 'b' order by seq desc limit 50",
    "select * from siprec_sessions where call_sid = 'a' and account_sid = 'b' order by seq desc limit 50",
    "select * from numbers where phone_number = 'a'",
    "select * from connectors where account_sid = 'a' and unique_name = 'b'",
    "select * from recordings where account_sid = 'a' order by seq desc limit 50",
    "select * from recordings where account_sid = 'a' and start_time >= 1 and start_time < 2",
    "select * from recordings where call_id = 'a'",
    "select recording_sid from recording_terms where kind = 'a' and value >= 'b' and value < 'c'",
    "delete from recording_terms where recording_sid = 'a'",
    "select * from recording_keeping where place = 'disk' and move_due_at <= 1 order by move_due_at",
    "select * from recording_keeping where delete_at <= 1 order by delete_at",
    "select * from recording_keeping where deleting_since >= 0",
    "select * from recording_audit where recording_sid = 'a' order by seq desc limit 50",
    "select call_id from recording_dialogs where siprec_sid = 'a'",
    "select * from siprec_sessions where account_sid = 'a' and start_time >= 1 and start_time <= 2 order by start_time desc",
    "select call_id from recording_dialogs where connector_name = 'a'",
    "select * from alerts where account_sid = 'a' order by seq desc limit 50",
    "select * from alerts where call_sid = 'a' order by seq desc limit 50",
    "delete from alerts where date_created < 1",
    "select * from outbox where status = 'pending' and due_at <= 1 order by due_at",
    "delete from outbox where date_finished < 1",
  ]) {
    const plan = db
      .prepare(`explain query plan ${sql}`)
      .all()
      .map(({ detail }) => String(detail));
    assert.ok(
      plan.every((detail) => !detail.startsWith("SCAN") && !detail.includes("TEMP B-TREE")),
      `${sql}: ${plan}`,
    );
  }
  db.close();
});
