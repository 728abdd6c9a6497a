import { formatMetadataTime, parametersExtension, type RecordingMetadata } from "@callfork/protocol/siprec";
import fc from "fast-check";

/** Base64 of 16 octets. */
export const arbId: fc.Arbitrary<string> = fc
  .uint8Array({ minLength: 16, maxLength: 16 })
  .map((octets) => Buffer.from(octets).toString("base64"));

/** Any text XML can carry, without white space or quotes around it: these a reader takes off. */
const arbText = fc
  .string({ unit: "grapheme", minLength: 1, maxLength: 24 })
  .map((text) => text.trim())
  .filter((text) => text !== "" && !text.startsWith('"') && !/[\u0000-\u001f\ufffe\uffff]/.test(text));

const arbTime = fc
  .integer({ min: Date.UTC(2000, 0), max: Date.UTC(2099, 0) })
  .map((epochMs) => formatMetadataTime(epochMs));

const arbUri = fc.constantFrom(
  "sip:alice@example.com",
  "sips:bob@192.0.2.1:5061;transport=tls",
  "tel:+15551234567",
  "+15551234567",
  "carol@example.org",
  "example.com",
);

const arbExtensions = fc.array(
  fc
    .tuple(
      fc.constantFrom("http://example.com/siprec", "urn:x:1"),
      fc.array(
        fc.record(
          { name: arbText, value: fc.oneof(arbText, fc.constant(" a\tb\nc ")) },
          { noNullPrototype: true },
        ),
        {
          maxLength: 3,
        },
      ),
    )
    .map(([namespace, parameters]) => parametersExtension(namespace, parameters)),
  { maxLength: 2 },
);

const arbTimes = { associateTime: arbTime, disassociateTime: arbTime };

/** Optional members are absent rather than undefined, as the reader leaves them. */
const record = <T, K extends keyof T>(model: { [P in keyof T]: fc.Arbitrary<T[P]> }, requiredKeys: K[]) =>
  fc.record(model, { requiredKeys, noNullPrototype: true });

const few = <T>(arbitrary: fc.Arbitrary<T>) => fc.array(arbitrary, { maxLength: 4 });

/** Any document this platform could write. */
export const arbMetadata = fc.record(
  {
    dataMode: fc.constantFrom("complete" as const, "partial" as const),
    groups: few(
      record({ groupId: arbId, ...arbTimes, extensions: arbExtensions }, ["groupId", "extensions"]),
    ),
    sessions: few(
      record(
        {
          sessionId: arbId,
          sipSessionIds: few(
            fc.constantFrom(
              "ab30317f1a784dc48ff824d0d3715d86;remote=47755a9de7794ba387653f2099600ef2",
              "x@y",
            ),
          ),
          reasons: few(
            fc.record(
              {
                protocol: fc.constantFrom("SIP", "Q.850"),
                cause: fc.integer({ min: -32768, max: 32767 }),
                text: fc.oneof(arbText, fc.constant("")),
              },
              { noNullPrototype: true },
            ),
          ),
          groupRef: arbId,
          startTime: arbTime,
          stopTime: arbTime,
          extensions: arbExtensions,
        },
        ["sessionId", "sipSessionIds", "reasons", "extensions"],
      ),
    ),
    participants: few(
      record(
        {
          participantId: arbId,
          nameIds: fc.array(
            fc.oneof(
              record({ aor: arbUri, name: arbText, lang: fc.constantFrom("en", "zh-Hant-TW") }, [
                "aor",
                "name",
              ]),
              record({ aor: arbUri }, ["aor"]),
            ),
            { minLength: 1, maxLength: 3 },
          ),
          extensions: arbExtensions,
        },
        ["participantId", "nameIds", "extensions"],
      ),
    ),
    streams: few(
      record({ streamId: arbId, sessionId: arbId, label: arbText, extensions: arbExtensions }, [
        "streamId",
        "extensions",
      ]),
    ),
    sessionRecordingAssociations: few(
      record({ sessionId: arbId, ...arbTimes, extensions: arbExtensions }, ["sessionId", "extensions"]),
    ),
    participantSessionAssociations: few(
      record(
        {
          participantId: arbId,
          sessionId: arbId,
          ...arbTimes,
          params: few(fc.record({ name: arbText, value: arbText }, { noNullPrototype: true })),
          extensions: arbExtensions,
        },
        ["participantId", "sessionId", "params", "extensions"],
      ),
    ),
    participantStreamAssociations: few(
      record(
        { participantId: arbId, send: few(arbId), recv: few(arbId), ...arbTimes, extensions: arbExtensions },
        ["participantId", "send", "recv", "extensions"],
      ),
    ),
    extensions: arbExtensions,
  },
  { noNullPrototype: true },
) as fc.Arbitrary<RecordingMetadata>;
