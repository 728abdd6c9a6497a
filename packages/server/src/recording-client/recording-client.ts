import type { RecordingClient, RecordingClientOptions } from "./options.ts";

export function createRecordingClient(options: RecordingClientOptions): RecordingClient {
  throw new Error(`being built: ${options.sipHost}`);
}
