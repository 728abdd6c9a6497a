import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createSecretKey,
  type KeyObject,
  randomBytes,
} from "node:crypto";
import { SecretUnreadableError } from "./errors.ts";

/** Where a secret lives. It is authenticated with the secret: a sealed value that is moved to another row does not open. */
export interface SecretPlace {
  readonly table: string;
  /** Key of the row, its SID. */
  readonly row: string;
  readonly column: string;
}

/** `v1.<key id>.<base64url of nonce, ciphertext and tag>` */
const ENVELOPE = /^v1\.([0-9a-f]{16})\.([A-Za-z0-9_-]+)$/;
const NONCE_OCTETS = 12;
const TAG_OCTETS = 16;
const KEY_OCTETS = 32;

/**
 * Secrets at rest: AES-256-GCM under a master key, a fresh nonce each, the place as associated data. The envelope names
 * its key, so that keys can be changed: new values are sealed under the first key, values under any of them open.
 */
export class Vault {
  readonly #keys: ReadonlyMap<string, KeyObject>;
  readonly #currentId: string;

  /** @param masterKeys - 32 octets each, the current one first */
  constructor(masterKeys: readonly Uint8Array[]) {
    // KeyObjects: with raw octets each cipher costs several times as much on Node 24.
    const keys = new Map<string, KeyObject>();
    for (const key of masterKeys) {
      if (key.length !== KEY_OCTETS)
        throw new SecretUnreadableError(`a master key has ${KEY_OCTETS} octets, not ${key.length}`);
      keys.set(keyId(key), createSecretKey(key));
    }
    const [first] = keys.keys();
    if (first === undefined) throw new SecretUnreadableError("there is no master key");
    this.#keys = keys;
    this.#currentId = first;
  }

  seal(secret: string, place: SecretPlace): string {
    const nonce = randomBytes(NONCE_OCTETS);
    const cipher = createCipheriv("aes-256-gcm", this.#keys.get(this.#currentId)!, nonce);
    cipher.setAAD(associatedData(place));
    const sealed = Buffer.concat([nonce, cipher.update(secret, "utf8"), cipher.final(), cipher.getAuthTag()]);
    return `v1.${this.#currentId}.${sealed.toString("base64url")}`;
  }

  /** @throws `SecretUnreadableError`; the message tells the place, never the value */
  open(sealed: string, place: SecretPlace): string {
    const where = `${place.table}.${place.column} of ${place.row}`;
    const [, id, text] = ENVELOPE.exec(sealed) ?? [];
    if (id === undefined || text === undefined)
      throw new SecretUnreadableError(`${where} is not sealed as we seal`);
    const key = this.#keys.get(id);
    if (key === undefined)
      throw new SecretUnreadableError(`${where} is sealed under another master key (${id})`);
    const octets = Buffer.from(text, "base64url");
    if (octets.length < NONCE_OCTETS + TAG_OCTETS) throw new SecretUnreadableError(`${where} is cut short`);
    const decipher = createDecipheriv("aes-256-gcm", key, octets.subarray(0, NONCE_OCTETS), {
      authTagLength: TAG_OCTETS,
    });
    decipher.setAAD(associatedData(place));
    decipher.setAuthTag(octets.subarray(-TAG_OCTETS));
    try {
      const body = octets.subarray(NONCE_OCTETS, -TAG_OCTETS);
      return Buffer.concat([decipher.update(body), decipher.final()]).toString("utf8");
    } catch (cause) {
      throw new SecretUnreadableError(`${where} was changed or moved`, { cause });
    }
  }

  /** How everything begins that is sealed under the current key. */
  get currentPrefix(): string {
    return `v1.${this.#currentId}.`;
  }

  /** Whether it should be sealed anew, because it is under an older key. */
  isOutdated(sealed: string): boolean {
    return !sealed.startsWith(this.currentPrefix);
  }
}

/** Eight octets of the key's hash: enough to tell keys apart, useless to find one. */
function keyId(key: Uint8Array): string {
  return createHash("sha256").update("callfork master key").update(key).digest("hex").slice(0, 16);
}

const associatedData = ({ table, row, column }: SecretPlace) =>
  Buffer.from(JSON.stringify([table, row, column]));
