import { AudioNotDecodedError, RecordingInProgressError } from "../errors.ts";
import type { RecordingFiles } from "../files/recording-files.ts";
import type { AudioAsked, MediaFile, RecordingRecord, TrackForm, TrackRecord } from "../ports.ts";
import type { Whole } from "../stitching/whole.ts";
import { wavView } from "../wav-view.ts";
import { DerivedFiles } from "./derived-files.ts";
import { type DecoderCommand, decodeByCommand, rawSource } from "./foreign-decoder.ts";
import { OpusConverter, opusRateFor } from "./opus-converter.ts";
import {
  type Audible,
  audioOfRecording,
  audioOfTrack,
  keptFile,
  type OpenAudio,
  type OpenRecordingFile,
} from "./recording-audio.ts";
import { audioOfWhole } from "./whole-audio.ts";

export interface RecordingFormsOptions {
  readonly files: RecordingFiles;
  /** For codecs that we do not know. */
  readonly decoders: readonly DecoderCommand[];
}

/** A recording's audio in the forms in which it is given out. */
export class RecordingForms {
  readonly #files: RecordingFiles;
  readonly #derived: DerivedFiles;
  readonly #converter = new OpusConverter();
  readonly #decoders: readonly DecoderCommand[];

  constructor({ files, decoders }: RecordingFormsOptions) {
    this.#files = files;
    this.#decoders = decoders;
    this.#derived = new DerivedFiles(files.derivedFolder);
  }

  async media(record: RecordingRecord, { form = "wav", isMixed = false }: AudioAsked): Promise<MediaFile> {
    const audio = await audioOfRecording(record, this.#opener(record), { isMixed, rateFor: rateOf(form) });
    return this.#give(record, audio, form, isMixed ? "mixed.opus" : "media.opus");
  }

  /** A whole call, as WAV. */
  async whole(whole: Whole, isMixed: boolean): Promise<MediaFile> {
    const openerOf = (sid: string): OpenAudio =>
      this.#opener(whole.parts.find((part) => part.sid === sid) ?? whole.head);
    const audio = await audioOfWhole(whole, openerOf, { isMixed, rateFor: rateOf("wav") });
    return wavView(audio.channels, audio.sampleRateHz);
  }

  async track(record: RecordingRecord, track: TrackRecord, form: TrackForm): Promise<MediaFile | undefined> {
    const files = track.detail?.files ?? [track.file];
    if (form === "cfp" || form === "pcap") {
      const file = files.find((name) => name.endsWith(`.${form}`));
      const contentType = form === "cfp" ? "application/octet-stream" : "application/vnd.tcpdump.pcap";
      return file === undefined
        ? undefined
        : keptFile(file, contentType, (name) => this.#files.openOf(record, name));
    }
    if (track.detail?.kind === "video") return undefined;
    const audio = await audioOfTrack(track, this.#opener(record), rateOf(form));
    return this.#give(record, audio, form, `${track.file}.opus`);
  }

  async #give(
    record: RecordingRecord,
    { channels, sampleRateHz, inputSampleRateHz, unheard }: Audible,
    form: "wav" | "opus",
    name: string,
  ): Promise<MediaFile> {
    if (unheard.length > 0 && channels.every(({ samples }) => samples === 0)) {
      throw new AudioNotDecodedError(
        `${record.sid} holds ${unheard.join(", ")}: recorder.decoders names no decoder`,
      );
    }
    if (form === "wav") return wavView(channels, sampleRateHz);
    if (record.status === "in-progress")
      throw new RecordingInProgressError(`${record.sid} is in progress: it is there as WAV so far`);
    const facts = {
      sampleRateHz,
      inputSampleRateHz,
      serialNumber: Number.parseInt(record.sid.slice(-8), 16) || 1,
      comments: [`TITLE=${record.sid}`, `DATE=${new Date(record.startTime).toISOString()}`],
    };
    const open = await this.#derive(record.sid, name, (write) =>
      this.#converter.convert(channels, facts, write),
    );
    return (await keptFile(name, "audio/ogg; codecs=opus", open))!;
  }

  #opener(record: RecordingRecord): OpenAudio {
    const { sid } = record;
    const open: OpenRecordingFile = (file) => this.#files.openOf(record, file);
    return {
      open,
      foreign: async (file, { format }) => {
        const decoder = this.#decoders.find(({ codec }) => codec === format.codec);
        if (decoder === undefined) return undefined;
        const name = `${file}.${format.codec.replace(/[^A-Z0-9_-]/g, "_")}.s16`;
        const decoded = await this.#derive(sid, name, async (write) => {
          const payloads = await open(file);
          if (payloads === undefined) return;
          try {
            await decodeByCommand(decoder, format, payloads, write);
          } finally {
            await payloads.close();
          }
        });
        return rawSource(() => decoded(name), format.clockRateHz);
      },
    };
  }

  async #derive(
    sid: string,
    name: string,
    make: (write: (octets: Uint8Array) => void) => Promise<void>,
  ): Promise<OpenRecordingFile> {
    return this.#derived.get({ sid, key: await this.#files.key(sid) }, name, make);
  }
}

const rateOf = (form: "wav" | "opus") => (form === "opus" ? opusRateFor : (rateHz: number) => rateHz);
