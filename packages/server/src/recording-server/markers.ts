import type { RecordingMarker } from "./ports.ts";

/** Somebody who keeps pressing keys does not fill the database. */
const MAX_MARKERS = 1_000;
const MAX_TEXT = 500;

/** What happened during one recording, for those who look for it in the audio. */
export class Markers {
  readonly #list: RecordingMarker[] = [];

  /** Says whether it was kept. */
  add(marker: RecordingMarker): boolean {
    if (this.#list.length >= MAX_MARKERS) return false;
    const { text } = marker;
    this.#list.push({ ...marker, ...(text !== undefined && { text: text.slice(0, MAX_TEXT) }) });
    return true;
  }

  /** In the order of their times. */
  get list(): readonly RecordingMarker[] {
    return this.#list.toSorted((a, b) => a.time - b.time);
  }
}
