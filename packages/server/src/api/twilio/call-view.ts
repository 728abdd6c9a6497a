import Type from "typebox";
import type { CallRecord } from "../../calls/index.ts";
import { rfc2822, rfc2822OrNull } from "../http/dates.ts";
import { API_VERSION, accountUri } from "./prefix.ts";

const text = Type.String();
const textOrNull = Type.Union([Type.String(), Type.Null()]);

export const CALL_SCHEMA = Type.Object(
  {
    sid: text,
    date_created: text,
    date_updated: text,
    parent_call_sid: textOrNull,
    account_sid: text,
    to: text,
    to_formatted: text,
    from: text,
    from_formatted: text,
    phone_number_sid: textOrNull,
    status: Type.Enum([
      "queued",
      "ringing",
      "in-progress",
      "completed",
      "busy",
      "failed",
      "no-answer",
      "canceled",
    ]),
    start_time: textOrNull,
    end_time: textOrNull,
    duration: textOrNull,
    price: Type.Null(),
    price_unit: text,
    direction: Type.Enum(["inbound", "outbound-api", "outbound-dial"]),
    answered_by: Type.Null(),
    api_version: text,
    forwarded_from: Type.Null(),
    group_sid: Type.Null(),
    caller_name: textOrNull,
    queue_time: text,
    trunk_sid: textOrNull,
    annotation: Type.Null(),
    uri: text,
    subresource_uris: Type.Record(Type.String(), Type.String()),
  },
  { title: "Call" },
);

/** Twilio's names; of these, `siprec` is there in this version. */
const SUBRESOURCES = {
  notifications: "Notifications",
  recordings: "Recordings",
  payments: "Payments",
  events: "Events",
  siprec: "Siprec",
  streams: "Streams",
  transcriptions: "Transcriptions",
  user_defined_message_subscriptions: "UserDefinedMessageSubscriptions",
  user_defined_messages: "UserDefinedMessages",
} as const;

/** Absent values are null: the helper libraries make "now" of a date that is not there at all. */
export function showCall(call: CallRecord): object {
  const path = `/Calls/${call.sid}`;
  return {
    sid: call.sid,
    date_created: rfc2822(call.dateCreated),
    date_updated: rfc2822(call.dateUpdated),
    parent_call_sid: call.parentCallSid,
    account_sid: call.accountSid,
    to: call.to,
    to_formatted: call.to,
    from: call.from,
    from_formatted: call.from,
    phone_number_sid: call.phoneNumberSid,
    status: call.status,
    start_time: rfc2822OrNull(call.startTime),
    end_time: rfc2822OrNull(call.endTime),
    duration: durationSeconds(call),
    price: null,
    price_unit: "USD",
    direction: call.direction,
    answered_by: null,
    api_version: API_VERSION,
    forwarded_from: null,
    group_sid: null,
    caller_name: call.callerName,
    queue_time: "0",
    trunk_sid: call.trunkSid,
    annotation: null,
    uri: accountUri(call.accountSid, `${path}.json`),
    subresource_uris: Object.fromEntries(
      Object.entries(SUBRESOURCES).map(([name, folder]) => [
        name,
        accountUri(call.accountSid, `${path}/${folder}.json`),
      ]),
    ),
  };
}

/** Whole seconds as text, rounded up as in callbacks, once the call is over; a call that was never answered lasted "0". */
function durationSeconds(call: CallRecord): string | null {
  if (call.endTime === null) return null;
  return String(call.startTime === null ? 0 : Math.max(0, Math.ceil((call.endTime - call.startTime) / 1000)));
}
