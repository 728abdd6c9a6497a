import { err, ok } from "@callfork/protocol/text";
import Type from "typebox";
import {
  type RecordingArchive,
  type RecordingLibrary,
  type RecordingStreams,
  STREAM_TRACKS,
  type StreamRecord,
  type StreamRefusal,
} from "../../recording-server/index.ts";
import { iso8601, iso8601OrNull } from "../http/dates.ts";
import { NotFoundError, StreamStateError } from "../http/errors.ts";
import { checkedText, choice, readFields, required, text } from "../http/fields.ts";
import { metaPage, metaPageSchema, PAGE_FIELDS, pageAsked } from "../http/paging.ts";
import { json, type Route, route } from "../http/route.ts";
import type { UpgradeHandler } from "../http/upgrade.ts";
import { customParameters } from "../twilio/siprec.ts";
import { actorOf } from "./actor.ts";
import { named, V1 } from "./prefix.ts";

const textOrNull = Type.Union([Type.String(), Type.Null()]);

const STREAM_SCHEMA = Type.Object(
  {
    sid: Type.String({ description: "MZ and 32 hexadecimal digits" }),
    account_sid: Type.String(),
    recording_sid: Type.String(),
    name: textOrNull,
    url: Type.Union([Type.String(), Type.Null()], { description: "Null: the consumer connected by itself" }),
    track: Type.Enum([...STREAM_TRACKS]),
    status: Type.Enum(["connecting", "in-progress", "stopped", "failed"]),
    start_time: Type.String(),
    end_time: textOrNull,
    error: textOrNull,
    messages: Type.Integer({ description: "`media` messages that were sent" }),
  },
  { additionalProperties: false },
);

const WEBSOCKET_URL = checkedText({ code: 20422, max: 4000, description: "wss:// or ws://" }, (value) =>
  /^wss?:\/\/[^\s/?#]/i.test(value) && !/\s/.test(value) && URL.canParse(value)
    ? ok(value)
    : err("must be an absolute ws or wss URL"),
);

const NAME = text({ code: 20422, max: 128 });
const TRACK = choice(STREAM_TRACKS, { code: 20422, description: "Default both_tracks: all that there are" });
const LISTEN_FIELDS = { Name: NAME, Track: TRACK };
/** RFC 6455's registry. */
const TRY_AGAIN_LATER = 1013;

/** /v1/Recordings/{sid}/Streams: the audio of a recording in progress, to whoever is to hear it. */
export function streamRoutes({
  recordings,
  archive,
  streams,
  base,
}: {
  readonly recordings: RecordingLibrary;
  readonly archive: Pick<RecordingArchive, "note">;
  readonly streams: RecordingStreams;
  readonly base: () => string;
}): readonly Route[] {
  const tag = "Streams";
  const all = `${V1}/Recordings/:RecordingSid/Streams`;
  const one = `${all}/:SidOrName`;
  const found = { description: "The stream", schema: STREAM_SCHEMA };

  /** Streams live with their recording: of one that is over there are none. */
  const listOf = async (accountSid: string, sid: string, path: string): Promise<readonly StreamRecord[]> => {
    const live = streams.list(accountSid, sid);
    if (live !== undefined) return live;
    if ((await recordings.find(accountSid, sid)) === undefined) throw new NotFoundError(path);
    return [];
  };

  return [
    route({
      methods: ["POST"],
      path: all,
      alias: `${all}.json`,
      tag,
      summary: "Stream a recording in progress to a WebSocket, in the format of Twilio's Media Streams",
      body: {
        Url: required(WEBSOCKET_URL),
        Name: NAME,
        Track: TRACK,
      },
      bodyPatterns: {
        "^Parameter[1-9][0-9]?\\.Name$": Type.String({ description: "Name of a custom parameter" }),
        "^Parameter[1-9][0-9]?\\.Value$": Type.String({ description: "Its value" }),
      },
      answers: { 201: found },
      async handle({ principal, params, body, form, path, address }) {
        const sid = params.RecordingSid!;
        await listOf(principal.accountSid, sid, path);
        const parameters = Object.fromEntries(customParameters(form).map(({ name, value }) => [name, value]));
        const { Url: url, Name: name = null, Track: track = "both_tracks" } = body;
        const { origin } = new URL(url);
        const who = actorOf(principal, address);
        await archive.note(principal.accountSid, sid, "heard", who, `live, by ${origin}`);
        const started = streams.start(principal.accountSid, sid, url, { name, track, parameters });
        if (typeof started === "string") throw refused(started, sid);
        return json(show(started), 201);
      },
    }),
    route({
      methods: ["GET"],
      path: all,
      alias: `${all}.json`,
      tag,
      summary: "List the streams of a recording in progress",
      query: PAGE_FIELDS,
      answers: {
        200: { description: "A page of streams", schema: metaPageSchema("streams", STREAM_SCHEMA) },
      },
      async handle({ principal, params, query, url, path }) {
        const rows = await listOf(principal.accountSid, params.RecordingSid!, path);
        const asked = pageAsked(url, query);
        const { offset, limit } = asked.window;
        return json(metaPage(asked, base(), "streams", rows.slice(offset, offset + limit), show));
      },
    }),
    route({
      methods: ["GET"],
      path: one,
      tag,
      summary: "Fetch a stream, by SID or name",
      answers: { 200: found },
      async handle({ principal, params, path }) {
        const rows = await listOf(principal.accountSid, params.RecordingSid!, path);
        const wanted = named(params.SidOrName);
        const row = rows.find(({ sid }) => sid === wanted) ?? rows.findLast(({ name }) => name === wanted);
        if (row === undefined) throw new NotFoundError(path);
        return json(show(row));
      },
    }),
    route({
      methods: ["POST"],
      path: one,
      tag,
      summary: "Stop a stream, by SID or name",
      body: { Status: required(choice(["stopped"], { code: 20422 })) },
      answers: { 200: found },
      async handle({ principal, params, path }) {
        const stopped = streams.stop(principal.accountSid, params.RecordingSid!, named(params.SidOrName));
        if (stopped === undefined) throw new NotFoundError(path);
        return json(show(stopped));
      },
    }),
  ];
}

function refused(why: StreamRefusal, sid: string): StreamStateError {
  return new StreamStateError(
    why === "busy"
      ? `As many consumers hear recording ${sid} as may`
      : `Recording ${sid} is not in progress: there is nothing to stream`,
  );
}

function show(stream: StreamRecord): object {
  const { accountSid, recordingSid, startTime, endTime, ...same } = stream;
  return {
    ...same,
    account_sid: accountSid,
    recording_sid: recordingSid,
    start_time: iso8601(startTime),
    end_time: iso8601OrNull(endTime),
  };
}

const LISTEN_PATH = /^\/v1\/Recordings\/([^/]+)\/Stream$/;

/** `wss://…/v1/Recordings/{sid}/Stream`: a consumer that connects by itself. `Track` and `Name` may stand in the query. */
export function listenHandler(
  streams: RecordingStreams,
  archive: Pick<RecordingArchive, "note">,
): UpgradeHandler {
  return async ({ principal, path, query, address }) => {
    const sid = LISTEN_PATH.exec(path)?.[1];
    if (sid === undefined) return undefined;
    if (streams.list(principal.accountSid, sid) === undefined) throw refused("not-live", sid);
    const { Track: track = "both_tracks", Name: name = null } = readFields(LISTEN_FIELDS, query);
    await archive.note(principal.accountSid, sid, "heard", actorOf(principal, address), "live");
    return (socket) => {
      const stream = streams.attach(principal.accountSid, sid, socket, { name, track, parameters: {} });
      // Between the question and the handshake the recording may have ended.
      if (typeof stream === "string")
        socket.close(TRY_AGAIN_LATER, refused(stream, sid).message.slice(0, 100));
    };
  };
}
