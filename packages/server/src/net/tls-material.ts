import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { createSecureContext, type SecureContext } from "node:tls";
import type { Log } from "../observe/index.ts";
import { TLS_POLICY } from "./tls-policy.ts";
import { TlsMaterialError } from "./transport-error.ts";
import type { Clock, Timer } from "./types.ts";

/** Where certificates lie; the configuration's `tls` fits. */
export interface TlsFiles {
  readonly certificate: readonly string[];
  readonly key: readonly string[];
  readonly ca?: string | undefined;
}

/** A certificate with its key, ready to be shown. */
export interface TlsIdentity {
  readonly file: string;
  /** PEM, chain included. */
  readonly certificate: string;
  readonly key: string;
  readonly leaf: X509Certificate;
  readonly context: SecureContext;
}

export interface TlsSet {
  readonly identities: readonly TlsIdentity[];
  /** PEM; undefined: the authorities that Node trusts. */
  readonly ca: string | undefined;
}

/** @throws TlsMaterialError for a file that cannot be read, is no certificate or key, or does not belong to its other half */
export function loadTlsSet(files: TlsFiles): TlsSet {
  const ca = files.ca === undefined ? undefined : readPem(files.ca, "CERTIFICATE");
  const identities = files.certificate.map((file, index): TlsIdentity => {
    const keyFile = files.key[index];
    if (keyFile === undefined) throw new TlsMaterialError(`${file}: no key is named for it`);
    const certificate = readPem(file, "CERTIFICATE");
    const key = readPem(keyFile, "PRIVATE KEY");
    const leaf = attempt(file, () => new X509Certificate(certificate));
    const privateKey: KeyObject = attempt(keyFile, () => createPrivateKey(key));
    if (!leaf.checkPrivateKey(privateKey)) throw new TlsMaterialError(`${keyFile} is not the key of ${file}`);
    const context = attempt(file, () =>
      createSecureContext({ ...TLS_POLICY, cert: certificate, key, ...(ca !== undefined && { ca }) }),
    );
    return { file, certificate, key, leaf, context };
  });
  return { identities, ca };
}

/** The node's certificates as they are now: files that change are read again, and new connections get the new ones. */
export class TlsMaterial {
  readonly #files: TlsFiles;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #intervalMs: number;
  #set: TlsSet;
  #stamp: string;
  #timer: Timer | undefined;
  #listeners: (() => void)[] = [];

  /** @throws TlsMaterialError */
  constructor(files: TlsFiles, clock: Clock, log: Log, intervalMs: number) {
    this.#files = files;
    this.#clock = clock;
    this.#log = log;
    this.#intervalMs = intervalMs;
    this.#stamp = stampOf(files);
    this.#set = loadTlsSet(files);
    this.#warnOfExpiry();
    this.#watch();
  }

  get current(): TlsSet {
    return this.#set;
  }

  /** The certificate for a name that a client asked for; undefined where none names it: then the first is shown. */
  contextFor(serverName: string): SecureContext | undefined {
    return this.#set.identities.find(({ leaf }) => leaf.checkHost(serverName) !== undefined)?.context;
  }

  onReload(listener: () => void): void {
    this.#listeners.push(listener);
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#listeners = [];
  }

  #watch(): void {
    if (this.#files.certificate.length === 0 && this.#files.ca === undefined) return;
    this.#timer = this.#clock.setTimer(this.#intervalMs, () => {
      this.#reloadWhenChanged();
      this.#watch();
    });
  }

  /** Half a change (a certificate without its new key yet) keeps the old pair; the other half is a change again. */
  #reloadWhenChanged(): void {
    const stamp = stampOf(this.#files);
    if (stamp === this.#stamp) return;
    this.#stamp = stamp;
    try {
      this.#set = loadTlsSet(this.#files);
    } catch (error) {
      this.#log.error(
        { err: error },
        "changed TLS files cannot be used; the old certificate goes on serving",
      );
      return;
    }
    this.#log.info({ files: this.#files.certificate }, "TLS certificates read anew");
    this.#warnOfExpiry();
    for (const listener of this.#listeners) listener();
  }

  #warnOfExpiry(): void {
    for (const { file, leaf } of this.#set.identities) {
      const leftMs = leaf.validToDate.getTime() - this.#clock.wallNow();
      const days = Math.floor(leftMs / 86_400_000);
      if (leftMs < 0) this.#log.error({ file, validTo: leaf.validTo }, "the TLS certificate has expired");
      else if (days < 14) this.#log.warn({ file, days }, "the TLS certificate expires soon");
    }
  }
}

function readPem(file: string, what: "CERTIFICATE" | "PRIVATE KEY"): string {
  const text = attempt(file, () => readFileSync(file, "utf8"));
  if (!text.includes("-----BEGIN ") || !text.includes(`${what}-----`)) {
    throw new TlsMaterialError(`${file} holds no ${what.toLowerCase()} in PEM`);
  }
  return text;
}

/** Changes with any of the files; a missing one counts as itself. */
function stampOf({ certificate, key, ca }: TlsFiles): string {
  return [...certificate, ...key, ...(ca === undefined ? [] : [ca])]
    .map((file) => {
      const found = statSync(file, { throwIfNoEntry: false });
      return found === undefined ? "-" : `${found.ino}:${found.size}:${found.mtimeMs}`;
    })
    .join(" ");
}

function attempt<T>(file: string, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    throw new TlsMaterialError(`${file}: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
}
