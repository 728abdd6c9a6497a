import { formatSessionTimer, hasToken, parseSessionExpires, type SipRequest } from "@callfork/protocol/sip";
import type { HeaderLine } from "../signalling/index.ts";

/**
 * Header lines of a 2xx that let the recording client refresh the dialog (RFC 4028 §9). We never refresh ourselves:
 * where the client wants that, there is no session timer, which §9 allows.
 */
export function sessionTimerLines(request: SipRequest): readonly HeaderLine[] {
  const text = request.headers.get("Session-Expires");
  if (text === undefined || !hasToken(request.headers, "Supported", "timer")) return [];
  const timer = parseSessionExpires(text);
  if (!timer.ok || timer.value.refresher === "uas") return [];
  const { seconds } = timer.value;
  return [
    ["Require", "timer"],
    ["Session-Expires", formatSessionTimer({ seconds, refresher: "uac" })],
  ];
}
