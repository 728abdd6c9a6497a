import Type from "typebox";
import type { Forks, SiprecRecord, SiprecSpan, SiprecTranscoding } from "../../calls/index.ts";
import { iso8601, rfc2822, rfc2822OrNull } from "../http/dates.ts";
import { NotFoundError, ParameterError } from "../http/errors.ts";
import { choice, type Fields, httpMethod, required, text, url } from "../http/fields.ts";
import type { Form } from "../http/form.ts";
import { PAGE_FIELDS, pageAsked, twilioPage, twilioPageSchema } from "../http/paging.ts";
import { json, type Route, route } from "../http/route.ts";
import type { ApiStore } from "../ports.ts";
import { knownCall } from "./calls.ts";
import { ACCOUNT, accountUri } from "./prefix.ts";

const textOrNull = Type.Union([Type.String(), Type.Null()]);
const integerOrNull = Type.Union([Type.Integer(), Type.Null()]);

const TRANSCODING = {
  from: Type.String(),
  packets: Type.Integer(),
  lost: Type.Integer(),
  late: Type.Integer(),
  undecodable: Type.Integer(),
  concealed_ms: Type.Integer(),
};

const SPAN = { from: Type.String(), until: textOrNull, duration_ms: integerOrNull };

export const SIPREC_SCHEMA = Type.Object(
  {
    sid: Type.String(),
    account_sid: Type.String(),
    call_sid: Type.String(),
    name: textOrNull,
    status: Type.Enum(["in-progress", "paused", "stopped"]),
    date_updated: Type.String(),
    uri: Type.String(),
    connector_name: Type.String(),
    track: Type.Enum(["inbound_track", "outbound_track", "both_tracks"]),
    date_created: Type.String(),
    start_time: textOrNull,
    end_time: textOrNull,
    error_code: Type.Union([Type.Integer(), Type.Null()]),
    error_message: textOrNull,
    recorder: textOrNull,
    attempts: Type.Array(
      Type.Object({
        recorder: Type.String(),
        time: Type.String(),
        result: Type.Enum(["answered", "failed"]),
        sip_status: integerOrNull,
        error_code: integerOrNull,
        reason: textOrNull,
      }),
      { description: "Recorders that were called, in order" },
    ),
    pauses: Type.Array(Type.Object(SPAN), { description: "Left out by order" }),
    gaps: Type.Array(Type.Object({ ...SPAN, packets: Type.Integer(), reason: Type.String() }), {
      description: "Missing against everybody's will, between one recorder and the next",
    }),
    tracks: Type.Array(
      Type.Object({
        label: Type.String(),
        codec: textOrNull,
        encryption: textOrNull,
        packets: Type.Integer(),
        octets: Type.Integer(),
        lost: integerOrNull,
        transcoded: Type.Union([Type.Object(TRANSCODING), Type.Null()], {
          description: "Null: the call's packets pass as they are",
        }),
      }),
      { description: "What was sent, over all recorders" },
    ),
    policy: Type.Enum(["optional", "mandatory"], { description: "Of its connector, when it was asked for" }),
    started_by: Type.Enum(["platform", "recorder"]),
    parallel: Type.Array(Type.String(), { description: "SIDs of the forks that came with it" }),
    parallel_of: textOrNull,
  },
  { title: "Siprec" },
);

const CREATE_FIELDS = {
  Name: text({ code: 20422, description: "Free text, unique within the call; a handle to stop it by" }),
  ConnectorName: text({ code: 31940, description: "UniqueName of a connector" }),
  Track: choice(["inbound_track", "outbound_track", "both_tracks"], { code: 31941 }),
  Edge: text({ code: 11241, max: 64, description: "Edge that the session leaves from; see /v1/Edges" }),
  StatusCallback: url(21609),
  StatusCallbackMethod: httpMethod(21209),
} as const satisfies Fields;

const UPDATE_FIELDS = {
  Status: required(choice(["stopped", "paused", "in-progress"], { code: 20422 })),
} as const satisfies Fields;

/** What each status asks for. Twilio has `stopped` only. */
const CHANGES = {
  stopped: (forks, callSid, sidOrName) => forks.stop(callSid, sidOrName),
  paused: (forks, callSid, sidOrName) => forks.pause(callSid, sidOrName),
  "in-progress": (forks, callSid, sidOrName) => forks.resume(callSid, sidOrName),
} as const satisfies Record<
  SiprecRecord["status"],
  (forks: Forks, callSid: string, sidOrName: string) => Promise<SiprecRecord>
>;

/** Calls/{CallSid}/Siprec.json and Siprec/{SidOrName}.json. Twilio has create and stop; the rest is ours. */
export function siprecRoutes({
  store,
  forks,
  isEdge,
}: {
  store: ApiStore;
  forks: Forks;
  isEdge: (name: string) => boolean;
}): readonly Route[] {
  const knownEdge = (name: string | undefined): { readonly edge?: string } => {
    if (name === undefined) return {};
    if (!isEdge(name)) throw new ParameterError(11241, `Edge "${name}" is not one of this node`);
    return { edge: name.toLowerCase() };
  };
  const tag = "Siprec";
  const all = `${ACCOUNT}/Calls/:CallSid/Siprec.json`;
  const one = `${ACCOUNT}/Calls/:CallSid/Siprec/:SidOrName.json`;
  const found = { description: "The fork", schema: SIPREC_SCHEMA };

  return [
    route({
      methods: ["POST"],
      path: all,
      tag,
      summary: "Fork a live call to a recorder",
      body: CREATE_FIELDS,
      bodyPatterns: {
        "^Parameter[1-9][0-9]?\\.Name$": Type.String({
          description: "Name of a custom parameter, at most 128 octets",
        }),
        "^Parameter[1-9][0-9]?\\.Value$": Type.String({ description: "Its value, at most 4,096 octets" }),
      },
      answers: { 201: found },
      async handle({ principal, params, body, form, path }) {
        const call = await knownCall(store, principal.accountSid, params.CallSid!, path);
        const started = await forks.start(call.sid, {
          name: body.Name ?? null,
          connectorName: body.ConnectorName ?? null,
          track: body.Track ?? null,
          ...knownEdge(body.Edge),
          statusCallback: body.StatusCallback ?? null,
          statusCallbackMethod: body.StatusCallbackMethod ?? "POST",
          parameters: customParameters(form),
          origin: "rest",
        });
        return json(showSiprec(started), 201);
      },
    }),
    route({
      methods: ["GET"],
      path: all,
      tag,
      summary: "List the forks of a call, newest first",
      query: PAGE_FIELDS,
      answers: { 200: { description: "A page of forks", schema: twilioPageSchema("siprec", SIPREC_SCHEMA) } },
      async handle({ principal, params, query, url: asUrl, path }) {
        const call = await knownCall(store, principal.accountSid, params.CallSid!, path);
        const asked = pageAsked(asUrl, query);
        const rows = await store.siprecs(principal.accountSid, call.sid, asked.window);
        return json(twilioPage(asked, "siprec", rows, showSiprec));
      },
    }),
    route({
      methods: ["GET"],
      path: one,
      tag,
      summary: "Fetch a fork, by SID or name",
      answers: { 200: found },
      async handle({ principal, params, path }) {
        const record = await store.siprec(principal.accountSid, params.CallSid!, params.SidOrName!);
        if (record === undefined) throw new NotFoundError(path);
        const live =
          record.status === "stopped" ? undefined : await forks.inspect(record.callSid, record.sid);
        return json(showSiprec(live ?? record));
      },
    }),
    route({
      methods: ["POST"],
      path: one,
      tag,
      summary: "Stop, pause or resume a fork, by SID or name",
      body: UPDATE_FIELDS,
      answers: { 200: found },
      async handle({ principal, params, body, path }) {
        const call = await knownCall(store, principal.accountSid, params.CallSid!, path);
        return json(showSiprec(await CHANGES[body.Status](forks, call.sid, params.SidOrName!)));
      },
    }),
  ];
}

const NAME_OCTETS = 128;
const VALUE_OCTETS = 4096;
const CONTROL = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/;

/** `Parameter1.Name`, `Parameter1.Value` … `Parameter99.Value`, by number. A missing value is empty. */
export function customParameters(form: Form): { name: string; value: string }[] {
  const found: { name: string; value: string }[] = [];
  for (let number = 1; number <= 99; number += 1) {
    const [name, value] = ["Name", "Value"].map((part) => {
      const key = `Parameter${number}.${part}`;
      const values = form.get(key) ?? [];
      if (values.length > 1) throw new ParameterError(20422, `${key} is given more than once`);
      if (CONTROL.test(values[0] ?? ""))
        throw new ParameterError(20422, `${key} must not hold control characters`);
      const limit = part === "Name" ? NAME_OCTETS : VALUE_OCTETS;
      if (Buffer.byteLength(values[0] ?? "") > limit)
        throw new ParameterError(20422, `${key} must be ${limit} octets at most`);
      return values[0];
    });
    if (name !== undefined && name !== "") found.push({ name, value: value ?? "" });
    else if (value !== undefined && value !== "")
      throw new ParameterError(20422, `Parameter${number}.Value has no Parameter${number}.Name`);
  }
  return found;
}

/** Twilio's fields first, then what Twilio does not show. */
export function showSiprec(record: SiprecRecord): object {
  return {
    sid: record.sid,
    account_sid: record.accountSid,
    call_sid: record.callSid,
    name: record.name,
    status: record.status,
    date_updated: rfc2822(record.dateUpdated),
    uri: accountUri(record.accountSid, `/Calls/${record.callSid}/Siprec/${record.sid}.json`),
    connector_name: record.connectorName,
    track: record.track,
    date_created: rfc2822(record.dateCreated),
    start_time: rfc2822OrNull(record.startTime),
    end_time: rfc2822OrNull(record.endTime),
    error_code: record.errorCode,
    error_message: record.errorMessage,
    recorder: record.recorderUri,
    attempts: record.detail.attempts.map((attempt) => ({
      recorder: attempt.recorder,
      time: iso8601(attempt.time),
      result: attempt.result,
      sip_status: attempt.sipStatus,
      error_code: attempt.errorCode,
      reason: attempt.reason,
    })),
    pauses: record.detail.pauses.map(showSpan),
    gaps: record.detail.gaps.map((gap) => ({
      ...showSpan(gap),
      packets: gap.packets,
      reason: gap.reason,
    })),
    tracks: record.detail.tracks.map(({ label, codec, encryption, packets, octets, lost, transcoded }) => ({
      label,
      codec,
      encryption,
      packets,
      octets,
      lost,
      transcoded: transcoded ? showTranscoding(transcoded) : null,
    })),
    policy: record.detail.policy,
    started_by: record.detail.startedBy,
    parallel: record.detail.parallel,
    parallel_of: record.detail.parallelOf,
  };
}

const showTranscoding = ({ concealedMs, ...counts }: SiprecTranscoding): object => ({
  ...counts,
  concealed_ms: concealedMs,
});

const showSpan = ({ from, until }: SiprecSpan): object => ({
  from: iso8601(from),
  until: until === null ? null : iso8601(until),
  duration_ms: until === null ? null : until - from,
});
