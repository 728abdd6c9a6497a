import type { AuditAction, RecordingArchive, RecordingLibrary } from "../../recording-server/index.ts";
import { NotCompleteError, NotFoundError, ParameterError } from "../http/errors.ts";
import { choice, text } from "../http/fields.ts";
import { metaPage, metaPageSchema, PAGE_FIELDS, pageAsked } from "../http/paging.ts";
import { json, NO_CONTENT, type Route, route } from "../http/route.ts";
import { actorOf } from "./actor.ts";
import type { Asked } from "./media-answer.ts";
import { named, V1 } from "./prefix.ts";
import { audioRoutes } from "./recording-audio.ts";
import { filterOf, SEARCH_FIELDS } from "./recording-search.ts";
import { RECORDING_SCHEMA, showRecording } from "./recording-view.ts";

const STATUSES = ["in-progress", "completed", "interrupted", "failed"] as const;

/** /v1/Recordings: what was recorded, and what is known of it. */
export function recordingRoutes({
  recordings,
  archive,
  base,
}: {
  recordings: RecordingLibrary;
  archive: RecordingArchive;
  base: () => string;
}): readonly Route[] {
  const tag = "Recordings";
  const one = `${V1}/Recordings/:RecordingSid`;
  /** Durable before anything leaves. */
  const note = (
    { principal, params, address, headers }: Asked,
    action: AuditAction,
    what: string,
  ): Promise<void> => {
    const range = action === "heard" && typeof headers.range === "string" ? ` ${headers.range}` : "";
    const who = actorOf(principal, address);
    return archive.note(principal.accountSid, params.RecordingSid!, action, who, what + range);
  };

  return [
    route({
      methods: ["GET"],
      path: `${V1}/Recordings`,
      alias: `${V1}/Recordings.json`,
      tag,
      summary: "List recordings, newest first",
      query: { ...PAGE_FIELDS, ...SEARCH_FIELDS, Status: choice(STATUSES, { code: 20422 }) },
      answers: {
        200: { description: "A page of recordings", schema: metaPageSchema("recordings", RECORDING_SCHEMA) },
      },
      async handle({ principal, query, search, url }) {
        const asked = pageAsked(url, query);
        const filter = {
          ...filterOf(query, search),
          ...(query.Status === undefined ? {} : { status: query.Status }),
        };
        const rows = await recordings.list(principal.accountSid, { ...asked.window, ...filter });
        const kept = await archive.keeping(rows.map(({ sid }) => sid));
        const show = (row: (typeof rows)[number]) => showRecording(row, kept.get(row.sid), base());
        return json(metaPage(asked, base(), "recordings", rows, show));
      },
    }),
    route({
      methods: ["GET"],
      path: one,
      tag,
      summary: "Fetch a recording",
      answers: { 200: { description: "The recording", schema: RECORDING_SCHEMA } },
      async handle({ principal, params, path }) {
        const sid = named(params.RecordingSid);
        const recording = there(await recordings.find(principal.accountSid, sid), path);
        return json(showRecording(recording, (await archive.keeping([sid])).get(sid), base()));
      },
    }),
    route({
      methods: ["POST"],
      path: one,
      tag,
      summary: "Put a recording under legal hold, or lift it",
      body: {
        LegalHold: choice(["true", "false"], {
          code: 20422,
          description: "true: nobody and nothing deletes it until it is lifted",
        }),
        HoldReason: text({ code: 20422, max: 500, description: "Why it is held; for the audit trail" }),
      },
      answers: { 200: { description: "The recording", schema: RECORDING_SCHEMA } },
      async handle({ principal, params, path, body, address }) {
        const sid = named(params.RecordingSid);
        const { LegalHold: wish, HoldReason: reason = "" } = body;
        if (wish === undefined) throw new ParameterError(20422, "LegalHold is required");
        const who = actorOf(principal, address);
        const held = await archive.hold(principal.accountSid, sid, wish === "true" ? reason : null, who);
        const recording = there(await recordings.find(principal.accountSid, sid), path);
        return json(showRecording(recording, there(held, path), base()));
      },
    }),
    route({
      methods: ["DELETE"],
      path: one,
      tag,
      summary: "Delete a recording, its audio included",
      answers: { 204: { description: "Deleted" } },
      async handle({ principal, params, path, address }) {
        const sid = named(params.RecordingSid);
        const recording = there(await recordings.find(principal.accountSid, sid), path);
        if (recording.status === "in-progress") throw new NotCompleteError(`Recording ${sid} is in progress`);
        const who = actorOf(principal, address);
        if (!(await archive.remove(principal.accountSid, sid, who))) throw new NotFoundError(path);
        return NO_CONTENT;
      },
    }),
    ...audioRoutes({ recordings, one, tag, note }),
    route({
      methods: ["GET"],
      path: `${one}/Metadata.xml`,
      tag,
      summary: "The latest complete metadata document, as it came",
      answers: { 200: { description: "RFC 7865 metadata", mediaType: "application/rs-metadata+xml" } },
      async handle(ask) {
        const { principal, params, path } = ask;
        const { contentType, octets } = there(
          await recordings.metadataXml(principal.accountSid, params.RecordingSid!),
          path,
        );
        await note(ask, "metadata-read", "Metadata.xml");
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
      async handle(ask) {
        const { principal, params, path } = ask;
        const found = there(await recordings.metadataJson(principal.accountSid, params.RecordingSid!), path);
        await note(ask, "metadata-read", "Metadata.json");
        return json(found);
      },
    }),
    route({
      methods: ["GET"],
      path: `${one}/Vcon.json`,
      tag,
      summary: "The recording as a vCon",
      query: {
        Signed: choice(["true", "false"], { code: 20422, description: "JWS, signed with the node's key" }),
        Audio: choice(["none", "inline", "link"], {
          code: 20422,
          description: "Named only, carried within, or linked with its hash; default none",
        }),
      },
      answers: { 200: { description: "vCon", mediaType: "application/vcon+json" } },
      async handle(ask) {
        const { principal, params, path, query, search } = ask;
        const isSigned = (query.Signed ?? search.get("signed")?.[0]) === "true";
        const wish = { isSigned, audio: query.Audio ?? "none", base: base() };
        const found = there(await recordings.vcon(principal.accountSid, params.RecordingSid!, wish), path);
        await note(ask, "exported", `Vcon.json${isSigned ? ", signed" : ""}, audio ${wish.audio}`);
        return {
          status: 200,
          headers: { "content-type": "application/vcon+json" },
          body: JSON.stringify(found),
        };
      },
    }),
  ];
}

function there<T>(found: T | undefined, path: string): T {
  if (found === undefined) throw new NotFoundError(path);
  return found;
}
