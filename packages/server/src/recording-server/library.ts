import { inChannelOrder } from "./channel-order.ts";
import { RecordingInProgressError } from "./errors.ts";
import type { RecordingFiles } from "./files/recording-files.ts";
import { fileOfKept, readKept, textOfKept } from "./kept-document.ts";
import { metadataHistory } from "./metadata-history.ts";
import type { MediaFile, MetadataFile, RecordingLibrary, RecordingRecord, RecordingStore } from "./ports.ts";
import type { RecordingFilter } from "./search.ts";
import { vconOf } from "./vcon.ts";
import { type Channel, openChannel, wavView } from "./wav-view.ts";

export interface LibraryOptions {
  readonly store: RecordingStore;
  readonly files: RecordingFiles;
  /** The row of a recording in progress as of now. */
  readonly live: (sid: string) => Promise<RecordingRecord | undefined>;
}

/** What is known of recordings and what was heard, live ones as far as they got. */
export class Library implements RecordingLibrary {
  readonly #options: LibraryOptions;

  constructor(options: LibraryOptions) {
    this.#options = options;
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

  async remove(accountSid: string, sid: string): Promise<boolean> {
    const record = await this.find(accountSid, sid);
    if (record === undefined) return false;
    if (record.status === "in-progress") throw new RecordingInProgressError(`${sid} is in progress`);
    // Files first: a row without files can be deleted again, files without a row would never be found.
    await this.#options.files.remove(sid, []);
    await this.#options.store.deleteRecording(sid);
    return true;
  }

  async media(accountSid: string, sid: string): Promise<MediaFile | undefined> {
    const record = await this.find(accountSid, sid);
    if (record === undefined || record.tracks.length === 0) return undefined;
    const tracks = inChannelOrder(record.tracks);
    const channels = await Promise.all(tracks.map((track) => this.#channel(sid, track)));
    return wavView(channels, tracks[0]!.clockRateHz);
  }

  async track(accountSid: string, sid: string, label: string): Promise<MediaFile | undefined> {
    const record = await this.find(accountSid, sid);
    const track = record?.tracks.find((each) => each.label === label);
    if (track === undefined) return undefined;
    return wavView([await this.#channel(sid, { ...track, startOffsetMs: 0 })], track.clockRateHz);
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

  async vcon(accountSid: string, sid: string): Promise<object | undefined> {
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

  #channel(sid: string, track: RecordingRecord["tracks"][number]): Promise<Channel> {
    const offset = Math.round((track.startOffsetMs * track.clockRateHz) / 1_000);
    return openChannel(() => this.#options.files.open(sid, track.file), offset);
  }

  async #asOfNow(row: RecordingRecord): Promise<RecordingRecord> {
    return row.status === "in-progress" ? ((await this.#options.live(row.sid)) ?? row) : row;
  }
}
