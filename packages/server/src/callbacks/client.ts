import { WebhookError } from "./errors.ts";
import type { WebhookClient, WebhookClientOptions } from "./types.ts";

/** @throws TypeError for an `allowedAddresses` entry that is no address or range */
export function createWebhookClient(_options: WebhookClientOptions): WebhookClient {
  return {
    inFlight: 0,
    request: async () => {
      throw new WebhookError("badUrl", "not built yet");
    },
  };
}
