import { ok } from "@callfork/protocol/text";
import Type from "typebox";
import { choice, same, setting } from "../setting.ts";
import type { Read } from "../syntax.ts";

/** How SIP is spoken, and with whom. */
export const SIP_SETTINGS = {
  strangers: setting({
    schema: choice("refuse", "drop"),
    standard: "refuse",
    meaning:
      "Requests from addresses that no trunk and no recorder setting names: `refuse` answers the first few with 403 and then falls silent, `drop` is silent from the first.",
    read: same,
  }),
  maximumCalls: setting({
    schema: Type.Integer({ minimum: 1, maximum: 1_000_000 }),
    standard: 10_000,
    meaning: "Live calls, dialled ones included; beyond them new ones get 503 with Retry-After.",
    read: same,
  }),
  maximumLoad: setting({
    schema: Type.Integer({ minimum: 10, maximum: 100 }),
    standard: 95,
    meaning:
      "Percentage of its time that the signalling thread may be busy, over some seconds; beyond it new calls get 503 with Retry-After and live ones go on. 100 never refuses.",
    read: same,
  }),
  maximumConnections: setting({
    schema: Type.Integer({ minimum: 1, maximum: 1_000_000 }),
    standard: 10_000,
    meaning:
      "Connections over TCP, TLS and WebSocket, both directions together, unfinished handshakes included. When all are taken, the oldest that has not carried a message makes room.",
    read: same,
  }),
  maximumConnectionsPerAddress: setting({
    schema: Type.Integer({ minimum: 1, maximum: 1_000_000 }),
    standard: 1_000,
    meaning: "Of these, accepted from one address.",
    read: same,
  }),
  sessionInterval: setting({
    schema: Type.Integer({ minimum: 0, maximum: 86_400 }),
    standard: 1_800,
    meaning:
      "Seconds after which a call or recording session without a refresh is over (RFC 4028), asked for in calls that Callfork makes or takes; at least 90. 0 asks for nothing.",
    read: (seconds): Read<number> =>
      seconds === 0 || seconds >= 90
        ? ok(seconds)
        : { ok: false, error: "must be 0, or at least 90 seconds" },
  }),
  transfers: setting({
    schema: choice("none", "phones", "all"),
    standard: "phones",
    meaning:
      "Who may transfer a call by REFER: `phones` are legs that no trunk carries, `all` are those of trunks too. With `none` nobody takes a party's place by Replaces either; else whoever may call may.",
    read: same,
  }),
  srtp: setting({
    schema: choice("never", "offered", "opportunistic", "required"),
    standard: "offered",
    meaning:
      "SRTP (SDES) on call legs and recording sessions that come in: `offered` answers it where a peer offers it, `opportunistic` also offers keys in RTP/AVP, `required` takes nothing else. A URI with `secure=true` always requires it.",
    read: same,
  }),
  keysInClear: setting({
    schema: choice("taken", "refused"),
    standard: "taken",
    meaning:
      "SRTP keys that come by UDP, TCP or WebSocket, where everybody on the way can read them: `taken` answers them, `refused` is 488.",
    read: same,
  }),
} as const;
