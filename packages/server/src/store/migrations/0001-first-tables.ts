import type { ColumnDataType, CreateTableBuilder, Kysely } from "kysely";

/** The tables of the first version. A migration that has been released is never edited: the next one changes it. */
export async function firstTables(db: Kysely<unknown>, serialType: "integer" | "serial"): Promise<void> {
  const table = (name: string, withSeq = true) => {
    const builder: CreateTableBuilder<string, string> = db.schema.createTable(name);
    if (!withSeq) return builder;
    return builder.addColumn("seq", serialType as ColumnDataType, (column) =>
      serialType === "integer" ? column.primaryKey().autoIncrement() : column.primaryKey(),
    );
  };
  const index = (name: string, on: string, columns: string[]) =>
    db.schema.createIndex(name).on(on).columns(columns).execute();
  const unique = (name: string, on: string, columns: string[]) =>
    db.schema.createIndex(name).unique().on(on).columns(columns).execute();

  await columns(table("accounts"), {
    sid: "text!",
    friendly_name: "text!",
    status: "text!",
    auth_token: "text!",
    date_created: "bigint!",
    date_updated: "bigint!",
  }).execute();
  await unique("accounts_sid", "accounts", ["sid"]);

  await columns(table("keys"), {
    sid: "text!",
    account_sid: "text!",
    friendly_name: "text!",
    secret_hash: "text!",
    date_created: "bigint!",
    date_updated: "bigint!",
  }).execute();
  await unique("keys_sid", "keys", ["sid"]);
  await index("keys_list", "keys", ["account_sid", "seq"]);

  await columns(table("numbers"), {
    sid: "text!",
    account_sid: "text!",
    phone_number: "text!",
    friendly_name: "text!",
    voice_url: "text",
    voice_method: "text!",
    voice_fallback_url: "text",
    voice_fallback_method: "text!",
    voice_twiml: "text",
    status_callback: "text",
    status_callback_method: "text!",
    date_created: "bigint!",
    date_updated: "bigint!",
  }).execute();
  await unique("numbers_sid", "numbers", ["sid"]);
  // Of any account: an inbound call names a number, not an account.
  await unique("numbers_phone_number", "numbers", ["phone_number"]);
  await index("numbers_list", "numbers", ["account_sid", "seq"]);

  await columns(table("trunks"), {
    sid: "text!",
    account_sid: "text!",
    unique_name: "text!",
    sip_uri: "text",
    allowed_addresses: "text!",
    username: "text",
    password: "text",
    date_created: "bigint!",
    date_updated: "bigint!",
  }).execute();
  await unique("trunks_sid", "trunks", ["sid"]);
  await unique("trunks_name", "trunks", ["account_sid", "unique_name"]);
  await index("trunks_list", "trunks", ["account_sid", "seq"]);

  await columns(table("connectors"), {
    sid: "text!",
    account_sid: "text!",
    unique_name: "text!",
    sip_uris: "text!",
    credentials_header_name: "text",
    credentials: "text",
    username: "text",
    password: "text",
    date_created: "bigint!",
    date_updated: "bigint!",
  }).execute();
  await unique("connectors_sid", "connectors", ["sid"]);
  await unique("connectors_name", "connectors", ["account_sid", "unique_name"]);
  await index("connectors_list", "connectors", ["account_sid", "seq"]);

  await columns(table("calls"), {
    sid: "text!",
    account_sid: "text!",
    parent_call_sid: "text",
    from_address: "text!",
    to_address: "text!",
    caller_name: "text",
    direction: "text!",
    status: "text!",
    phone_number_sid: "text",
    trunk_sid: "text",
    sip_call_id: "text",
    sip_status: "integer",
    date_created: "bigint!",
    date_updated: "bigint!",
    start_time: "bigint",
    end_time: "bigint",
  }).execute();
  await unique("calls_sid", "calls", ["sid"]);
  await index("calls_list", "calls", ["account_sid", "seq"]);
  await index("calls_by_status", "calls", ["status", "account_sid", "seq"]);
  await index("calls_by_from", "calls", ["account_sid", "from_address", "seq"]);
  await index("calls_by_to", "calls", ["account_sid", "to_address", "seq"]);
  await index("calls_by_parent", "calls", ["parent_call_sid", "seq"]);
  await index("calls_by_start", "calls", ["account_sid", "start_time"]);
  await index("calls_by_end", "calls", ["account_sid", "end_time"]);

  await columns(table("siprec_sessions"), {
    sid: "text!",
    account_sid: "text!",
    call_sid: "text!",
    name: "text",
    connector_name: "text!",
    track: "text!",
    status: "text!",
    status_callback: "text",
    status_callback_method: "text!",
    parameters: "text!",
    recorder_uri: "text",
    error_code: "integer",
    error_message: "text",
    date_created: "bigint!",
    date_updated: "bigint!",
    start_time: "bigint",
    end_time: "bigint",
  }).execute();
  await unique("siprec_sessions_sid", "siprec_sessions", ["sid"]);
  await index("siprec_sessions_list", "siprec_sessions", ["call_sid", "seq"]);
  await index("siprec_sessions_by_status", "siprec_sessions", ["status", "seq"]);

  await columns(table("recordings"), {
    sid: "text!",
    account_sid: "text!",
    status: "text!",
    start_time: "bigint!",
    end_time: "bigint",
    duration_ms: "bigint",
    source: "text!",
    sessions: "text!",
    participants: "text!",
    warnings: "text!",
    extension_data: "text!",
  }).execute();
  await unique("recordings_sid", "recordings", ["sid"]);
  await index("recordings_list", "recordings", ["account_sid", "seq"]);
  await index("recordings_by_status", "recordings", ["status", "account_sid", "seq"]);

  await columns(table("tracks", false), {
    recording_sid: "text!",
    position: "integer!",
    label: "text!",
    stream_id: "text",
    senders: "text!",
    codec: "text!",
    clock_rate_hz: "integer!",
    duration_ms: "bigint!",
    packets: "bigint!",
    expected: "bigint!",
    lost: "bigint!",
    late: "bigint!",
    duplicates: "bigint!",
    longest_gap_ms: "bigint!",
    start_offset_ms: "bigint!",
    file: "text!",
  })
    .addPrimaryKeyConstraint("tracks_key", ["recording_sid", "position"])
    .execute();

  await columns(table("metadata_versions", false), {
    recording_sid: "text!",
    version: "integer!",
    time: "bigint!",
    carrier: "text!",
    document: "text!",
  })
    .addPrimaryKeyConstraint("metadata_versions_key", ["recording_sid", "version"])
    .execute();

  await columns(table("alerts"), {
    sid: "text!",
    account_sid: "text!",
    error_code: "integer!",
    level: "text!",
    text: "text!",
    call_sid: "text",
    resource_sid: "text",
    request_method: "text",
    request_url: "text",
    request_variables: "text",
    response_status: "integer",
    response_body: "text",
    date_created: "bigint!",
  }).execute();
  await unique("alerts_sid", "alerts", ["sid"]);
  await index("alerts_list", "alerts", ["account_sid", "seq"]);
  await index("alerts_by_call", "alerts", ["call_sid", "seq"]);
  await index("alerts_by_resource", "alerts", ["resource_sid", "seq"]);
  await index("alerts_by_date", "alerts", ["date_created"]);

  await columns(table("outbox"), {
    id: "text!",
    account_sid: "text!",
    call_sid: "text",
    kind: "text!",
    url: "text!",
    origin: "text!",
    lane: "text!",
    method: "text!",
    parameters: "text!",
    status: "text!",
    attempts: "integer!",
    due_at: "bigint!",
    claimed_until: "bigint!",
    last_error: "text",
    date_created: "bigint!",
    date_finished: "bigint",
  }).execute();
  await unique("outbox_id", "outbox", ["id"]);
  await index("outbox_due", "outbox", ["status", "due_at"]);
  await index("outbox_lane", "outbox", ["lane", "status", "seq"]);
  await index("outbox_finished", "outbox", ["date_finished"]);
}

/** Adds columns of `{ name: type }`; "!" marks those that are never null. */
function columns(
  builder: CreateTableBuilder<string, string>,
  types: Readonly<Record<string, `${"text" | "integer" | "bigint"}${"" | "!"}`>>,
): CreateTableBuilder<string, string> {
  let result = builder;
  for (const [name, type] of Object.entries(types)) {
    const needed = type.endsWith("!");
    result = result.addColumn(name, type.replace("!", "") as ColumnDataType, (column) =>
      needed ? column.notNull() : column,
    );
  }
  return result;
}
