import type { Migration } from "kysely/migration";
import { Migrator } from "kysely/migration";
import type { Engine } from "../engine.ts";
import { StoreSchemaError } from "../errors.ts";
import { firstTables } from "./0001-first-tables.ts";
import { siprecDetail } from "./0002-siprec-detail.ts";
import { certificates } from "./0003-certificates.ts";
import { recordingsKept } from "./0005-recordings-kept.ts";
import { recordingsInFull } from "./0006-recordings-in-full.ts";
import { callReports } from "./0007-call-reports.ts";

/** In the order of their names. Kysely records each one that ran in `schema_migrations`. */
export function migrations(engine: Pick<Engine, "serialType">): Readonly<Record<string, Migration>> {
  return {
    "0001-first-tables": { up: (db) => firstTables(db, engine.serialType) },
    "0002-siprec-detail": { up: (db) => siprecDetail(db) },
    "0003-certificates": { up: (db) => certificates(db) },
    "0005-recordings-kept": { up: (db) => recordingsKept(db, engine.serialType) },
    "0006-recordings-in-full": { up: (db) => recordingsInFull(db) },
    "0007-call-reports": { up: (db) => callReports(db) },
  };
}

/**
 * Brings the schema up to date, all steps in one transaction.
 *
 * @returns the names of the migrations that ran
 * @throws `StoreSchemaError`; the database is as it was before
 */
export async function migrate(
  engine: Pick<Engine, "db" | "serialType">,
  all: Readonly<Record<string, Migration>> = migrations(engine),
): Promise<readonly string[]> {
  const migrator = new Migrator({
    db: engine.db,
    provider: { getMigrations: async () => all },
    migrationTableName: "schema_migrations",
    migrationLockTableName: "schema_migrations_lock",
  });
  const { error, results } = await migrator.migrateToLatest();
  if (error !== undefined) {
    const failed = results?.find(({ status }) => status === "Error")?.migrationName;
    // Kysely's own complaint: a migration is recorded that this version does not know.
    const message =
      failed === undefined
        ? "the database cannot be brought up to date; was it made by a newer version?"
        : `migration ${failed} failed; the database is as it was before`;
    throw new StoreSchemaError(message, { cause: error });
  }
  return (results ?? []).map(({ migrationName }) => migrationName);
}
