import type { TestServer } from "./server.ts";
import { until } from "./waiting.ts";

/** A recording as GET /v1/Recordings/{sid} shows it. */
export interface RecordingJson {
  readonly sid: string;
  readonly status: "in-progress" | "completed" | "interrupted" | "failed";
  readonly source: {
    readonly call_id: string;
    readonly transport: string;
    readonly user_agent: string | null;
    readonly dialect: string;
  };
  readonly duration_ms: number;
  readonly sessions: readonly {
    readonly session_id: string;
    readonly group_id: string | null;
    readonly sip_session_ids: readonly string[];
  }[];
  readonly participants: readonly {
    readonly participant_id: string;
    readonly aor: string;
    readonly name: string | null;
  }[];
  readonly tracks: readonly TrackJson[];
  readonly warnings: readonly { readonly code: string; readonly message: string }[];
  readonly extension_data: Readonly<Record<string, string>>;
}

export interface TrackJson {
  readonly label: string;
  readonly senders: readonly string[];
  readonly codec: string;
  readonly duration_ms: number;
  readonly packets: number;
  readonly expected: number;
  readonly lost: number;
}

/** The recording of a recording session, by that session's Call-ID, once it is over. */
export async function recordingOf(server: TestServer, callId: string): Promise<RecordingJson> {
  return await until(`the recording of ${callId} being closed`, async () => {
    const { recordings } = await server.get<{ recordings: RecordingJson[] }>("/v1/Recordings?PageSize=1000");
    return recordings.find(({ source, status }) => source.call_id === callId && status !== "in-progress");
  });
}

/** Who speaks on a track, as the recording names them. */
export function speakersOn(recording: RecordingJson, track: TrackJson): string[] {
  return track.senders.map(
    (id) =>
      recording.participants.find(({ participant_id }) => participant_id === id)?.aor ?? `unknown ${id}`,
  );
}
