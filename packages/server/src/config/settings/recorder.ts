import { ok } from "@callfork/protocol/text";
import Type from "typebox";
import { choice, each, same, setting, text, texts } from "../setting.ts";
import {
  type Read,
  readAddressRange,
  readCertificateName,
  readDecoderCommand,
  readPeerRule,
  readSipUser,
  readStreamUrl,
  readWebhookUrl,
} from "../syntax.ts";

const RECORDING_EVENTS: ["recording-started", "recording-completed", "recording-failed"] = [
  "recording-started",
  "recording-completed",
  "recording-failed",
];

/** Who records to us, and how recordings are taken. */
export const RECORDER_SETTINGS = {
  allowedAddresses: setting({
    schema: texts,
    standard: ["127.0.0.0/8", "::1"],
    meaning: "Who may record to us.",
    example: "192.0.2.0/24",
    read: each(readAddressRange),
  }),
  allowedCertificateNames: setting({
    schema: texts,
    standard: [],
    standardText: "none: addresses alone decide",
    meaning:
      "Who may record to us from anywhere: SIP domains that a client's certificate, verified by `tls.ca`, stands for.",
    example: "sbc.example.com",
    read: each(readCertificateName),
  }),
  user: setting({
    schema: text,
    standard: "recorder",
    meaning: "User part that names the recorder on a shared listener: `sip:recorder@host`.",
    read: readSipUser,
  }),
  username: setting({
    schema: text,
    standard: undefined,
    standardText: "none: addresses alone decide",
    meaning: "Who records to us must also prove by digest to be this user.",
    read: same,
  }),
  password: setting({
    schema: text,
    standard: undefined,
    standardText: "none",
    meaning: "The password of `recorder.username`.",
    read: same,
    secret: true,
  }),
  strict: setting({
    schema: Type.Boolean(),
    standard: false,
    meaning: "Refuse recording clients that break RFC 7866, instead of recording them with a warning.",
    read: same,
  }),
  statusCallback: setting({
    schema: text,
    standard: undefined,
    standardText: "none",
    meaning: "Webhook that hears of recordings: signed, from the outbox, so that no news is lost.",
    example: "https://example.com/recordings",
    read: readWebhookUrl,
  }),
  statusCallbackMethod: setting({
    schema: choice("POST", "GET"),
    standard: "POST",
    meaning: "How `recorder.statusCallback` is called.",
    read: same,
  }),
  statusCallbackEvents: setting({
    schema: Type.Array(choice(...RECORDING_EVENTS), { maxItems: 3 }),
    standard: [...RECORDING_EVENTS],
    meaning: "What `recorder.statusCallback` hears of.",
    read: (written): Read<readonly (typeof RECORDING_EVENTS)[number][]> => ok([...new Set(written)]),
  }),
  twins: setting({
    schema: choice("keep", "refuse"),
    standard: "keep",
    meaning:
      "An INVITE that begins once more what its sender began within two seconds: `keep` records it too and marks it, `refuse` answers 482.",
    read: same,
  }),
  streamUrls: setting({
    schema: texts,
    standard: [],
    standardText: "none",
    meaning:
      "WebSockets that hear every recording while it is made, in the format of Twilio's Media Streams. Their addresses are checked as webhooks' are.",
    example: "wss://speech.example.com/in",
    read: each(readStreamUrl),
  }),
  peers: setting({
    schema: texts,
    standard: [],
    standardText: "none: `recorder.strict` says it for all",
    meaning:
      "How single recording clients are taken: `<address or range>=`, `certificate:<name>=` or `user:<digest user>=`, and `strict`, `lenient` or `plain` (lenient, and each of its INVITEs is a recording session). The first that fits counts.",
    example: "192.0.2.0/24=strict",
    read: each(readPeerRule),
  }),
  opus: setting({
    schema: Type.Boolean(),
    standard: false,
    meaning:
      "Make `Media.opus` of every recording when it has ended. Without, it is made when it is asked for the first time.",
    read: same,
  }),
  decoders: setting({
    schema: texts,
    standard: [],
    standardText: "none: such audio is kept, and not heard",
    meaning:
      "Commands that make audio of codecs which Callfork does not know, run when it is asked for: `<codec>=<command>`. They read the payloads, one behind the other, and write 16-bit samples at the codec's clock rate, mono.",
    example: "G729=ffmpeg -v error -f g729 -i pipe:0 -f s16le -ac 1 -ar 8000 pipe:1",
    read: each(readDecoderCommand),
  }),
  minimumFreeMebibytes: setting({
    schema: Type.Integer({ minimum: 0, maximum: 1_000_000_000 }),
    standard: 256,
    meaning:
      "With less space than this on the disk of the data directory, new recordings get 503 with Retry-After; those in progress go on.",
    read: same,
  }),
} as const;
