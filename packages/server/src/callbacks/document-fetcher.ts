import type { Alerts } from "../observe/index.ts";
import type { DocumentFetcher } from "../verbs/index.ts";
import { WebhookError } from "./errors.ts";
import { INVALID_OVERRIDES_CODE } from "./outbox-worker.ts";
import type { SigningKeys } from "./ports.ts";
import { shownUrl } from "./target.ts";
import type { WebhookClient } from "./types.ts";

export interface DocumentFetcherOptions {
  readonly client: WebhookClient;
  /** The store's `accounts`. */
  readonly accounts: SigningKeys;
  readonly alerts: Alerts;
}

/**
 * Fetches TwiML and audio through the webhook client: signed, guarded, with connection overrides. Rejects with
 * `WebhookError`, or with the signal's reason when it was aborted; the caller raises the alert, for it alone knows
 * whether there is a fallback. Only invalid overrides (11243) are told here.
 */
export function createDocumentFetcher({ client, accounts, alerts }: DocumentFetcherOptions): DocumentFetcher {
  return {
    fetch: async ({ accountSid, callSid, url, method, parameters, maximumBytes, signal }) => {
      const authToken = await accounts.authToken(accountSid);
      if (authToken === undefined)
        throw new WebhookError("noAccount", `account ${accountSid} has no auth token to sign with`);
      const { tries: _, ...document } = await client.request({
        url,
        method,
        parameters,
        authToken,
        maximumBytes,
        signal,
        onInvalidOverrides: (problem) =>
          alerts.raise({
            accountSid,
            callSid,
            errorCode: INVALID_OVERRIDES_CODE,
            level: "warning",
            text: `Connection overrides are ignored: ${problem}`,
            requestMethod: method,
            requestUrl: shownUrl(url),
          }),
      });
      return document;
    },
  };
}
