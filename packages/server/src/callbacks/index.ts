export { createWebhookClient } from "./client.ts";
export { createDocumentFetcher, type DocumentFetcherOptions } from "./document-fetcher.ts";
export { WebhookError, type WebhookFailure } from "./errors.ts";
export { createOutboxWorker, type OutboxWorker, type OutboxWorkerOptions } from "./outbox-worker.ts";
export type { DueCallback, OutboxQueue } from "./ports.ts";
export { signRequest } from "./signature.ts";
export { createStreamConnector, type StreamConnectorOptions } from "./stream-connector.ts";
export type {
  AddressLookup,
  WebhookClient,
  WebhookClientOptions,
  WebhookClock,
  WebhookRequest,
  WebhookResponse,
} from "./types.ts";
