import type { RecordingRecord, TrackRecord } from "../ports.ts";

/** A track of a whole, and whose it is. */
export interface WholeTrack extends TrackRecord {
  /** The recording whose folder has its files. */
  readonly recordingSid: string;
  /** Tracks that follow one another under one label share a channel. */
  readonly channel: number;
}

/** Who was there, when. */
export interface Presence {
  readonly participantId: string;
  readonly aor: string;
  readonly name: string | null;
  /** Epoch milliseconds. */
  readonly from: number;
  /** Null: still there. */
  readonly until: number | null;
  readonly recordingSid: string;
}

/** Recordings of one call as one. */
export interface Whole {
  /** The first of them. */
  readonly head: RecordingRecord;
  /** All of them, in the order in which they began; twins too, whose tracks and parties are left out below. */
  readonly parts: readonly RecordingRecord[];
  readonly startTime: number;
  readonly endTime: number | null;
  readonly durationMs: number | null;
  readonly status: RecordingRecord["status"];
  /** By channel, then by time; offsets are from the whole's start. */
  readonly tracks: readonly WholeTrack[];
  readonly channels: number;
  /** In the order of their coming. */
  readonly timeline: readonly Presence[];
}

/**
 * Puts recordings of one call together: one timeline, every party with the times of its presence. Tracks of one label
 * that do not overlap are one channel, so that a caller who is transferred stays on hers.
 *
 * @param recordings - at least one
 */
export function wholeOf(recordings: readonly RecordingRecord[]): Whole {
  const parts = [...recordings].sort((a, b) => a.startTime - b.startTime || (a.sid < b.sid ? -1 : 1));
  const head = parts[0]!;
  const startTime = head.startTime;
  const tracks = placed(parts, startTime);
  const isOver = parts.every(({ endTime }) => endTime !== null);
  return {
    head,
    parts,
    startTime,
    endTime: isOver ? Math.max(...parts.map(({ endTime }) => endTime ?? 0)) : null,
    durationMs: isOver
      ? tracks.reduce((longest, track) => Math.max(longest, track.startOffsetMs + track.durationMs), 0)
      : null,
    status: statusOf(parts),
    tracks,
    channels: tracks.reduce((most, { channel }) => Math.max(most, channel + 1), 0),
    timeline: presencesOf(parts),
  };
}

/** A second of overlap is the seam of a change of parties, not two people. */
const SEAM_MS = 1_000;

interface Lane {
  readonly label: string;
  readonly taken: { readonly startMs: number; readonly endMs: number }[];
}

function placed(parts: readonly RecordingRecord[], startTime: number): readonly WholeTrack[] {
  const lanes: Lane[] = [];
  const found: WholeTrack[] = [];
  for (const part of parts) {
    if (isTwin(part)) continue;
    const shift = part.startTime - startTime;
    // Within one part every track has a channel of its own.
    const own = new Set<Lane>();
    for (const track of part.tracks) {
      const startMs = track.startOffsetMs + shift;
      const endMs = startMs + track.durationMs;
      let lane = lanes.find(
        (one) => one.label === track.label && !own.has(one) && isFree(one, startMs, endMs),
      );
      if (lane === undefined) {
        lane = { label: track.label, taken: [] };
        lanes.push(lane);
      }
      own.add(lane);
      lane.taken.push({ startMs, endMs });
      found.push({ ...track, startOffsetMs: startMs, recordingSid: part.sid, channel: lanes.indexOf(lane) });
    }
  }
  return found.sort((a, b) => a.channel - b.channel || a.startOffsetMs - b.startOffsetMs);
}

/** Whichever begins later begins at the end of the other, or next to it. */
function isFree({ taken }: Lane, startMs: number, endMs: number): boolean {
  return taken.every((other) => {
    if (startMs < other.startMs) return endMs <= other.startMs + SEAM_MS;
    if (startMs > other.startMs) return other.endMs <= startMs + SEAM_MS;
    return endMs <= other.startMs + SEAM_MS && other.endMs <= startMs + SEAM_MS;
  });
}

/** The same session, sent twice: what it holds is there already. */
const isTwin = ({ warnings }: RecordingRecord): boolean =>
  warnings.some(({ code }) => code === "TWIN_SESSION");

/** What is not over is in progress; what is worst of the rest is said of all. */
function statusOf(parts: readonly RecordingRecord[]): RecordingRecord["status"] {
  const has = (status: RecordingRecord["status"]): boolean => parts.some((part) => part.status === status);
  if (has("in-progress")) return "in-progress";
  if (has("interrupted")) return "interrupted";
  return has("completed") ? "completed" : "failed";
}

function presencesOf(parts: readonly RecordingRecord[]): readonly Presence[] {
  return parts
    .filter((part) => !isTwin(part))
    .flatMap((part) =>
      part.participants.flatMap(({ participantId, aor, name, presence }) => {
        const times = presence ?? [{ from: part.startTime, until: part.endTime }];
        return times.map(({ from, until }) => {
          // Whoever nobody saw leave left with the recording.
          return { participantId, aor, name, from, until: until ?? part.endTime, recordingSid: part.sid };
        });
      }),
    )
    .sort((a, b) => a.from - b.from || (a.aor < b.aor ? -1 : 1));
}
