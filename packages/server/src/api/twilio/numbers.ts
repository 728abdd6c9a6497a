import Type from "typebox";
import type { NumberRecord } from "../../calls/index.ts";
import { rfc2822 } from "../http/dates.ts";
import { defined } from "../http/defined.ts";
import { NotFoundError } from "../http/errors.ts";
import {
  choice,
  clearable,
  type Fields,
  httpMethod,
  required,
  text,
  url,
  type Values,
} from "../http/fields.ts";
import { PAGE_FIELDS, pageAsked, twilioPage, twilioPageSchema } from "../http/paging.ts";
import { json, NO_CONTENT, type Route, route } from "../http/route.ts";
import type { ApiStore, NumberChange } from "../ports.ts";
import { ACCOUNT, API_VERSION, accountUri } from "./prefix.ts";

const plain = Type.String();
const textOrNull = Type.Union([Type.String(), Type.Null()]);
const method = Type.Enum(["GET", "POST"]);

const NOTICES = ["none", "tone", "announcement"] as const;

export const NUMBER_SCHEMA = Type.Object(
  {
    sid: plain,
    account_sid: plain,
    friendly_name: plain,
    phone_number: plain,
    voice_url: textOrNull,
    voice_method: method,
    voice_fallback_url: textOrNull,
    voice_fallback_method: method,
    voice_twiml: textOrNull,
    voice_caller_id_lookup: Type.Boolean(),
    voice_application_sid: Type.Null(),
    voice_receive_mode: plain,
    status_callback: textOrNull,
    status_callback_method: method,
    recording_notice: Type.Union([Type.Enum([...NOTICES]), Type.Null()]),
    recording_announcement_url: textOrNull,
    sms_url: Type.Null(),
    sms_method: plain,
    sms_fallback_url: Type.Null(),
    sms_fallback_method: plain,
    sms_application_sid: Type.Null(),
    address_requirements: plain,
    address_sid: Type.Null(),
    identity_sid: Type.Null(),
    bundle_sid: Type.Null(),
    trunk_sid: Type.Null(),
    emergency_status: plain,
    emergency_address_sid: Type.Null(),
    emergency_address_status: plain,
    beta: Type.Boolean(),
    capabilities: Type.Object({
      voice: Type.Boolean(),
      sms: Type.Boolean(),
      mms: Type.Boolean(),
      fax: Type.Boolean(),
    }),
    origin: plain,
    status: plain,
    type: Type.Null(),
    api_version: plain,
    date_created: plain,
    date_updated: plain,
    uri: plain,
    subresource_uris: Type.Record(Type.String(), Type.String()),
  },
  { title: "IncomingPhoneNumber" },
);

const CHANGE_FIELDS = {
  FriendlyName: text({ code: 20002, max: 64 }),
  VoiceUrl: clearable(url(21402, "Where the TwiML of a call comes from")),
  VoiceMethod: httpMethod(21403),
  VoiceFallbackUrl: clearable(url(21402)),
  VoiceFallbackMethod: httpMethod(21403),
  VoiceTwiml: clearable(
    text({
      code: 20422,
      max: 65_536,
      multiline: true,
      description: "The TwiML itself, used when there is no VoiceUrl",
    }),
  ),
  StatusCallback: clearable(url(21402)),
  StatusCallbackMethod: httpMethod(21403),
  RecordingNotice: clearable(
    choice(NOTICES, {
      code: 20422,
      description: "How parties hear that they are recorded; without it as the settings say",
    }),
  ),
  RecordingAnnouncementUrl: clearable(url(21402, "What is announced, instead of the settings' audio")),
} as const satisfies Fields;

const CREATE_FIELDS = {
  PhoneNumber: required(
    text({
      code: 21421,
      max: 64,
      pattern: /^[A-Za-z0-9+*#._~!$&'()=-]+$/,
      hint: "must be an E.164 number, an extension or the user part of a SIP URI",
      description: "E.164, an extension, or the user part of a SIP URI",
    }),
  ),
  ...CHANGE_FIELDS,
} as const satisfies Fields;

/** IncomingPhoneNumbers.json: what happens when a number is called. */
export function numberRoutes({ store }: { store: ApiStore }): readonly Route[] {
  const tag = "IncomingPhoneNumbers";
  const all = `${ACCOUNT}/IncomingPhoneNumbers.json`;
  const one = `${ACCOUNT}/IncomingPhoneNumbers/:NumberSid.json`;
  const found = { description: "The number", schema: NUMBER_SCHEMA };

  return [
    route({
      methods: ["POST"],
      path: all,
      tag,
      summary: "Tell what happens when a number is called",
      body: CREATE_FIELDS,
      answers: { 201: found },
      async handle({ principal, body }) {
        const { PhoneNumber: phoneNumber } = body;
        const created = await store.createNumber(principal.accountSid, { ...change(body), phoneNumber });
        return json(showNumber(created), 201);
      },
    }),
    route({
      methods: ["GET"],
      path: all,
      tag,
      summary: "List numbers",
      query: { ...PAGE_FIELDS, PhoneNumber: text({ code: 20422 }), FriendlyName: text({ code: 20422 }) },
      answers: {
        200: {
          description: "A page of numbers",
          schema: twilioPageSchema("incoming_phone_numbers", NUMBER_SCHEMA),
        },
      },
      async handle({ principal, query, url: asUrl }) {
        const asked = pageAsked(asUrl, query);
        const filter = {
          ...(query.PhoneNumber === undefined ? {} : { phoneNumber: query.PhoneNumber }),
          ...(query.FriendlyName === undefined ? {} : { friendlyName: query.FriendlyName }),
        };
        const rows = await store.numbers(principal.accountSid, filter, asked.window);
        return json(twilioPage(asked, "incoming_phone_numbers", rows, showNumber));
      },
    }),
    route({
      methods: ["GET"],
      path: one,
      tag,
      summary: "Fetch a number",
      answers: { 200: found },
      async handle({ principal, params, path }) {
        const number = await store.number(principal.accountSid, params.NumberSid!);
        if (number === undefined) throw new NotFoundError(path);
        return json(showNumber(number));
      },
    }),
    route({
      methods: ["POST"],
      path: one,
      tag,
      summary: "Change a number; an empty value clears",
      body: CHANGE_FIELDS,
      answers: { 200: found },
      async handle({ principal, params, body, path }) {
        const number = await store.updateNumber(principal.accountSid, params.NumberSid!, change(body));
        if (number === undefined) throw new NotFoundError(path);
        return json(showNumber(number));
      },
    }),
    route({
      methods: ["DELETE"],
      path: one,
      tag,
      summary: "Delete a number",
      answers: { 204: { description: "Deleted" } },
      async handle({ principal, params, path }) {
        if (!(await store.deleteNumber(principal.accountSid, params.NumberSid!)))
          throw new NotFoundError(path);
        return NO_CONTENT;
      },
    }),
  ];
}

function change(body: Values<typeof CHANGE_FIELDS>): NumberChange {
  return defined({
    friendlyName: body.FriendlyName,
    voiceUrl: body.VoiceUrl,
    voiceMethod: body.VoiceMethod,
    voiceFallbackUrl: body.VoiceFallbackUrl,
    voiceFallbackMethod: body.VoiceFallbackMethod,
    voiceTwiml: body.VoiceTwiml,
    statusCallback: body.StatusCallback,
    statusCallbackMethod: body.StatusCallbackMethod,
    recordingNotice: body.RecordingNotice,
    recordingAnnouncementUrl: body.RecordingAnnouncementUrl,
  });
}

export function showNumber(number: NumberRecord): object {
  return {
    sid: number.sid,
    account_sid: number.accountSid,
    friendly_name: number.friendlyName,
    phone_number: number.phoneNumber,
    voice_url: number.voiceUrl,
    voice_method: number.voiceMethod,
    voice_fallback_url: number.voiceFallbackUrl,
    voice_fallback_method: number.voiceFallbackMethod,
    voice_twiml: number.voiceTwiml,
    voice_caller_id_lookup: false,
    voice_application_sid: null,
    voice_receive_mode: "voice",
    status_callback: number.statusCallback,
    status_callback_method: number.statusCallbackMethod,
    recording_notice: number.recordingNotice ?? null,
    recording_announcement_url: number.recordingAnnouncementUrl ?? null,
    sms_url: null,
    sms_method: "POST",
    sms_fallback_url: null,
    sms_fallback_method: "POST",
    sms_application_sid: null,
    address_requirements: "none",
    address_sid: null,
    identity_sid: null,
    bundle_sid: null,
    trunk_sid: null,
    emergency_status: "Inactive",
    emergency_address_sid: null,
    emergency_address_status: "unregistered",
    beta: false,
    capabilities: { voice: true, sms: false, mms: false, fax: false },
    origin: "hosted",
    status: "in-use",
    type: null,
    api_version: API_VERSION,
    date_created: rfc2822(number.dateCreated),
    date_updated: rfc2822(number.dateUpdated),
    uri: accountUri(number.accountSid, `/IncomingPhoneNumbers/${number.sid}.json`),
    subresource_uris: {},
  };
}
