import type { Generated } from "kysely";
import type { CallDirection, CallStatus, HttpMethod, RecordingNotice, SiprecTrack } from "../calls/index.ts";

/**
 * Tables as Kysely sees them. Ids are text, times epoch milliseconds, booleans 0 or 1, JSON opaque text that no query
 * looks into, secrets sealed text (vault.ts). `seq` counts rows in the order in which they were first saved.
 */
export interface Tables {
  accounts: AccountRow;
  keys: KeyRow;
  numbers: NumberRow;
  trunks: TrunkRow;
  connectors: ConnectorRow;
  calls: CallRow;
  siprec_sessions: SiprecRow;
  recordings: RecordingRow;
  tracks: TrackRow;
  metadata_versions: MetadataVersionRow;
  recording_keeping: RecordingKeepingRow;
  recording_terms: RecordingTermRow;
  recording_audit: RecordingAuditRow;
  recording_dialogs: RecordingDialogRow;
  retention_rules: RetentionRuleRow;
  alerts: AlertRow;
  outbox: OutboxRow;
}

interface Dated {
  date_created: number;
  date_updated: number;
}

export interface AccountRow extends Dated {
  seq: Generated<number>;
  sid: string;
  friendly_name: string;
  status: "active" | "suspended";
  /** Sealed. */
  auth_token: string;
}

export interface KeyRow extends Dated {
  seq: Generated<number>;
  sid: string;
  account_sid: string;
  friendly_name: string;
  /** scrypt, see password.ts. */
  secret_hash: string;
}

export interface NumberRow extends Dated {
  seq: Generated<number>;
  sid: string;
  account_sid: string;
  phone_number: string;
  friendly_name: string;
  voice_url: string | null;
  voice_method: HttpMethod;
  voice_fallback_url: string | null;
  voice_fallback_method: HttpMethod;
  voice_twiml: string | null;
  status_callback: string | null;
  status_callback_method: HttpMethod;
  recording_notice: RecordingNotice | null;
  recording_announcement_url: string | null;
}

export interface TrunkRow extends Dated {
  seq: Generated<number>;
  sid: string;
  account_sid: string;
  unique_name: string;
  sip_uri: string | null;
  /** JSON: string[]. */
  allowed_addresses: string;
  /** JSON: string[]; null: none. */
  allowed_certificate_names: string | null;
  username: string | null;
  /** Sealed. */
  password: string | null;
  /** PEM, the chain included. */
  certificate: string | null;
  /** Sealed. */
  private_key: string | null;
  /** PEM. */
  certificate_authority: string | null;
}

export interface ConnectorRow extends Dated {
  seq: Generated<number>;
  sid: string;
  account_sid: string;
  unique_name: string;
  /** JSON: string[]. */
  sip_uris: string;
  credentials_header_name: string | null;
  /** Sealed. */
  credentials: string | null;
  username: string | null;
  /** Sealed. */
  password: string | null;
  /** PEM, the chain included. */
  certificate: string | null;
  /** Sealed. */
  private_key: string | null;
  /** PEM. */
  certificate_authority: string | null;
  /** JSON: those of `ConnectorSettings` that were set; null: none. */
  settings: string | null;
}

export interface CallRow extends Dated {
  seq: Generated<number>;
  sid: string;
  account_sid: string;
  parent_call_sid: string | null;
  from_address: string;
  to_address: string;
  caller_name: string | null;
  direction: CallDirection;
  status: CallStatus;
  phone_number_sid: string | null;
  trunk_sid: string | null;
  sip_call_id: string | null;
  sip_status: number | null;
  start_time: number | null;
  end_time: number | null;
  /** JSON: `CallReporting`; null: nobody wants to hear of it. */
  reporting: string | null;
}

export interface SiprecRow extends Dated {
  seq: Generated<number>;
  sid: string;
  account_sid: string;
  call_sid: string;
  name: string | null;
  connector_name: string;
  track: SiprecTrack;
  status: "in-progress" | "paused" | "stopped";
  status_callback: string | null;
  status_callback_method: HttpMethod;
  /** JSON: { name, value }[]. */
  parameters: string;
  /** JSON: `SiprecDetail`; null in rows of the first version. */
  detail: string | null;
  recorder_uri: string | null;
  error_code: number | null;
  error_message: string | null;
  start_time: number | null;
  end_time: number | null;
}

export interface RecordingRow {
  seq: Generated<number>;
  sid: string;
  account_sid: string;
  status: "in-progress" | "completed" | "interrupted" | "failed";
  start_time: number;
  end_time: number | null;
  duration_ms: number | null;
  /** The recording session's Call-ID. */
  call_id: string | null;
  /** The rest are JSON, in the shapes of `RecordingRecord`. */
  source: string;
  sessions: string;
  participants: string;
  warnings: string;
  extension_data: string;
  /** Null: none, or written before there were any. */
  markers: string | null;
  /** SID of the first recording of the same call. */
  part_of: string | null;
}

export interface TrackRow {
  recording_sid: string;
  /** Order in the recording, from 0. */
  position: number;
  label: string;
  stream_id: string | null;
  /** JSON: string[]. */
  senders: string;
  codec: string;
  clock_rate_hz: number;
  duration_ms: number;
  packets: number;
  expected: number;
  lost: number;
  late: number;
  duplicates: number;
  longest_gap_ms: number;
  start_offset_ms: number;
  file: string;
  /** JSON: `TrackDetail`; null: written before there was any. */
  detail: string | null;
}

export interface MetadataVersionRow {
  recording_sid: string;
  version: number;
  time: number;
  carrier: string;
  document: string;
}

export interface RecordingKeepingRow {
  recording_sid: string;
  /** Legal hold; null: none. */
  hold_reason: string | null;
  hold_since: number | null;
  /** The key that its files are sealed with, base64, sealed; null: they are plain, or the key is gone for good. */
  sealed_key: string | null;
  /** Of the rules that `delete_at` was found by; null: not looked at yet. */
  retention_version: string | null;
  /** When retention deletes it; null: never. */
  delete_at: number | null;
  /** Its deletion has begun and cannot be undone. */
  deleting_since: number | null;
  place: "disk" | "objects";
  move_attempts: number;
  /** Not to be moved to object storage before. */
  move_due_at: number;
  move_error: string | null;
  /** JSON: by file, how far its upload in parts has come. */
  move_progress: string | null;
  /** JSON: `StoredFile[]`, what is in object storage. */
  files: string | null;
}

/** What a recording can be found by. */
export interface RecordingTermRow {
  kind: string;
  value: string;
  recording_sid: string;
}

/** Only ever added to. */
export interface RecordingAuditRow {
  seq: Generated<number>;
  account_sid: string;
  recording_sid: string;
  time: number;
  action: string;
  actor: string;
  address: string | null;
  detail: string | null;
}

/** Recording sessions of our own client, by Call-ID. */
export interface RecordingDialogRow {
  call_id: string;
  siprec_sid: string;
  connector_name: string;
}

export interface RetentionRuleRow {
  seq: Generated<number>;
  sid: string;
  account_sid: string;
  number: string | null;
  label: string | null;
  connector_name: string | null;
  retention_days: number;
  date_created: number;
}

export interface AlertRow {
  seq: Generated<number>;
  sid: string;
  account_sid: string;
  error_code: number;
  level: "error" | "warning" | "notice";
  text: string;
  call_sid: string | null;
  resource_sid: string | null;
  request_method: string | null;
  request_url: string | null;
  request_variables: string | null;
  response_status: number | null;
  response_body: string | null;
  date_created: number;
}

export interface OutboxRow {
  seq: Generated<number>;
  /** UUID v4: the idempotency token. */
  id: string;
  account_sid: string;
  call_sid: string | null;
  kind: string;
  url: string;
  /** Origin of `url`, to spread deliveries over receivers. */
  origin: string;
  /** Rows of one lane leave in order. */
  lane: string;
  method: HttpMethod;
  /** JSON: [name, value][]. */
  parameters: string;
  status: "pending" | "delivered" | "failed";
  attempts: number;
  /** Not to be tried before. */
  due_at: number;
  /** Claimed until then; 0: free. */
  claimed_until: number;
  last_error: string | null;
  date_created: number;
  date_finished: number | null;
}
