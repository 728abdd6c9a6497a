import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { ObjectStoreError } from "../errors.ts";
import type { ObjectStore } from "./object-store.ts";

/** How far an upload in parts has come. What a crash leaves of it is gone on with. */
export interface UploadProgress {
  readonly uploadId: string;
  readonly partBytes: number;
  /** MD5 of each part that is there, hexadecimal. */
  readonly parts: readonly { readonly md5: string; readonly etag: string }[];
}

export interface UploadOptions {
  readonly objects: ObjectStore;
  readonly object: string;
  readonly path: string;
  /** Larger files go in parts of this size. */
  readonly partBytes: number;
  readonly progress: UploadProgress | undefined;
  /** Resolves when it is durable; undefined: there is none. */
  readonly saveProgress: (progress: UploadProgress | undefined) => Promise<void>;
}

export interface Uploaded {
  readonly octets: number;
  /** Of what lies on the disk, hexadecimal. */
  readonly sha256: string;
}

const MD5 = /^[0-9a-f]{32}$/;

/**
 * Puts a file into object storage, and sees to it that what lies there is the file: by the MD5 that an ETag is, or,
 * where a storage has other ETags (encrypted by keys of its own), by reading the object back.
 *
 * @throws `ObjectStoreError`; what was uploaded so far stands in the progress
 */
export async function uploadFile(options: UploadOptions): Promise<Uploaded> {
  const { objects, object, path, partBytes } = options;
  const file = await open(path, "r");
  try {
    const { size } = await file.stat();
    const sha256 = createHash("sha256");
    const read = async (at: number, length: number): Promise<Uint8Array> => {
      const octets = new Uint8Array(length);
      for (let done = 0; done < length; ) {
        const { bytesRead } = await file.read(octets, done, length - done, at + done);
        if (bytesRead === 0) throw new Error(`${path} became shorter while it was read`);
        done += bytesRead;
      }
      sha256.update(octets);
      return octets;
    };
    const isVouched =
      size <= partBytes
        ? await putWhole(objects, object, await read(0, size))
        : await putParts(options, size, read);
    const digest = sha256.digest("hex");
    await verify(objects, object, size, isVouched ? undefined : digest);
    return { octets: size, sha256: digest };
  } finally {
    await file.close();
  }
}

/** @returns whether the ETag vouches for the octets */
async function putWhole(objects: ObjectStore, object: string, octets: Uint8Array): Promise<boolean> {
  return vouches(await objects.put(object, octets), md5Of(octets), object);
}

async function putParts(
  { objects, object, partBytes, progress, saveProgress }: UploadOptions,
  size: number,
  read: (at: number, length: number) => Promise<Uint8Array>,
): Promise<boolean> {
  let known = progress?.partBytes === partBytes ? progress : undefined;
  if (known === undefined) {
    if (progress !== undefined) await objects.abortUpload(object, progress.uploadId);
    known = { uploadId: await objects.beginUpload(object), partBytes, parts: [] };
    await saveProgress(known);
  }
  const { uploadId } = known;
  const parts = [...known.parts];
  let isVouched = true;
  for (let at = 0; at < size; at += partBytes) {
    const octets = await read(at, Math.min(partBytes, size - at));
    const index = at / partBytes;
    const md5 = md5Of(octets);
    if (parts[index]?.md5 !== md5) {
      parts.length = Math.min(parts.length, index);
      const etag = await objects.uploadPart(object, uploadId, index + 1, octets).catch(startOver);
      parts.push({ md5, etag });
      await saveProgress({ uploadId, partBytes, parts });
    }
    isVouched = vouches(parts[index]!.etag, md5, object) && isVouched;
  }
  const etags = parts.map(({ etag }) => etag);
  await objects.completeUpload(object, uploadId, etags).catch(startOver);
  await saveProgress(undefined);
  return isVouched;

  /** The storage may have forgotten the upload, or finished it just before we died: the next attempt begins anew. */
  async function startOver(error: unknown): Promise<never> {
    if (error instanceof ObjectStoreError && error.status === 404) await saveProgress(undefined);
    throw error;
  }
}

function vouches(etag: string, md5: string, object: string): boolean {
  if (etag === md5) return true;
  if (!MD5.test(etag)) return false;
  throw new ObjectStoreError(`${object} arrived with the MD5 ${etag}, not ${md5}`);
}

/** Size, and where no ETag spoke for the octets, all of them. */
async function verify(
  objects: ObjectStore,
  object: string,
  size: number,
  sha256: string | undefined,
): Promise<void> {
  const found = await objects.head(object);
  if (found?.octets !== size) {
    throw new ObjectStoreError(`${object} has ${found?.octets ?? "no"} octets there instead of ${size}`);
  }
  if (sha256 === undefined) return;
  const hash = createHash("sha256");
  const step = 1 << 20;
  for (let at = 0; at < size; at += step)
    hash.update(await objects.read(object, at, Math.min(step, size - at)));
  if (hash.digest("hex") !== sha256) throw new ObjectStoreError(`${object} is not what was uploaded`);
}

const md5Of = (octets: Uint8Array): string => createHash("md5").update(octets).digest("hex");
