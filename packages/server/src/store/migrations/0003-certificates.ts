import type { Kysely } from "kysely";

/** Certificates that trunks and connectors show, whom they trust, and who may come in by certificate (JSON). PEM as it was given; keys sealed. */
export async function certificates(db: Kysely<unknown>): Promise<void> {
  for (const table of ["trunks", "connectors"]) {
    for (const column of ["certificate", "private_key", "certificate_authority"]) {
      await db.schema.alterTable(table).addColumn(column, "text").execute();
    }
  }
  await db.schema.alterTable("trunks").addColumn("allowed_certificate_names", "text").execute();
}
