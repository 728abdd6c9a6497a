import type { Alerts } from "../observe/index.ts";
import type { DocumentFetcher } from "../verbs/index.ts";
import { WebhookError } from "./errors.ts";
import type { SigningKeys } from "./ports.ts";
import type { WebhookClient } from "./types.ts";

export interface DocumentFetcherOptions {
  readonly client: WebhookClient;
  readonly accounts: SigningKeys;
  readonly alerts: Alerts;
}

/** Fetches TwiML and audio through the webhook client: signed, guarded, with connection overrides. */
export function createDocumentFetcher(_options: DocumentFetcherOptions): DocumentFetcher {
  return {
    fetch: async () => {
      throw new WebhookError("badUrl", "not built yet");
    },
  };
}
