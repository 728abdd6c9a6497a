import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "../config/index.ts";
import { PlatformError } from "../observe/index.ts";

const KEY_FILE = "secret.key";
const ACCOUNT_FILE = "account.json";

/** The key file in the data dir is not what was written into it. */
export class SecretKeyUnreadableError extends PlatformError {
  override readonly name = "SecretKeyUnreadableError";
  readonly code = "SECRET_KEY_UNREADABLE";
  readonly fault = "operator";
}

/**
 * The master key for secrets at rest: from the configuration, else from the data dir, where it is made at the first
 * start (mode 0600).
 *
 * @returns 32 octets
 * @throws SecretKeyUnreadableError
 */
export function loadMasterKey(config: Pick<Config, "dataDir" | "secretKey">): Uint8Array {
  mkdirSync(config.dataDir, { recursive: true, mode: 0o700 });
  const file = join(config.dataDir, KEY_FILE);
  const text = config.secretKey ?? readOrMake(file, () => `${randomBytes(32).toString("base64")}\n`);
  const key = decodeKey(text.trim());
  if (key === undefined) {
    throw new SecretKeyUnreadableError(`${file} does not hold 32 octets in base64 or hexadecimal`);
  }
  return key;
}

/** Keys that secrets may still be sealed with; they are sealed anew under the master key. */
export function previousMasterKeys({ previousSecretKeys }: Pick<Config, "previousSecretKeys">): Uint8Array[] {
  return previousSecretKeys.flatMap((text) => decodeKey(text.trim()) ?? []);
}

function decodeKey(text: string): Uint8Array | undefined {
  const key = /^[0-9a-fA-F]{64}$/.test(text) ? Buffer.from(text, "hex") : Buffer.from(text, "base64");
  return key.length === 32 ? key : undefined;
}

function readOrMake(file: string, make: () => string): string {
  try {
    // "wx" makes the file or fails: two processes that start together agree on one key.
    writeFileSync(file, make(), { mode: 0o600, flag: "wx" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  return readFileSync(file, "utf8");
}

export interface AccountFile {
  readonly accountSid: string;
  readonly authToken: string;
}

/** Leaves the first account's credentials in the data dir (mode 0600), where `callfork call` finds them. */
export function writeAccountFile(dataDir: string, account: AccountFile): string {
  const file = join(dataDir, ACCOUNT_FILE);
  writeFileSync(file, `${JSON.stringify(account, null, 2)}\n`, { mode: 0o600 });
  return file;
}

/** Undefined where there is none, or nothing readable. */
export function readAccountFile(dataDir: string): AccountFile | undefined {
  try {
    const found = JSON.parse(readFileSync(join(dataDir, ACCOUNT_FILE), "utf8")) as Partial<AccountFile>;
    const { accountSid, authToken } = found;
    return typeof accountSid === "string" && typeof authToken === "string"
      ? { accountSid, authToken }
      : undefined;
  } catch {
    return undefined;
  }
}
