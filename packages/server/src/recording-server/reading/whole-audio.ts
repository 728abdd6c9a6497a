import { inChannelOrder } from "../channel-order.ts";
import type { Whole } from "../stitching/whole.ts";
import { alignedSource } from "./aligned-source.ts";
import { mixedSource } from "./mixed-source.ts";
import type { PcmSource } from "./pcm-source.ts";
import { type Audible, audioOfRecording, type OpenAudio } from "./recording-audio.ts";
import { TRUE_CLOCK } from "./track-clock.ts";

/**
 * The audio of a whole call: each of its recordings at its place in time, tracks that share a channel one after the
 * other, or all of it in one channel.
 *
 * @param openerOf - how the files of one recording are read
 * @param rateFor - the rate to be given out, by the highest that was recorded
 */
export async function audioOfWhole(
  whole: Whole,
  openerOf: (recordingSid: string) => OpenAudio,
  { isMixed, rateFor }: { readonly isMixed: boolean; readonly rateFor: (rateHz: number) => number },
): Promise<Audible> {
  const heard = whole.parts.filter(({ sid }) =>
    whole.tracks.some(({ recordingSid }) => recordingSid === sid),
  );
  const audio = await Promise.all(
    heard.map((part) => audioOfRecording(part, openerOf(part.sid), { isMixed: false, rateFor })),
  );
  const inputSampleRateHz = Math.max(8_000, ...audio.map((one) => one.inputSampleRateHz));
  const sampleRateHz = rateFor(inputSampleRateHz);
  const lanes: PcmSource[][] = Array.from({ length: whole.channels }, () => []);
  for (const [at, part] of heard.entries()) {
    const startSeconds = (part.startTime - whole.startTime) / 1_000;
    const tracks = inChannelOrder(part.tracks.filter(({ detail }) => detail?.kind !== "video"));
    for (const [index, { label }] of tracks.entries()) {
      const source = audio[at]!.channels[index];
      const placed = whole.tracks.find((track) => track.recordingSid === part.sid && track.label === label);
      if (source === undefined || placed === undefined) continue;
      lanes[placed.channel]!.push(alignedSource(source, { sampleRateHz, startSeconds, clock: TRUE_CLOCK }));
    }
  }
  const channels = lanes.filter((lane) => lane.length > 0).map((lane) => mixedSource(lane, sampleRateHz));
  return {
    channels: isMixed || channels.length === 0 ? [mixedSource(channels, sampleRateHz)] : channels,
    sampleRateHz,
    inputSampleRateHz,
    unheard: audio.flatMap(({ unheard }) => unheard),
  };
}
