import Type from "typebox";
import type { RecordingArchive, RecordingLibrary, Whole } from "../../recording-server/index.ts";
import { iso8601, iso8601OrNull } from "../http/dates.ts";
import { NotFoundError } from "../http/errors.ts";
import { choice } from "../http/fields.ts";
import { json, type Route, route } from "../http/route.ts";
import { actorOf } from "./actor.ts";
import { fileOf } from "./media-answer.ts";
import { V1 } from "./prefix.ts";

const textOrNull = Type.Union([Type.String(), Type.Null()]);

const WHOLE_SCHEMA = Type.Object(
  {
    sid: Type.String({ description: "Of the first recording of the call" }),
    account_sid: Type.String(),
    status: Type.Enum(["in-progress", "completed", "interrupted", "failed"]),
    start_time: Type.String(),
    end_time: textOrNull,
    duration_ms: Type.Union([Type.Integer(), Type.Null()]),
    recordings: Type.Array(Type.Object({ sid: Type.String(), status: Type.String(), url: Type.String() })),
    tracks: Type.Array(
      Type.Object({
        recording_sid: Type.String(),
        label: Type.String(),
        channel: Type.Integer({ description: "In Whole.wav, from 0" }),
        start_offset_ms: Type.Number(),
        duration_ms: Type.Number(),
        senders: Type.Array(Type.String()),
      }),
    ),
    timeline: Type.Array(
      Type.Object({
        participant_id: Type.String(),
        aor: Type.String(),
        name: textOrNull,
        from: Type.String(),
        until: textOrNull,
        recording_sid: Type.String(),
      }),
    ),
    url: Type.String(),
    links: Type.Object({ media: Type.String() }),
  },
  { additionalProperties: false },
);

/** /v1/Recordings/{sid}/Whole: all recordings of one call as one, whichever of them is asked for. */
export function wholeRoutes({
  recordings,
  archive,
  base,
}: {
  readonly recordings: RecordingLibrary;
  readonly archive: RecordingArchive;
  readonly base: () => string;
}): readonly Route[] {
  const tag = "Recordings";
  const one = `${V1}/Recordings/:RecordingSid`;
  return [
    route({
      methods: ["GET"],
      path: `${one}/Whole.json`,
      tag,
      summary: "The whole call: its recordings, tracks on one timeline, and who was there when",
      answers: { 200: { description: "The call", schema: WHOLE_SCHEMA } },
      async handle({ principal, params, path }) {
        const whole = await recordings.whole(principal.accountSid, params.RecordingSid!);
        if (whole === undefined) throw new NotFoundError(path);
        return json(show(whole, base()));
      },
    }),
    route({
      methods: ["GET", "HEAD"],
      path: `${one}/Whole.wav`,
      tag,
      summary: "The whole call's audio: tracks that follow one another under one label share a channel",
      query: { Mix: choice(["mono"], { code: 20422, description: "mono: all in one channel" }) },
      answers: {
        200: { description: "16 bit PCM", mediaType: "audio/wav" },
        206: { description: "The range that was asked for", mediaType: "audio/wav" },
      },
      async handle(ask) {
        const { principal, params, query, path, address } = ask;
        const { accountSid } = principal;
        const whole = await recordings.whole(accountSid, params.RecordingSid!);
        if (whole === undefined) throw new NotFoundError(path);
        const file = await recordings.wholeMedia(accountSid, params.RecordingSid!, query.Mix === "mono");
        return fileOf(file, `${whole.head.sid}-whole.wav`, ask, async () => {
          for (const { sid } of whole.parts) {
            await archive.note(accountSid, sid, "heard", actorOf(principal, address), "Whole.wav");
          }
        });
      },
    }),
  ];
}

function show(whole: Whole, base: string): object {
  const url = `${base}${V1}/Recordings/${whole.head.sid}`;
  return {
    sid: whole.head.sid,
    account_sid: whole.head.accountSid,
    status: whole.status,
    start_time: iso8601(whole.startTime),
    end_time: iso8601OrNull(whole.endTime),
    duration_ms: whole.durationMs,
    recordings: whole.parts.map(({ sid, status }) => ({
      sid,
      status,
      url: `${base}${V1}/Recordings/${sid}`,
    })),
    tracks: whole.tracks.map((track) => ({
      recording_sid: track.recordingSid,
      label: track.label,
      channel: track.channel,
      start_offset_ms: track.startOffsetMs,
      duration_ms: track.durationMs,
      senders: track.senders,
    })),
    timeline: whole.timeline.map((one) => ({
      participant_id: one.participantId,
      aor: one.aor,
      name: one.name,
      from: iso8601(one.from),
      until: iso8601OrNull(one.until),
      recording_sid: one.recordingSid,
    })),
    url: `${url}/Whole.json`,
    links: { media: `${url}/Whole.wav` },
  };
}
