import type { CallbackRequest, CallRecord, SiprecRecord } from "../../calls/index.ts";
import type { Log } from "../../observe/index.ts";
import type { RecordingRecord } from "../../recording-server/index.ts";

export const ACCOUNT = `AC${"a".repeat(32)}`;
export const OTHER_ACCOUNT = `AC${"b".repeat(32)}`;
export const MASTER_KEY = new Uint8Array(32).fill(7);

export const sid = (prefix: string, number: number): string => prefix + number.toString(16).padStart(32, "0");

/** A log that keeps what it is told. */
export function keepingLog(): Log & { readonly lines: { level: string; fields: object; message: string }[] } {
  const lines: { level: string; fields: object; message: string }[] = [];
  const at = (level: string) => (fields: object, message: string) =>
    void lines.push({ level, fields, message });
  const log = { lines, debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
  return { ...log, child: () => ({ ...log, child: () => keepingLog() }) };
}

/** A wall clock that moves when told. */
export function tickingClock(start = 1_700_000_000_000): { now: () => number; advance(ms: number): void } {
  let time = start;
  return {
    now: () => time,
    advance: (ms) => {
      time += ms;
    },
  };
}

export function callRecord(number: number, change: Partial<CallRecord> = {}): CallRecord {
  return {
    sid: sid("CA", number),
    accountSid: ACCOUNT,
    parentCallSid: null,
    from: "+15550100",
    to: "+15550199",
    callerName: null,
    direction: "inbound",
    status: "ringing",
    phoneNumberSid: null,
    trunkSid: null,
    sipCallId: `call-${number}@example.com`,
    sipStatus: null,
    dateCreated: 1_700_000_000_000 + number,
    dateUpdated: 1_700_000_000_000 + number,
    startTime: null,
    endTime: null,
    ...change,
  };
}

export function siprecRecord(number: number, change: Partial<SiprecRecord> = {}): SiprecRecord {
  return {
    sid: sid("SR", number),
    accountSid: ACCOUNT,
    callSid: sid("CA", 1),
    name: "my fork",
    connectorName: "recorder",
    track: "both_tracks",
    status: "in-progress",
    statusCallback: "https://example.com/siprec",
    statusCallbackMethod: "POST",
    parameters: [
      { name: "Role", value: "agent & customer" },
      { name: "Größe", value: "1\u{1F600}" },
    ],
    recorderUri: null,
    errorCode: null,
    errorMessage: null,
    dateCreated: 1_700_000_000_000 + number,
    dateUpdated: 1_700_000_000_000 + number,
    startTime: null,
    endTime: null,
    detail: {
      attempts: [
        {
          recorder: "sip:r@192.0.2.1",
          time: 1,
          result: "failed",
          sipStatus: 503,
          errorCode: 32011,
          reason: "503",
        },
      ],
      pauses: [{ from: 2, until: null }],
      gaps: [],
      tracks: [],
      policy: "mandatory",
      startedBy: "recorder",
      parallel: [sid("SR", 900 + number)],
      parallelOf: sid("SR", 800 + number),
    },
    ...change,
  };
}

export function recordingRecord(number: number, change: Partial<RecordingRecord> = {}): RecordingRecord {
  const track = {
    label: "inbound",
    streamId: "c3RyZWFtLTE=",
    senders: ["p1"],
    codec: "PCMU",
    clockRateHz: 8000,
    durationMs: 61_200,
    packets: 3060,
    expected: 3060,
    lost: 0,
    late: 0,
    duplicates: 0,
    longestGapMs: 0,
    startOffsetMs: 0,
    file: "inbound.track",
  };
  return {
    sid: sid("RE", number),
    accountSid: ACCOUNT,
    status: "in-progress",
    source: {
      address: "192.0.2.7:5060",
      transport: "tcp",
      userAgent: null,
      callId: "x@y",
      dialect: "rfc7865",
    },
    startTime: 1_700_000_000_000 + number,
    endTime: null,
    durationMs: null,
    sessions: [{ sessionId: "s1", groupId: null, sipSessionIds: ["a;remote=b"] }],
    participants: [{ participantId: "p1", aor: "sip:alice@example.com", name: "Älice" }],
    tracks: [track, { ...track, label: "outbound", streamId: null, senders: [], file: "outbound.track" }],
    warnings: [{ code: "X", message: "y", time: 1 }],
    extensionData: { "a b": "c" },
    ...change,
  };
}

export function callback(change: Partial<CallbackRequest> = {}): CallbackRequest {
  return {
    accountSid: ACCOUNT,
    callSid: sid("CA", 1),
    kind: "siprec-status",
    url: "https://example.com/siprec#rc=2",
    method: "POST",
    parameters: [
      ["SiprecEvent", "siprec-started"],
      ["SiprecName", ""],
    ],
    ...change,
  };
}
