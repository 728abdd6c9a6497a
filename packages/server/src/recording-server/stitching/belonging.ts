import { parseNameAddr, parseSipUri, type SipRequest } from "@callfork/protocol/sip";
import type { RecordingRecord } from "../ports.ts";
import type { RecordingFilter } from "../search.ts";

/** Under this name a recording keeps what ties the two calls of a built-in bridge together. */
export const BRIDGE_KEY = "x-refci";
/** What one INVITE is asked about, so that a flood of sessions costs nothing. */
const MAX_FILTERS = 8;

/**
 * Recordings that may be of the same call, as questions to the store, the surest first:
 *
 * - the same communication session (RFC 7865 §6.3), as after a failover or with a new INVITE for each change of parties;
 * - the same group of sessions (§6.2), as over a transfer;
 * - the same SIP Session-ID (RFC 7989);
 * - the same reference of a built-in bridge, which calls once for each of its ends.
 */
export function relatedFilters(
  record: Pick<RecordingRecord, "sessions" | "extensionData">,
): readonly RecordingFilter[] {
  const filters: RecordingFilter[] = [];
  for (const { sessionId } of record.sessions) filters.push({ sessionId });
  for (const { groupId } of record.sessions) if (groupId !== null) filters.push({ groupId });
  for (const { sipSessionIds } of record.sessions) {
    for (const sessionId of sipSessionIds) if (isSessionUuid(sessionId)) filters.push({ sessionId });
  }
  const reference = record.extensionData[BRIDGE_KEY];
  if (reference !== undefined) filters.push({ extensionData: { [BRIDGE_KEY]: reference } });
  return filters.slice(0, MAX_FILTERS);
}

/**
 * Cisco's built-in bridge: `x-refci` in From names the call that is recorded, the same in the INVITE of its near end and
 * in that of its far end.
 */
export function bridgeReference({ headers }: SipRequest): string | undefined {
  const from = parseNameAddr(headers.get("From") ?? "");
  if (!from.ok) return undefined;
  const uri = parseSipUri(from.value.uri);
  const found = from.value.params.get("x-refci") ?? (uri.ok ? uri.value.params.get("x-refci") : undefined);
  return found ? found.slice(0, 128) : undefined;
}

/** A nil UUID says that there is none yet (RFC 7989 §5), and ties nothing together. */
function isSessionUuid(text: string): boolean {
  return /^[0-9a-f]{32}(?![0-9a-f])/i.test(text) && !/^0{32}/.test(text);
}
