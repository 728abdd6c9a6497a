import { createCipheriv, createDecipheriv, type KeyObject, randomBytes } from "node:crypto";
import { RecordingDamagedError } from "./errors.ts";
import type { RecordingFiles } from "./files/recording-files.ts";
import type { MetadataVersion, RecordingStore } from "./ports.ts";

/** `sealed:` and base64 of nonce, ciphertext and tag: AES-256-GCM with the recording's key. */
const SEALED = "sealed:";
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** The metadata documents of recordings: sealed with the recording's key where it has one, or not kept at all. */
export class MetadataDocuments {
  readonly #store: Pick<RecordingStore, "addMetadataVersion" | "listMetadataVersions">;
  readonly #files: Pick<RecordingFiles, "key">;
  readonly #areKept: boolean;

  constructor(
    store: Pick<RecordingStore, "addMetadataVersion" | "listMetadataVersions">,
    files: Pick<RecordingFiles, "key">,
    areKept: boolean,
  ) {
    this.#store = store;
    this.#files = files;
    this.#areKept = areKept;
  }

  /** Resolves when it is durable, or is not to be kept. */
  async add(version: MetadataVersion): Promise<void> {
    if (!this.#areKept) return;
    const key = await this.#files.key(version.recordingSid);
    await this.#store.addMetadataVersion(key === undefined ? version : seal(version, key));
  }

  /** @throws `RecordingDamagedError` when one of them is not what was sealed */
  async list(recordingSid: string): Promise<readonly MetadataVersion[]> {
    const versions = await this.#store.listMetadataVersions(recordingSid);
    if (versions.every(({ document }) => !document.startsWith(SEALED))) return versions;
    const key = await this.#files.key(recordingSid);
    return versions.map((version) => open(version, key));
  }
}

function seal(version: MetadataVersion, key: KeyObject): MetadataVersion {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv("aes-256-gcm", key, nonce);
  cipher.setAAD(placeOf(version));
  const octets = [nonce, cipher.update(version.document, "utf8"), cipher.final(), cipher.getAuthTag()];
  return { ...version, document: SEALED + Buffer.concat(octets).toString("base64") };
}

function open(version: MetadataVersion, key: KeyObject | undefined): MetadataVersion {
  if (!version.document.startsWith(SEALED)) return version;
  const octets = Buffer.from(version.document.slice(SEALED.length), "base64");
  const name = `metadata document ${version.version} of ${version.recordingSid}`;
  if (key === undefined || octets.length < NONCE_BYTES + TAG_BYTES)
    throw new RecordingDamagedError(`${name} is sealed, and its recording has no key`);
  const decipher = createDecipheriv("aes-256-gcm", key, octets.subarray(0, NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(placeOf(version));
  decipher.setAuthTag(octets.subarray(-TAG_BYTES));
  try {
    const body = decipher.update(octets.subarray(NONCE_BYTES, -TAG_BYTES));
    return { ...version, document: Buffer.concat([body, decipher.final()]).toString("utf8") };
  } catch (cause) {
    throw new RecordingDamagedError(`${name} was changed, or is another's`, { cause });
  }
}

const placeOf = ({ recordingSid, version }: MetadataVersion): Buffer =>
  Buffer.from(JSON.stringify(["metadata_versions", recordingSid, version]));
