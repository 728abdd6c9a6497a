import type { ColumnDataType, CreateTableBuilder, Kysely } from "kysely";

/** How recordings are kept, found and deleted: holds, keys, retention, where their files are, who heard them. */
export async function recordingsKept(db: Kysely<unknown>, serialType: "integer" | "serial"): Promise<void> {
  const { schema } = db;
  const withSeq = (name: string): CreateTableBuilder<string, "seq"> =>
    schema
      .createTable(name)
      .addColumn("seq", serialType as ColumnDataType, (column) =>
        serialType === "integer" ? column.primaryKey().autoIncrement() : column.primaryKey(),
      );
  await schema.alterTable("recordings").addColumn("call_id", "text").execute();
  await schema.createIndex("recordings_by_call_id").on("recordings").column("call_id").execute();
  await schema
    .createIndex("recordings_by_start")
    .on("recordings")
    .columns(["account_sid", "start_time"])
    .execute();

  await schema
    .createTable("recording_keeping")
    .addColumn("recording_sid", "text", (column) => column.primaryKey())
    .addColumn("hold_reason", "text")
    .addColumn("hold_since", "bigint")
    .addColumn("sealed_key", "text")
    .addColumn("retention_version", "text")
    .addColumn("delete_at", "bigint")
    .addColumn("deleting_since", "bigint")
    .addColumn("place", "text", (column) => column.notNull())
    .addColumn("move_attempts", "integer", (column) => column.notNull())
    .addColumn("move_due_at", "bigint", (column) => column.notNull())
    .addColumn("move_error", "text")
    .addColumn("move_progress", "text")
    .addColumn("files", "text")
    .execute();
  await schema
    .createIndex("recording_keeping_by_place")
    .on("recording_keeping")
    .columns(["place", "move_due_at"])
    .execute();
  await schema
    .createIndex("recording_keeping_by_delete_at")
    .on("recording_keeping")
    .column("delete_at")
    .execute();
  await schema
    .createIndex("recording_keeping_deleting")
    .on("recording_keeping")
    .column("deleting_since")
    .execute();
  await schema
    .createIndex("recording_keeping_by_retention")
    .on("recording_keeping")
    .column("retention_version")
    .execute();

  await schema
    .createTable("recording_terms")
    .addColumn("kind", "text", (column) => column.notNull())
    .addColumn("value", "text", (column) => column.notNull())
    .addColumn("recording_sid", "text", (column) => column.notNull())
    .addPrimaryKeyConstraint("recording_terms_key", ["kind", "value", "recording_sid"])
    .execute();
  await schema
    .createIndex("recording_terms_by_recording")
    .on("recording_terms")
    .column("recording_sid")
    .execute();

  await withSeq("recording_audit")
    .addColumn("account_sid", "text", (column) => column.notNull())
    .addColumn("recording_sid", "text", (column) => column.notNull())
    .addColumn("time", "bigint", (column) => column.notNull())
    .addColumn("action", "text", (column) => column.notNull())
    .addColumn("actor", "text", (column) => column.notNull())
    .addColumn("address", "text")
    .addColumn("detail", "text")
    .execute();
  await schema
    .createIndex("recording_audit_list")
    .on("recording_audit")
    .columns(["recording_sid", "seq"])
    .execute();
  await schema.createIndex("recording_audit_by_time").on("recording_audit").column("time").execute();

  await withSeq("retention_rules")
    .addColumn("sid", "text", (column) => column.notNull().unique())
    .addColumn("account_sid", "text", (column) => column.notNull())
    .addColumn("number", "text")
    .addColumn("label", "text")
    .addColumn("connector_name", "text")
    .addColumn("retention_days", "integer", (column) => column.notNull())
    .addColumn("date_created", "bigint", (column) => column.notNull())
    .execute();

  await schema
    .createTable("recording_dialogs")
    .addColumn("call_id", "text", (column) => column.primaryKey())
    .addColumn("siprec_sid", "text", (column) => column.notNull())
    .addColumn("connector_name", "text", (column) => column.notNull())
    .execute();
  await schema
    .createIndex("recording_dialogs_by_siprec")
    .on("recording_dialogs")
    .column("siprec_sid")
    .execute();
  await schema
    .createIndex("siprec_sessions_by_start")
    .on("siprec_sessions")
    .columns(["account_sid", "start_time"])
    .execute();
  await schema
    .createIndex("recording_dialogs_by_connector")
    .on("recording_dialogs")
    .column("connector_name")
    .execute();

  // Recordings that older versions made: kept on the disk, plain.
  const rows = (await db
    .selectFrom("recordings" as never)
    .select(["sid", "source"] as never)
    .execute()) as unknown as readonly { readonly sid: string; readonly source: string }[];
  for (const { sid, source } of rows) {
    const { callId } = JSON.parse(source) as { readonly callId?: string };
    await db
      .updateTable("recordings" as never)
      .set({ call_id: callId ?? null } as never)
      .where("sid" as never, "=", sid as never)
      .execute();
    await db
      .insertInto("recording_keeping" as never)
      .values({ recording_sid: sid, place: "disk", move_attempts: 0, move_due_at: 0 } as never)
      .execute();
  }
}
