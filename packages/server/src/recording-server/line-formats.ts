import type { CodecCapability } from "@callfork/protocol/offer-answer";
import { type Codec, codecsOf, type MediaDescription, type SessionDescription } from "@callfork/protocol/sdp";
import { isTranscodable } from "../media/index.ts";
import type { PayloadFormat } from "./tracks/payload-format.ts";

/** What is recorded of a line. Other kinds (text, image, application) get port 0. */
export function mediaKindOf({ kind }: MediaDescription): "audio" | "video" | undefined {
  return kind === "audio" || kind === "video" ? kind : undefined;
}

/** What each payload type of a line stands for. */
export function formatsOf(line: MediaDescription): readonly PayloadFormat[] {
  if (mediaKindOf(line) === undefined) return [];
  return codecsOf(line).map(({ payloadType, name, clockRateHz, channels, fmtp }) => ({
    payloadType,
    kind: formatKind(name),
    codec: name.toUpperCase(),
    clockRateHz,
    channels,
    ...(fmtp !== undefined && { fmtp }),
  }));
}

/** The one of our answer: the first that we can decode, else the first. Undefined: there is none. */
export function chosenFormat(line: MediaDescription): PayloadFormat | undefined {
  const audible = formatsOf(line).filter(({ kind }) => kind === "audio");
  return audible.find(isDecodable) ?? audible[0];
}

/** Whether the audio of a format can be decoded without help from outside. */
export function isDecodable({
  codec,
  clockRateHz,
  channels,
}: Pick<PayloadFormat, "codec" | "clockRateHz" | "channels">): boolean {
  return isTranscodable({ name: codec, clockRateHz, channels });
}

/**
 * The offer as it is answered: of lines that have a codec that we can decode only such codecs are left, so that the
 * answer names one of them.
 */
export function decodableOffer(offer: SessionDescription): SessionDescription {
  return {
    ...offer,
    media: offer.media.map((line) => {
      const chosen = line.kind === "audio" ? chosenFormat(line) : undefined;
      if (chosen === undefined || !isDecodable(chosen)) return line;
      const left = new Set(
        formatsOf(line)
          .filter((format) => format.kind !== "audio" || isDecodable(format))
          .map(({ payloadType }) => String(payloadType)),
      );
      return { ...line, formats: line.formats.filter((format) => left.has(String(Number(format)))) };
    }),
  };
}

/** Everything that the lines name: whatever it is, it can be kept. */
export function capabilitiesOf(offer: SessionDescription): readonly CodecCapability[] {
  return offer.media.flatMap((line) =>
    mediaKindOf(line) === undefined ? [] : codecsOf(line).map((codec) => capability(codec, line.kind)),
  );
}

function capability({ name, clockRateHz, channels }: Codec, kind: string): CodecCapability {
  return { name, clockRateHz, channels, kind };
}

function formatKind(name: string): PayloadFormat["kind"] {
  const codec = name.toUpperCase();
  if (codec === "TELEPHONE-EVENT" || codec === "TONE") return "event";
  return codec === "CN" ? "comfort" : "audio";
}
