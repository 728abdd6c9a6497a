import { VconNotSignableError } from "./errors.ts";
import type { RecordingFiles } from "./files/recording-files.ts";
import { fileOfKept, readKept, textOfKept } from "./kept-document.ts";
import type { MetadataDocuments } from "./metadata-documents.ts";
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
import { Stitcher } from "./stitching/stitcher.ts";
import { type Whole, wholeOf } from "./stitching/whole.ts";
import { vconOf } from "./vcon.ts";
import { vconAudio } from "./vcon-audio.ts";
import type { VconSigner } from "./vcon-signer.ts";

export interface LibraryOptions {
  readonly store: RecordingStore;
  readonly files: RecordingFiles;
  readonly documents: MetadataDocuments;
  /** For codecs that we do not know. */
  readonly decoders: readonly DecoderCommand[];
  /** Undefined: vCons cannot be signed. */
  readonly signer: VconSigner | undefined;
  /** Wall clock, epoch milliseconds. */
  readonly now: () => number;
  /** The row of a recording in progress as of now. */
  readonly live: (sid: string) => Promise<RecordingRecord | undefined>;
}

/** What is known of recordings and what was heard, live ones as far as they got. */
export class Library implements RecordingLibrary {
  readonly #options: LibraryOptions;
  readonly #stitcher: Stitcher;
  readonly #forms: RecordingForms;

  constructor(options: LibraryOptions) {
    this.#options = options;
    this.#stitcher = new Stitcher(options.store);
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

  async whole(accountSid: string, sid: string): Promise<Whole | undefined> {
    const record = await this.find(accountSid, sid);
    if (record === undefined) return undefined;
    const parts = await this.#stitcher.partsOf(record);
    return wholeOf(await Promise.all(parts.map((part) => this.#asOfNow(part))));
  }

  async wholeMedia(accountSid: string, sid: string, isMixed: boolean): Promise<MediaFile | undefined> {
    const whole = await this.whole(accountSid, sid);
    return whole && this.#forms.whole(whole, isMixed);
  }

  async metadataXml(accountSid: string, sid: string): Promise<MetadataFile | undefined> {
    if ((await this.find(accountSid, sid)) === undefined) return undefined;
    const document = await this.#latestComplete(sid);
    return document === undefined ? undefined : fileOfKept(document);
  }

  async metadataJson(accountSid: string, sid: string): Promise<object | undefined> {
    const record = await this.find(accountSid, sid);
    if (record === undefined) return undefined;
    return metadataHistory(record, await this.#options.documents.list(sid));
  }

  async vcon(accountSid: string, sid: string, wish: VconWish): Promise<object | undefined> {
    const record = await this.find(accountSid, sid);
    if (record === undefined) return undefined;
    const { signer, now } = this.#options;
    if (wish.isSigned && signer === undefined)
      throw new VconNotSignableError("recordings.vconKey and recordings.vconCertificate are not set");
    const document = await this.#latestComplete(sid);
    const xml = document === undefined ? undefined : textOfKept(document);
    const audio = await vconAudio(record, wish, () => this.media(accountSid, sid));
    if (!wish.isSigned) return vconOf(record, xml, audio);
    return signer!.sign(vconOf(record, xml, audio, now()));
  }

  async #latestComplete(sid: string): Promise<string | undefined> {
    const versions = await this.#options.documents.list(sid);
    return versions.findLast(({ document }) => {
      const read = readKept(document);
      return read.ok && read.value.metadata.dataMode === "complete";
    })?.document;
  }

  async #asOfNow(row: RecordingRecord): Promise<RecordingRecord> {
    return row.status === "in-progress" ? ((await this.#options.live(row.sid)) ?? row) : row;
  }
}
