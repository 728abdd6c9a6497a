import { METADATA_MEDIA_TYPE } from "@callfork/protocol/siprec";
import { inChannelOrder } from "./channel-order.ts";
import type { RecordingRecord } from "./ports.ts";

/** How the audio comes with a vCon. */
export type VconAudio =
  /** By name: it lies beside the document. */
  | undefined
  /** §2.3: within, base64url. */
  | { readonly body: string }
  /** §2.4: by URL, with the SHA-512 of what is there. */
  | { readonly url: string; readonly sha512: Uint8Array };

/**
 * The recording as a vCon, unsigned form, of draft-ietf-vcon-vcon-core-04 (syntax 0.4.0). `originator` is left out:
 * SIPREC does not tell who called.
 *
 * @param signedAt - epoch milliseconds; of what is signed it is the last change (§4.1.6)
 */
export function vconOf(
  record: RecordingRecord,
  metadataXml: string | undefined,
  audio?: VconAudio,
  signedAt?: number,
): { readonly uuid: string; readonly [name: string]: unknown } {
  const start = new Date(record.startTime).toISOString();
  const updated = signedAt ?? record.endTime;
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
    ...(updated !== null && { updated_at: new Date(updated).toISOString() }),
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
        ...audioOf(audio),
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

function audioOf(audio: VconAudio): object {
  if (audio === undefined) return {};
  if ("body" in audio) return { encoding: "base64url", body: audio.body };
  return { url: audio.url, content_hash: `sha512-${Buffer.from(audio.sha512).toString("base64url")}` };
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
