import type { Result } from "@callfork/protocol/text";
import type { Verb } from "@callfork/protocol/twiml";
import type { CallControl, DocumentSource } from "../calls/index.ts";
import { type Alert, type Log, PlatformError } from "../observe/index.ts";
import { type AudioLibrary, samplesOf } from "./audio-library.ts";
import type { AlertDetails, Step, VerbContext } from "./context.ts";
import { type LoadError, type Loaded, loadDocument, readInline, type UrlRequest } from "./load-document.ts";
import type { DirectorOptions, DocumentLimits } from "./options.ts";
import { execute } from "./table.ts";

/** A document that took less is suspected to lead in a circle. */
const SHORT_DOCUMENT_MS = 1000;

/** One call's documents, from its first to its end or until it is directed anew. */
export class Program {
  readonly #options: DirectorOptions;
  readonly #limits: DocumentLimits;
  readonly #audio: AudioLibrary;
  readonly #call: CallControl;
  readonly #source: DocumentSource;
  readonly #signal: AbortSignal;
  readonly #log: Log;
  #shortDocuments = 0;

  constructor(
    options: DirectorOptions,
    limits: DocumentLimits,
    audio: AudioLibrary,
    call: CallControl,
    source: DocumentSource,
  ) {
    this.#options = options;
    this.#limits = limits;
    this.#audio = audio;
    this.#call = call;
    this.#source = source;
    this.#signal = call.signal;
    this.#log = options.log.child({ callSid: call.sid, callId: call.record().sipCallId });
  }

  /** Never rejects. */
  async run(): Promise<void> {
    try {
      const source = this.#source;
      let loaded =
        source.kind === "inline"
          ? readInline(source.twiml)
          : await this.#load({ url: source.url, method: source.method, parameters: [] });
      while (!this.#signal.aborted) {
        if (!loaded.ok) {
          this.#tell(loaded.error);
          await this.#call.hangup({ sipStatus: 503 });
          return;
        }
        const startedAt = this.#options.clock.now();
        const step = await this.#carryOut(loaded.value);
        if (this.#signal.aborted || step.kind === "end") return;
        if (step.kind === "next") {
          await this.#call.hangup();
          return;
        }
        const isShort = this.#options.clock.now() - startedAt < SHORT_DOCUMENT_MS;
        this.#shortDocuments = isShort ? this.#shortDocuments + 1 : 0;
        if (this.#shortDocuments >= this.#limits.documentsWithoutPause) {
          this.#alert(
            11215,
            "error",
            `${this.#shortDocuments} documents in a row that took no time: a circle?`,
          );
          await this.#call.hangup({ sipStatus: 503 });
          return;
        }
        loaded = await this.#load(step);
      }
    } catch (error) {
      if (this.#signal.aborted) return;
      this.#log.error({ error }, "verbs: a document could not be carried out");
      this.#alert(20500, "error", "the document could not be carried out by an error of this node");
      await this.#call.hangup({ sipStatus: 500 });
    }
  }

  /** The document, or the fallback's when it cannot be had. */
  async #load(request: UrlRequest): Promise<Result<Loaded, LoadError>> {
    const loaded = await this.#ask(request);
    if (loaded.ok || this.#signal.aborted) return loaded;
    const source = this.#source;
    if (source.kind === "inline" || !source.fallbackUrl) return loaded;
    this.#tell(loaded.error);
    const parameters = [
      ["ErrorCode", String(loaded.error.code)],
      ["ErrorUrl", request.url],
    ] as const;
    return this.#ask({ url: source.fallbackUrl, method: source.fallbackMethod, parameters });
  }

  #ask(request: UrlRequest): Promise<Result<Loaded, LoadError>> {
    return loadDocument(this.#options.fetcher, this.#call, request, {
      limits: this.#limits,
      signal: this.#signal,
    });
  }

  async #carryOut(loaded: Loaded): Promise<Step> {
    if (loaded.kind === "audio") return this.#playBody(loaded.bytes);
    const { document, base } = loaded;
    for (const { code, level, message, line, column } of document.issues) {
      this.#alert(code, level, `line ${line}, column ${column}: ${message}`);
    }
    const context = this.#contextOf(base);
    for (const verb of document.verbs) {
      const step = await this.#verb(verb, context);
      if (this.#signal.aborted || step.kind !== "next") return step;
    }
    return { kind: "next" };
  }

  async #verb(verb: Verb, context: VerbContext): Promise<Step> {
    if (verb.fault) return { kind: "next" };
    this.#log.debug({ verb: verb.verb, line: verb.line }, "verbs: next");
    try {
      return await execute(verb, context);
    } catch (error) {
      if (this.#signal.aborted) return { kind: "end" };
      const known = error instanceof PlatformError ? error : undefined;
      this.#log.error({ error, verb: verb.verb }, "verbs: a verb failed");
      this.#alert(known?.publicCode ?? 20500, "error", `<${verb.verb}>: ${known?.message ?? "failed"}`);
      return { kind: "next" };
    }
  }

  async #playBody(bytes: Uint8Array): Promise<Step> {
    const samples = samplesOf(bytes);
    if (samples.ok) await this.#call.play(samples.value, 1);
    else this.#alert(12300, "error", `the audio in place of a document: ${samples.error}`);
    return { kind: "next" };
  }

  #contextOf(base: string | undefined): VerbContext {
    return {
      call: this.#call,
      signal: this.#signal,
      forks: this.#options.forks,
      audio: this.#audio,
      log: this.#log,
      resolve: (url) => absoluteUrl(url, base),
      alert: (code, level, text, details) => this.#alert(code, level, text, details),
    };
  }

  #tell({ code, message, details }: LoadError): void {
    this.#alert(code, "error", message, details);
  }

  #alert(errorCode: number, level: Alert["level"], text: string, details: AlertDetails = {}): void {
    const { sid, accountSid } = this.#call;
    this.#log.info({ errorCode, text }, "verbs: alert");
    this.#options.alerts.raise({
      accountSid,
      errorCode,
      level,
      text,
      callSid: sid,
      resourceSid: sid,
      ...details,
    });
  }
}

/** http and https only; relative ones against the document they stand in. */
export function absoluteUrl(url: string, base: string | undefined): string | undefined {
  const parsed = URL.parse(url.trim(), base);
  return parsed && (parsed.protocol === "http:" || parsed.protocol === "https:") ? parsed.href : undefined;
}
