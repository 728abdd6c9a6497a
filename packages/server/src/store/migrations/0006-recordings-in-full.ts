import type { Kysely } from "kysely";

/** What is known of a recording beyond its first columns: markers and track details (JSON), and whose part it is. */
export async function recordingsInFull(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable("recordings").addColumn("markers", "text").execute();
  await db.schema.alterTable("recordings").addColumn("part_of", "text").execute();
  await db.schema.alterTable("tracks").addColumn("detail", "text").execute();
  await db.schema.createIndex("recordings_by_part_of").on("recordings").column("part_of").execute();
}
