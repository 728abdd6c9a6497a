import { METADATA_MEDIA_TYPE } from "@callfork/protocol/siprec";
import { inChannelOrder } from "./channel-order.ts";
import type { RecordingRecord } from "./ports.ts";

/**
 * The recording as a vCon, unsigned form, of draft-ietf-vcon-vcon-core-04 (syntax 0.4.0).
 *
 * The audio is named, not carried: `filename` is the file beside this document. A `url` would need a hash of audio
 * that is decoded only when somebody reads it (§2.4.2). `originator` is left out: SIPREC does not tell who called.
 */
export function vconOf(record: RecordingRecord, metadataXml: string | undefined): object {
  const start = new Date(record.startTime).toISOString();
  const parties = record.participants.map(({ aor, name, participantId }) => ({
    ...addressOf(aor),
    ...(name !== null && { name }),
    uuid: participantId,
  }));
  const channels = inChannelOrder(record.tracks).map(({ senders }) => {
    const heard = senders.flatMap((sender) => {
      const index = record.participants.findIndex(({ participantId }) => participantId === sender);
      return index < 0 ? [] : [index];
    });
    return heard.length === 0 ? null : heard; // §4.3.4: one entry a channel, null for one that is nobody's
  });
  const sessionIds = record.sessions.flatMap(({ sipSessionIds }) => sipSessionIds.flatMap(sessionIdOf));
  return {
    vcon: "0.4.0",
    uuid: uuidOf(record.sid),
    created_at: start,
    ...(record.endTime !== null && { updated_at: new Date(record.endTime).toISOString() }),
    parties,
    dialog: [
      {
        type: "recording",
        start,
        ...(record.durationMs !== null && { duration: record.durationMs / 1_000 }),
        parties: channels,
        ...(sessionIds.length > 0 && { session_id: sessionIds }),
        mediatype: "audio/wav",
        filename: "Media.wav",
        application: "SIPREC",
      },
    ],
    analysis: [],
    attachments:
      metadataXml === undefined || parties.length === 0
        ? []
        : [
            {
              purpose: "siprec-metadata",
              start,
              party: 0,
              dialog: 0,
              mediatype: METADATA_MEDIA_TYPE,
              filename: "Metadata.xml",
              encoding: "none",
              body: metadataXml,
            },
          ],
  };
}

/** §4.2.1: a tel URI; §4.2.2: a SIP URI. An address that is neither is told as it stands. */
function addressOf(aor: string): object {
  if (/^tel:/i.test(aor)) return { tel: aor };
  return aor === "" ? {} : { sip: aor };
}

/** Version 8 (RFC 9562 §5.8): the 128 random bits of the SID, with version and variant where they belong. */
function uuidOf(sid: string): string {
  const hex = sid.slice(2);
  const variant = ((Number.parseInt(hex[16] ?? "0", 16) & 0x3) | 0x8).toString(16);
  return dashed(`${hex.slice(0, 12)}8${hex.slice(13, 16)}${variant}${hex.slice(17)}`);
}

/** Session-ID of RFC 7989: `local;remote=remote`, 32 hexadecimal digits each. */
function sessionIdOf(text: string): object[] {
  const [, local, remote] = /^([0-9a-f]{32})(?:\s*;\s*remote=([0-9a-f]{32}))?/i.exec(text.trim()) ?? [];
  if (local === undefined) return [];
  return [{ local: dashed(local), ...(remote !== undefined && { remote: dashed(remote) }) }];
}

function dashed(hex: string): string {
  return hex.toLowerCase().replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
