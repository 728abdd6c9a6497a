import type {
  RecordingStreams,
  StreamRecord,
  StreamRefusal,
  StreamRequest,
  StreamSocket,
} from "../../recording-server/index.ts";

/** Streams of one recording in progress. */
export class FakeStreams implements RecordingStreams {
  readonly live: { readonly accountSid: string; readonly recordingSid: string };
  readonly rows: StreamRecord[] = [];
  readonly requests: StreamRequest[] = [];
  busy = false;

  constructor(accountSid: string, recordingSid: string) {
    this.live = { accountSid, recordingSid };
  }

  start(accountSid: string, sid: string, url: string, request: StreamRequest): StreamRecord | StreamRefusal {
    return this.#add(accountSid, sid, url, request);
  }

  attach(
    accountSid: string,
    sid: string,
    consumer: StreamSocket,
    request: StreamRequest,
  ): StreamRecord | StreamRefusal {
    const row = this.#add(accountSid, sid, null, request);
    consumer.send(JSON.stringify({ event: "connected" }));
    return row;
  }

  list(accountSid: string, sid: string): readonly StreamRecord[] | undefined {
    return this.#isLive(accountSid, sid) ? this.rows : undefined;
  }

  stop(accountSid: string, sid: string, sidOrName: string): StreamRecord | undefined {
    if (!this.#isLive(accountSid, sid)) return undefined;
    const at = this.rows.findIndex((row) => row.sid === sidOrName || row.name === sidOrName);
    const row = this.rows[at];
    if (row === undefined) return undefined;
    this.rows[at] = { ...row, status: "stopped", endTime: row.startTime + 1_000 };
    return this.rows[at];
  }

  #isLive(accountSid: string, sid: string): boolean {
    return accountSid === this.live.accountSid && sid === this.live.recordingSid;
  }

  #add(accountSid: string, sid: string, url: string | null, request: StreamRequest) {
    if (!this.#isLive(accountSid, sid)) return "not-live" as const;
    if (this.busy) return "busy" as const;
    this.requests.push(request);
    const row: StreamRecord = {
      sid: `MZ${String(this.rows.length + 1).padStart(32, "0")}`,
      accountSid,
      recordingSid: sid,
      name: request.name,
      url,
      track: request.track,
      status: url === null ? "in-progress" : "connecting",
      startTime: Date.UTC(2026, 0, 2, 3, 4, 5),
      endTime: null,
      error: null,
      messages: 0,
    };
    this.rows.push(row);
    return row;
  }
}
