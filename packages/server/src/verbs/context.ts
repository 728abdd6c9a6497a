import type { CallControl, Forks } from "../calls/index.ts";
import type { Alert, Log } from "../observe/index.ts";
import type { AudioLibrary } from "./audio-library.ts";

export type Parameters = readonly (readonly [name: string, value: string])[];

/** What comes after a verb. */
export type Step =
  | { readonly kind: "next" }
  /** Another document; `parameters` go with the request, besides those of the call. */
  | {
      readonly kind: "goto";
      readonly url: string;
      readonly method: "GET" | "POST";
      readonly parameters: Parameters;
    }
  /** The call is over or about to be: nothing more is carried out. */
  | { readonly kind: "end" };

export const NEXT: Step = { kind: "next" };
export const END: Step = { kind: "end" };

export type AlertDetails = Partial<
  Pick<Alert, "requestMethod" | "requestUrl" | "requestVariables" | "responseStatus" | "responseBody">
>;

/** What a verb may use. */
export interface VerbContext {
  readonly call: CallControl;
  /** Aborted when the call ended or got another document. */
  readonly signal: AbortSignal;
  forks(): Forks;
  readonly audio: AudioLibrary;
  readonly log: Log;
  /** An absolute http(s) URL for one of the document, which may be relative to it. */
  resolve(url: string): string | undefined;
  /** Tells the account's debugger; the call goes on. */
  alert(errorCode: number, level: Alert["level"], text: string, details?: AlertDetails): void;
}

/** Carries out one verb. What it throws is told as an alert, and the next verb follows. */
export type Executor<V> = (verb: V, context: VerbContext) => Promise<Step>;
