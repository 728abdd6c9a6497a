import type { RecordingServer, RecordingServerOptions } from "./options.ts";

export function createRecordingServer(options: RecordingServerOptions): RecordingServer {
  throw new Error(`being built: ${options.folder}`);
}
