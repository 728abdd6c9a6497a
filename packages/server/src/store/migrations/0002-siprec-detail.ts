import type { Kysely } from "kysely";

/** What happened to a fork in detail, and what a connector does besides the first version's columns; both JSON. */
export async function siprecDetail(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable("siprec_sessions").addColumn("detail", "text").execute();
  await db.schema.alterTable("connectors").addColumn("settings", "text").execute();
}
