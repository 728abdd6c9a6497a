import { createHash } from "node:crypto";
import { RecordingInProgressError, VconTooLargeError } from "./errors.ts";
import type { MediaFile, RecordingRecord, VconWish } from "./ports.ts";
import type { VconAudio } from "./vcon.ts";

/** Audio that a vCon may carry: it is a third more as text, and in memory as a whole. Half an hour of two G.711 tracks. */
const MAX_INLINE_BYTES = 64 << 20;

/**
 * The audio as a vCon is to have it.
 *
 * @throws `RecordingInProgressError` when it may still change, `VconTooLargeError`
 */
export async function vconAudio(
  { sid, status }: Pick<RecordingRecord, "sid" | "status">,
  { audio, base }: VconWish,
  open: () => Promise<MediaFile | undefined>,
): Promise<VconAudio> {
  if (audio === "none") return undefined;
  if (status === "in-progress") {
    throw new RecordingInProgressError(`${sid} is in progress: its audio can neither be carried nor linked`);
  }
  const media = await open();
  if (media === undefined || media.length === 0) return undefined;
  if (audio === "link") {
    const hash = createHash("sha512");
    for await (const piece of media.open(0, media.length - 1)) hash.update(piece);
    return { url: `${base}/v1/Recordings/${sid}/Media.wav`, sha512: hash.digest() };
  }
  if (media.length > MAX_INLINE_BYTES) {
    const limit = MAX_INLINE_BYTES >> 20;
    throw new VconTooLargeError(`${sid} has more than ${limit} MiB of audio: link it instead`);
  }
  const pieces: Buffer[] = [];
  for await (const piece of media.open(0, media.length - 1)) pieces.push(piece);
  return { body: Buffer.concat(pieces).toString("base64url") };
}
