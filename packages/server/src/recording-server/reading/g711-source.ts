import { decodePcma, decodePcmu, parseWav, wavHeaderBytes } from "@callfork/protocol/audio";
import type { FileReader } from "../files/file-reader.ts";
import type { PcmSource } from "./pcm-source.ts";

/** Opens a track's file; undefined when there is none. Whoever asks closes it. */
export type OpenFile = () => Promise<FileReader | undefined>;

/** G.711 in a WAV file. One that is being written has the samples that are in it now; undefined: there is no such file. */
export async function g711Source(open: OpenFile): Promise<PcmSource | undefined> {
  const file = await open();
  if (file === undefined) return undefined; // no packet ever came
  let info: ReturnType<typeof parseWav>;
  try {
    info = parseWav(await file.read(0, wavHeaderBytes("mulaw")), file.size);
  } finally {
    await file.close();
  }
  if (!info.ok) return undefined;
  const { dataBytes: samples, dataOffset, format, sampleRateHz } = info.value;
  const decode = format === "alaw" ? decodePcma : decodePcmu;
  return {
    sampleRateHz,
    samples,
    open: async () => {
      const reader = await open();
      if (reader === undefined) throw new Error("a track's file went while it was read");
      return {
        read: async (first, out) => {
          const from = Math.max(first, 0);
          const to = Math.min(first + out.length, samples);
          out.fill(0);
          if (to <= from) return;
          const codes = await reader.read(dataOffset + from, to - from);
          if (codes.length < to - from) throw new Error(`${reader.name} became shorter while it was read`);
          decode(codes, out.subarray(from - first, to - first));
        },
        close: () => reader.close(),
      };
    },
  };
}
