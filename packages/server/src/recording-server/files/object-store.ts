/**
 * Object storage as the recorder needs it. Keys are relative to what the store was opened for.
 *
 * Every promise rejects with `ObjectStoreError` when the storage cannot be reached, refuses, or answers nonsense.
 */
export interface ObjectStore {
  /** For messages; without secrets. */
  readonly name: string;
  /** Stores an object at once. @returns its ETag, without quotes */
  put(key: string, octets: Uint8Array): Promise<string>;
  /** @returns undefined when there is no such object */
  head(key: string): Promise<{ readonly octets: number; readonly etag: string } | undefined>;
  /** Octets from `at` on, exactly `length` of them. */
  read(key: string, at: number, length: number): Promise<Uint8Array>;
  /** An object that is not there is removed already. */
  remove(key: string): Promise<void>;
  /** Begins an upload in parts. @returns its id */
  beginUpload(key: string): Promise<string>;
  /** Parts count from 1; all but the last have one size, 5 MiB at least. @returns the part's ETag */
  uploadPart(key: string, uploadId: string, part: number, octets: Uint8Array): Promise<string>;
  /** @returns the object's ETag */
  completeUpload(key: string, uploadId: string, etags: readonly string[]): Promise<string>;
  /** What was uploaded of it is removed; one that is not known is gone already. */
  abortUpload(key: string, uploadId: string): Promise<void>;
}

/** Where objects are, and who may put them there. */
export interface ObjectStoreOptions {
  readonly bucket: string;
  /** Keys begin with it; empty: with nothing. Without slashes at its ends. */
  readonly prefix: string;
  /** Base URL; the bucket is the first part of its path. */
  readonly endpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** One request may take this long. Default 60 s. */
  readonly timeoutMs?: number;
}
