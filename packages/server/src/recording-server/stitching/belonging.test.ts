import assert from "node:assert/strict";
import { test } from "node:test";
import { parseSipMessage } from "@callfork/protocol/sip";
import { utf8Encode } from "@callfork/protocol/text";
import { BRIDGE_KEY, bridgeReference, relatedFilters } from "./belonging.ts";

const UUID = "a3f0c1d2e3f4051627384950a1b2c3d4";
const session = (
  sessionId: string,
  groupId: string | null = null,
  sipSessionIds: readonly string[] = [],
) => ({
  sessionId,
  groupId,
  sipSessionIds,
});

test("same session, same group, same SIP Session-ID, same bridge: in this order", () => {
  const filters = relatedFilters({
    sessions: [session("S1", "G1", [UUID])],
    extensionData: { [BRIDGE_KEY]: "4711", Other: "x" },
  });
  assert.deepEqual(filters, [
    { sessionId: "S1" },
    { groupId: "G1" },
    { sessionId: UUID },
    { extensionData: { [BRIDGE_KEY]: "4711" } },
  ]);
});

test("a nil Session-ID and a Call-ID in its place tie nothing together", () => {
  const ids = ["0".repeat(32), "1234@192.0.2.7", `${UUID}00`];
  assert.deepEqual(relatedFilters({ sessions: [session("S1", null, ids)], extensionData: {} }), [
    { sessionId: "S1" },
  ]);
});

test("what is asked of the store is bounded", () => {
  const sessions = Array.from({ length: 1_000 }, (_, at) => session(`S${at}`, `G${at}`));
  assert.equal(relatedFilters({ sessions, extensionData: {} }).length, 8);
});

test("the reference of a built-in bridge, in the URI of From or behind it; of all others none", () => {
  const reference = (from: string): string | undefined => {
    const message = parseSipMessage(
      utf8Encode(
        `INVITE sip:r@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.7;branch=z9hG4bK1\r\nMax-Forwards: 70\r\nFrom: ${from};tag=1\r\nTo: <sip:r@192.0.2.1>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n`,
      ),
    );
    assert.ok(message.ok && message.value.kind === "request");
    return bridgeReference(message.value);
  };
  assert.equal(reference("<sip:2001@192.0.2.7;x-nearend;x-refci=4711;x-nearenddevice=SEP1>"), "4711");
  assert.equal(reference("<sip:2001@192.0.2.7>;x-refci=4711;x-farend"), "4711");
  assert.equal(reference("<sip:2001@192.0.2.7>"), undefined);
  assert.equal(reference("<tel:+4930123>"), undefined);
});
