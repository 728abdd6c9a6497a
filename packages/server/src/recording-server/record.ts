import {
  extensionsOf,
  type MetadataState,
  objectIdKey,
  participantsOf,
  sessionsOf,
  streamsOf,
} from "@callfork/protocol/siprec";
import type { IncomingInvite } from "../signalling/index.ts";
import { align } from "./alignment.ts";
import type { HeaderParty } from "./header-parties.ts";
import type { Knowledge } from "./metadata-log.ts";
import type { RecordingMarker, RecordingRecord, TrackDetail, TrackRecord } from "./ports.ts";
import type { RecordedTrack } from "./recorded-track.ts";
import { BRIDGE_KEY } from "./stitching/belonging.ts";
import type { TrackSummary } from "./tracks/writer-messages.ts";
import type { RecordingWarning } from "./warnings.ts";

const MAX_EXTENSION_ENTRIES = 200;
const MAX_EXTENSION_LENGTH = 4_096;
/** Comings and goings of one participant that are told. */
const MAX_PRESENCES = 64;

export interface IdentifiedParty extends HeaderParty {
  readonly participantId: string;
}

/** All that a recording's row is made from. */
export interface RecordParts {
  readonly sid: string;
  readonly accountSid: string;
  readonly partOf: string | undefined;
  /** What the INVITE tells that ties recordings of one call together. */
  readonly bridgeReference: string | undefined;
  readonly source: RecordingRecord["source"];
  /** When the INVITE came: the row's time until a packet has. Then the row starts where its audio does. */
  readonly startTime: number;
  readonly tracks: readonly RecordedTrack[];
  /** Without an entry: nothing is known yet. */
  readonly summaries: ReadonlyMap<RecordedTrack, TrackSummary>;
  readonly knowledge: Knowledge;
  /** Who the INVITE's header fields name: they count as long as no metadata names anybody. */
  readonly headerParties: readonly IdentifiedParty[];
  readonly markers: readonly RecordingMarker[];
  readonly warnings: readonly RecordingWarning[];
  readonly end: { readonly time: number; readonly status: RecordingRecord["status"] } | undefined;
}

export function buildRecord(parts: RecordParts): RecordingRecord {
  const { state } = parts.knowledge;
  const firstPackets = [...parts.summaries.values()].flatMap(({ firstPacketTime }) => firstPacketTime ?? []);
  const mediaStart = firstPackets.length === 0 ? undefined : Math.min(...firstPackets);
  const tracks = trackRecords(parts);
  return {
    sid: parts.sid,
    accountSid: parts.accountSid,
    status: parts.end?.status ?? "in-progress",
    source: parts.source,
    startTime: Math.round(mediaStart ?? parts.startTime),
    endTime: parts.end?.time ?? null,
    durationMs: parts.end === undefined ? null : durationOf(tracks),
    sessions: sessionsOf(state).map(({ sessionId, groupId, sipSessionIds }) => ({
      sessionId,
      groupId: groupId ?? null,
      sipSessionIds,
    })),
    participants: participantRecords(parts),
    tracks,
    markers: parts.markers,
    warnings: parts.warnings,
    extensionData: {
      ...(parts.bridgeReference !== undefined && { [BRIDGE_KEY]: parts.bridgeReference }),
      ...extensionData(state),
    },
    ...(parts.partOf !== undefined && { partOf: parts.partOf }),
  };
}

function participantRecords({ knowledge, headerParties }: RecordParts): RecordingRecord["participants"] {
  const named = participantsOf(knowledge.state);
  if (named.length === 0) {
    return headerParties.map(({ participantId, aor, name }) => ({ participantId, aor, name }));
  }
  return named.map(({ participantId, aor, normalizedAor, name, sessions }) => {
    const presence = sessions
      .flatMap(({ intervals }) =>
        intervals.map(({ fromMs, untilMs }) => ({ from: fromMs, until: untilMs ?? null })),
      )
      .slice(0, MAX_PRESENCES);
    return {
      participantId,
      aor: normalizedAor || aor,
      name: name ?? null,
      ...(presence.length > 0 && { presence }),
    };
  });
}

/** Who records to us. */
export function sourceOf(
  { request, flow, callId }: IncomingInvite,
  dialect: string,
): RecordingRecord["source"] {
  const { remoteAddress, remotePort, transport } = flow;
  const host = remoteAddress.includes(":") ? `[${remoteAddress}]` : remoteAddress;
  const userAgent = request.headers.get("User-Agent")?.slice(0, 256) ?? null;
  return { address: `${host}:${remotePort}`, transport, userAgent, callId, dialect };
}

/** From the first sample of the first track to the last sample of the last. */
export function durationOf(tracks: readonly Pick<TrackRecord, "startOffsetMs" | "durationMs">[]): number {
  return tracks.reduce((longest, track) => Math.max(longest, track.startOffsetMs + track.durationMs), 0);
}

function trackRecords(parts: RecordParts): readonly TrackRecord[] {
  const { tracks, summaries, knowledge } = parts;
  const streams = streamsOf(knowledge.state);
  const guessed = participantsOf(knowledge.state).length === 0 ? parts.headerParties : [];
  const { offsets, isBySender } = align(
    tracks.map((track) => {
      const { firstPacketTime = null, senderStart = null } = summaries.get(track) ?? {};
      return { firstPacketTime, senderStart, mediaHost: track.mediaHost };
    }),
  );
  return tracks.map((track, at) => {
    const summary = summaries.get(track);
    const own = streams.filter(({ streamId }) => knowledge.bindings.get(objectIdKey(streamId)) === track);
    const current = own.findLast((stream) => stream.current) ?? own.at(-1);
    return {
      label: track.label,
      streamId: current?.streamId ?? null,
      senders: [
        ...new Set(own.flatMap(({ everSenders }) => everSenders)),
        ...guessed.flatMap(({ line, participantId }) => (line === track.line ? [participantId] : [])),
      ],
      codec: summary?.codecs[0] ?? track.codec,
      clockRateHz: track.clockRateHz,
      durationMs: Math.round(((summary?.samples ?? 0) * 1_000) / track.clockRateHz),
      packets: summary?.packets ?? 0,
      expected: summary?.expected ?? 0,
      lost: summary?.lost ?? 0,
      late: summary?.late ?? 0,
      duplicates: summary?.duplicates ?? 0,
      longestGapMs: summary?.longestGapMs ?? 0,
      startOffsetMs: Math.round(offsets[at] ?? 0),
      file: track.filesOf(summary)[0]!,
      detail: detailOf(track, summary, isBySender),
    };
  });
}

function detailOf(track: RecordedTrack, summary: TrackSummary | undefined, isBySender: boolean): TrackDetail {
  const { samples = 0, silentSamples = 0, quietSamples = 0 } = summary ?? {};
  return {
    kind: track.kind,
    codecs: summary?.codecs ?? [],
    files: track.filesOf(summary),
    firstPacketTime: summary?.firstPacketTime ?? null,
    lastPacketTime: summary?.lastPacketTime ?? null,
    silenceShare: samples === 0 ? 0 : Math.round((1_000 * (silentSamples + quietSamples)) / samples) / 1_000,
    sourceChanges: summary?.sourceChanges ?? 0,
    clockPoints: (summary?.clockPoints ?? []).flatMap(({ position, leadMs, senderLeadMs }) => {
      const lead = isBySender ? senderLeadMs : leadMs;
      return lead === null ? [] : [{ position, leadMs: Math.round(lead * 100) / 100 }];
    }),
  };
}

/** Names and values of all extensions; of one name the first counts. */
function extensionData(state: MetadataState): Readonly<Record<string, string>> {
  const data = new Map<string, string>();
  for (const { extension } of extensionsOf(state)) {
    for (const { name, value } of extension.parameters) {
      if (data.size >= MAX_EXTENSION_ENTRIES) break;
      if (name !== "" && !data.has(name)) data.set(name.slice(0, 256), value.slice(0, MAX_EXTENSION_LENGTH));
    }
  }
  return Object.fromEntries(data);
}
