import type { AuditAction, RecordingLibrary } from "../../recording-server/index.ts";
import { choice } from "../http/fields.ts";
import { type Route, route } from "../http/route.ts";
import { type Asked, fileOf } from "./media-answer.ts";

/** Forms of a track, and what they are. */
const FORMS = {
  wav: { mediaType: "audio/wav", summary: "One track" },
  opus: { mediaType: "audio/ogg", summary: "One track as Opus in Ogg" },
  cfp: {
    mediaType: "application/octet-stream",
    summary: "The payloads of one track as they came, of any codec but G.711",
  },
  pcap: { mediaType: "application/vnd.tcpdump.pcap", summary: "The packets of one video track" },
} as const;
const MIX = { Mix: choice(["mono"], { code: 20422 }) };

/** The audio of a recording, whole and track by track. */
export function audioRoutes({
  recordings,
  one,
  tag,
  note,
}: {
  readonly recordings: RecordingLibrary;
  /** Path of one recording. */
  readonly one: string;
  readonly tag: string;
  /** Who heard it, durable before anything leaves. */
  readonly note: (ask: Asked, action: AuditAction, what: string) => Promise<void>;
}): readonly Route[] {
  const file = (mediaType: string, description: string) => ({
    200: { description, mediaType },
    206: { description: "The range that was asked for", mediaType },
  });
  const whole = (["wav", "opus"] as const).map((form) =>
    route({
      methods: ["GET", "HEAD"],
      path: `${one}/Media.${form}`,
      tag,
      summary:
        form === "wav"
          ? "All tracks on one timeline, a channel each, or in one channel with Mix=mono"
          : "The same as Opus in Ogg, about a tenth of the size; made when it is asked for the first time",
      query: MIX,
      answers: file(FORMS[form].mediaType, form === "wav" ? "16 bit PCM" : "Opus"),
      async handle(ask) {
        const sid = ask.params.RecordingSid!;
        const asked = { form, isMixed: ask.query.Mix === "mono" };
        const media = await recordings.media(ask.principal.accountSid, sid, asked);
        return fileOf(media, `${sid}.${form}`, ask, () => note(ask, "heard", `Media.${form}`));
      },
    }),
  );
  const tracks = (["wav", "opus", "cfp", "pcap"] as const).map((form) =>
    route({
      methods: ["GET", "HEAD"],
      path: `${one}/Tracks/:Label.${form}`,
      tag,
      summary: FORMS[form].summary,
      answers: file(FORMS[form].mediaType, "The track"),
      async handle(ask) {
        const { RecordingSid: sid = "", Label: label = "" } = ask.params;
        const track = await recordings.track(ask.principal.accountSid, sid, label, form);
        const what = `Tracks/${label}.${form}`;
        return fileOf(track, `${sid}-${label}.${form}`, ask, () => note(ask, "heard", what));
      },
    }),
  );
  return [...whole, ...tracks];
}
