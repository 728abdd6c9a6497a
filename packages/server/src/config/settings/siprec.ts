import Type from "typebox";
import { choice, same, setting, text } from "../setting.ts";
import { readNamespace } from "../syntax.ts";

/** How calls are forked to recorders, and what their parties hear of it. */
export const SIPREC_SETTINGS = {
  defaultTrack: setting({
    schema: choice("inbound_track", "outbound_track", "both_tracks"),
    standard: "both_tracks",
    meaning: "What a fork carries when nobody says.",
    read: same,
  }),
  extensionNamespace: setting({
    schema: text,
    standard: "urn:callfork:siprec",
    meaning: "XML namespace of `ExtensionParameters` in the metadata.",
    read: readNamespace,
  }),
  unsecuredCopies: setting({
    schema: choice("warn", "refuse"),
    standard: "warn",
    meaning:
      "A call whose media is SRTP, and a recorder without `secure=true`: forked with an alert (the path to the recorder is trusted), or not forked to that recorder.",
    read: same,
  }),
  notice: setting({
    schema: choice("none", "tone", "announcement"),
    standard: "none",
    meaning:
      "How parties whose phones do not show `a=record` hear that they are recorded: a `tone` now and then, an `announcement` when it begins, or not at all, because their contract says it. A number can say it otherwise (`RecordingNotice`).",
    read: same,
  }),
  announcement: setting({
    schema: text,
    standard: undefined,
    standardText: "none",
    meaning: "What is announced: a WAV file of 8 or 16 kHz, or its URL.",
    example: "/etc/callfork/recorded.wav",
    read: same<string>,
  }),
  toneFrequency: setting({
    schema: Type.Integer({ minimum: 300, maximum: 3400 }),
    standard: 1400,
    meaning: "Frequency of the recording tone, in Hz.",
    read: same,
  }),
  toneLevel: setting({
    schema: Type.Integer({ minimum: -40, maximum: -3 }),
    standard: -18,
    meaning: "Its level, in dBm0.",
    read: same,
  }),
  toneDuration: setting({
    schema: Type.Integer({ minimum: 20, maximum: 2000 }),
    standard: 200,
    meaning: "How long it sounds, in milliseconds.",
    read: same,
  }),
  toneInterval: setting({
    schema: Type.Integer({ minimum: 2, maximum: 600 }),
    standard: 15,
    meaning: "Seconds from one tone to the next.",
    read: same,
  }),
  preferences: setting({
    schema: choice("report", "honour"),
    standard: "report",
    meaning:
      "What a party's wish not to be recorded (`a=recordpref`) does: an alert, or an alert and a pause of the call's forks until it wishes otherwise.",
    read: same,
  }),
} as const;
