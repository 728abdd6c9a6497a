import type { MediaFile, RecordingLibrary } from "../../recording-server/index.ts";
import { NotCompleteError, NotFoundError } from "../http/errors.ts";
import { choice } from "../http/fields.ts";
import { fileAnswer } from "../http/media.ts";
import { metaPage, metaPageSchema, PAGE_FIELDS, pageAsked } from "../http/paging.ts";
import { type Answer, json, NO_CONTENT, type Route, route } from "../http/route.ts";
import { named, V1 } from "./prefix.ts";
import { RECORDING_SCHEMA, showRecording } from "./recording-view.ts";

const STATUSES = ["in-progress", "completed", "interrupted", "failed"] as const;

/** /v1/Recordings: what was recorded, and what is known of it. */
export function recordingRoutes({
  recordings,
  base,
}: {
  recordings: RecordingLibrary;
  base: () => string;
}): readonly Route[] {
  const tag = "Recordings";
  const one = `${V1}/Recordings/:RecordingSid`;
  const wav = (description: string) => ({
    200: { description, mediaType: "audio/wav" },
    206: { description: "The range that was asked for", mediaType: "audio/wav" },
  });

  return [
    route({
      methods: ["GET"],
      path: `${V1}/Recordings`,
      alias: `${V1}/Recordings.json`,
      tag,
      summary: "List recordings, newest first",
      query: { ...PAGE_FIELDS, Status: choice(STATUSES, { code: 20422 }) },
      answers: {
        200: { description: "A page of recordings", schema: metaPageSchema("recordings", RECORDING_SCHEMA) },
      },
      async handle({ principal, query, url }) {
        const asked = pageAsked(url, query);
        const filter = query.Status === undefined ? {} : { status: query.Status };
        const rows = await recordings.list(principal.accountSid, { ...asked.window, ...filter });
        return json(metaPage(asked, base(), "recordings", rows, (row) => showRecording(row, base())));
      },
    }),
    route({
      methods: ["GET"],
      path: one,
      tag,
      summary: "Fetch a recording",
      answers: { 200: { description: "The recording", schema: RECORDING_SCHEMA } },
      async handle({ principal, params, path }) {
        const recording = await recordings.find(principal.accountSid, named(params.RecordingSid));
        return json(showRecording(there(recording, path), base()));
      },
    }),
    route({
      methods: ["DELETE"],
      path: one,
      tag,
      summary: "Delete a recording, its audio included",
      answers: { 204: { description: "Deleted" } },
      async handle({ principal, params, path }) {
        const sid = named(params.RecordingSid);
        const recording = there(await recordings.find(principal.accountSid, sid), path);
        if (recording.status === "in-progress") throw new NotCompleteError(`Recording ${sid} is in progress`);
        if (!(await recordings.remove(principal.accountSid, sid))) throw new NotFoundError(path);
        return NO_CONTENT;
      },
    }),
    route({
      methods: ["GET", "HEAD"],
      path: `${one}/Media.wav`,
      tag,
      summary: "All tracks on one timeline, a channel each",
      answers: wav("16 bit PCM"),
      async handle({ method, principal, params, path, headers }) {
        const sid = params.RecordingSid!;
        return media(await recordings.media(principal.accountSid, sid), `${sid}.wav`, {
          method,
          path,
          headers,
        });
      },
    }),
    route({
      methods: ["GET", "HEAD"],
      path: `${one}/Tracks/:Label.wav`,
      tag,
      summary: "One track",
      answers: wav("The track's audio"),
      async handle({ method, principal, params, path, headers }) {
        const [sid, label] = [params.RecordingSid!, params.Label!];
        const file = await recordings.track(principal.accountSid, sid, label);
        return media(file, `${sid}-${label}.wav`, { method, path, headers });
      },
    }),
    route({
      methods: ["GET"],
      path: `${one}/Metadata.xml`,
      tag,
      summary: "The latest complete metadata document, as it came",
      answers: { 200: { description: "RFC 7865 metadata", mediaType: "application/rs-metadata+xml" } },
      async handle({ principal, params, path }) {
        const { contentType, octets } = there(
          await recordings.metadataXml(principal.accountSid, params.RecordingSid!),
          path,
        );
        return {
          status: 200,
          headers: { "content-type": contentType },
          body: Buffer.from(octets),
        };
      },
    }),
    route({
      methods: ["GET"],
      path: `${one}/Metadata.json`,
      tag,
      summary: "Every version of the metadata, read and raw",
      answers: { 200: { description: "Metadata as JSON", mediaType: "application/json" } },
      async handle({ principal, params, path }) {
        return json(there(await recordings.metadataJson(principal.accountSid, params.RecordingSid!), path));
      },
    }),
    route({
      methods: ["GET"],
      path: `${one}/Vcon.json`,
      tag,
      summary: "The recording as a vCon",
      answers: { 200: { description: "vCon", mediaType: "application/vcon+json" } },
      async handle({ principal, params, path }) {
        const vcon = there(await recordings.vcon(principal.accountSid, params.RecordingSid!), path);
        return {
          status: 200,
          headers: { "content-type": "application/vcon+json" },
          body: JSON.stringify(vcon),
        };
      },
    }),
  ];
}

function there<T>(found: T | undefined, path: string): T {
  if (found === undefined) throw new NotFoundError(path);
  return found;
}

function media(
  file: MediaFile | undefined,
  name: string,
  request: {
    readonly method: string;
    readonly path: string;
    readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  },
): Answer {
  const header = (key: string) => {
    const value = request.headers[key];
    return Array.isArray(value) ? value[0] : value;
  };
  const asked = { method: request.method, range: header("range"), ifRange: header("if-range") };
  return fileAnswer(there(file, request.path), name, asked);
}
