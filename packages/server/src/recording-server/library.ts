import type { RecordingFiles } from "./files/recording-files.ts";
import { fileOfKept, readKept, textOfKept } from "./kept-document.ts";
import { metadataHistory } from "./metadata-history.ts";
import type {
  AudioAsked,
  MediaFile,
  MetadataFile,
  RecordingLibrary,
  RecordingRecord,
  RecordingStore,
  TrackForm,
  VconWish,
} from "./ports.ts";
import type { DecoderCommand } from "./reading/foreign-decoder.ts";
import { RecordingForms } from "./reading/recording-forms.ts";
import type { RecordingFilter } from "./search.ts";
import { vconOf } from "./vcon.ts";

export interface LibraryOptions {
  readonly store: RecordingStore;
  readonly files: RecordingFiles;
  /** For codecs that we do not know. */
  readonly decoders: readonly DecoderCommand[];
  /** The row of a recording in progress as of now. */
  readonly live: (sid: string) => Promise<RecordingRecord | undefined>;
}

/** What is known of recordings and what was heard, live ones as far as they got. */
export class Library implements RecordingLibrary {
  readonly #options: LibraryOptions;
  readonly #forms: RecordingForms;

  constructor(options: LibraryOptions) {
    this.#options = options;
    this.#forms = new RecordingForms({ files: options.files, decoders: options.decoders });
  }

  async list(
    accountSid: string,
    page: { readonly offset: number; readonly limit: number } & RecordingFilter,
  ): Promise<readonly RecordingRecord[]> {
    const rows = await this.#options.store.listRecordings({ accountSid, ...page });
    return Promise.all(rows.map((row) => this.#asOfNow(row)));
  }

  async find(accountSid: string, sid: string): Promise<RecordingRecord | undefined> {
    const row = await this.#options.store.findRecording(sid);
    return row === undefined || row.accountSid !== accountSid ? undefined : this.#asOfNow(row);
  }

  async media(accountSid: string, sid: string, asked: AudioAsked = {}): Promise<MediaFile | undefined> {
    const record = await this.find(accountSid, sid);
    if (record === undefined || record.tracks.length === 0) return undefined;
    return this.#forms.media(record, asked);
  }

  async track(
    accountSid: string,
    sid: string,
    label: string,
    form: TrackForm = "wav",
  ): Promise<MediaFile | undefined> {
    const record = await this.find(accountSid, sid);
    const track = record?.tracks.find((each) => each.label === label);
    return track && this.#forms.track(record!, track, form);
  }

  async metadataXml(accountSid: string, sid: string): Promise<MetadataFile | undefined> {
    if ((await this.find(accountSid, sid)) === undefined) return undefined;
    const document = await this.#latestComplete(sid);
    return document === undefined ? undefined : fileOfKept(document);
  }

  async metadataJson(accountSid: string, sid: string): Promise<object | undefined> {
    const record = await this.find(accountSid, sid);
    if (record === undefined) return undefined;
    return metadataHistory(record, await this.#options.store.listMetadataVersions(sid));
  }

  async vcon(accountSid: string, sid: string, _wish: VconWish): Promise<object | undefined> {
    const record = await this.find(accountSid, sid);
    if (record === undefined) return undefined;
    const document = await this.#latestComplete(sid);
    return vconOf(record, document === undefined ? undefined : textOfKept(document));
  }

  async #latestComplete(sid: string): Promise<string | undefined> {
    const versions = await this.#options.store.listMetadataVersions(sid);
    return versions.findLast(({ document }) => {
      const read = readKept(document);
      return read.ok && read.value.metadata.dataMode === "complete";
    })?.document;
  }

  async #asOfNow(row: RecordingRecord): Promise<RecordingRecord> {
    return row.status === "in-progress" ? ((await this.#options.live(row.sid)) ?? row) : row;
  }
}
