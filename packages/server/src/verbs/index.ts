export type { DocumentFetcher, FetchedDocument } from "./ports.ts";
