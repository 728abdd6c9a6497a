import type { Kysely } from "kysely";

/** Whom the end of a call is still owed to (JSON), and how a number's callers are told that they are recorded. */
export async function callReports(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable("calls").addColumn("reporting", "text").execute();
  for (const column of ["recording_notice", "recording_announcement_url"]) {
    await db.schema.alterTable("numbers").addColumn(column, "text").execute();
  }
}
