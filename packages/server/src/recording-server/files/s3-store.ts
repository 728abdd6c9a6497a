import { S3mini, S3ServiceError } from "s3mini";
import { ObjectStoreError } from "../errors.ts";
import type { ObjectStore, ObjectStoreOptions } from "./object-store.ts";

const TIMEOUT_MS = 60_000;

/** Anything that speaks S3, path-style. Nothing is asked of it before the first call. */
export function openS3(options: ObjectStoreOptions): ObjectStore {
  const { bucket, prefix, endpoint, region, accessKeyId, secretAccessKey } = options;
  const s3 = new S3mini({
    accessKeyId,
    secretAccessKey,
    endpoint: `${endpoint.replace(/\/+$/, "")}/${bucket}`,
    region,
    requestAbortTimeout: options.timeoutMs ?? TIMEOUT_MS,
  });
  const name = `s3://${bucket}${prefix === "" ? "" : `/${prefix}`}`;
  const whole = (key: string): string => (prefix === "" ? key : `${prefix}/${key}`);

  /** Every failure as ours; the message says what was tried, where and what came back, never a key or a signature. */
  const attempt = async <T>(what: string, key: string, run: (whole: string) => Promise<T>): Promise<T> => {
    try {
      return await run(whole(key));
    } catch (cause) {
      if (cause instanceof ObjectStoreError) throw cause;
      throw new ObjectStoreError(`${what} of ${key} in ${name} failed: ${reasonOf(cause)}`, {
        cause,
        status: statusOf(cause),
      });
    }
  };

  return {
    name,
    put: (key, octets) =>
      attempt("upload", key, async (at) => etagOf((await s3.putObject(at, octets)).headers.get("etag"))),
    head: (key) =>
      attempt("look-up", key, async (at) => {
        try {
          const octets = await s3.getContentLength(at);
          return { octets, etag: etagOf(await s3.getEtag(at)) };
        } catch (error) {
          if (statusOf(error) === 404) return undefined;
          throw error;
        }
      }),
    read: (key, at, length) =>
      attempt("reading", key, async (object) => {
        if (length === 0) return new Uint8Array(0);
        const answer = await s3.getObjectRaw(object, false, at, at + length);
        const octets = new Uint8Array(await answer.arrayBuffer());
        // A server that knows no ranges sends the whole.
        const found = answer.status === 206 ? octets : octets.subarray(at, at + length);
        if (found.length !== length) {
          throw new ObjectStoreError(`of ${key} in ${name} came ${found.length} octets instead of ${length}`);
        }
        return found;
      }),
    remove: (key) =>
      attempt("removal", key, async (at) => {
        try {
          await s3.deleteObject(at);
        } catch (error) {
          if (statusOf(error) !== 404) throw error;
        }
      }),
    beginUpload: (key) => attempt("upload", key, (at) => s3.getMultipartUploadId(at)),
    uploadPart: (key, uploadId, part, octets) =>
      attempt("upload", key, async (at) => etagOf((await s3.uploadPart(at, uploadId, octets, part)).etag)),
    completeUpload: (key, uploadId, etags) =>
      attempt("upload", key, async (at) => {
        const parts = etags.map((etag, index) => ({ partNumber: index + 1, etag }));
        return etagOf((await s3.completeMultipartUpload(at, uploadId, parts)).etag);
      }),
    abortUpload: (key, uploadId) =>
      attempt("upload", key, async (at) => {
        try {
          await s3.abortMultipartUpload(at, uploadId);
        } catch (error) {
          if (statusOf(error) !== 404) throw error;
        }
      }),
  };
}

const etagOf = (etag: string | null | undefined): string => (etag ?? "").replace(/^W\/|"|&quot;/g, "");

/** The storage's status behind an error, however deep. */
function statusOf(error: unknown): number | undefined {
  for (let each = error; each instanceof Error; each = each.cause) {
    if (each instanceof S3ServiceError) return each.status;
  }
  return undefined;
}

function reasonOf(error: unknown): string {
  let deepest = error;
  while (deepest instanceof Error && deepest.cause !== undefined && !(deepest instanceof S3ServiceError)) {
    deepest = deepest.cause;
  }
  if (deepest instanceof S3ServiceError) return `${deepest.status} ${deepest.serviceCode ?? ""}`.trim();
  if (deepest instanceof Error && "code" in deepest && typeof deepest.code === "string") return deepest.code;
  return deepest instanceof Error ? deepest.message : "no reason is known";
}
