import { type Codec, sameCodec } from "@callfork/protocol/sdp";

const FIRST_DYNAMIC = 96;
const LAST_DYNAMIC = 127;

/**
 * Which dynamic payload type numbers a recording session has given to which codec: "the mapping from a particular
 * dynamic payload type number to a particular codec … MUST NOT change for the duration of a session" (RFC 3264 §8.3.2).
 * The call's leg may well use one for another codec after a transfer; towards the recorder that codec has another then.
 */
export class PayloadNumbers {
  readonly #given = new Map<number, Codec>();

  /** The codecs under numbers that they may have. One for which none is left is not there. */
  give(codecs: readonly Codec[]): readonly Codec[] {
    const asked = new Set(codecs.map(({ payloadType }) => payloadType));
    const used = new Set<number>();
    return codecs.flatMap((codec) => {
      const payloadType = this.#numberOf(codec, asked, used);
      if (payloadType === undefined) return [];
      used.add(payloadType);
      if (payloadType >= FIRST_DYNAMIC) this.#given.set(payloadType, codec);
      return [{ ...codec, payloadType }];
    });
  }

  #numberOf(codec: Codec, asked: ReadonlySet<number>, used: ReadonlySet<number>): number | undefined {
    const { payloadType } = codec;
    if (payloadType < FIRST_DYNAMIC) return payloadType;
    const before = this.#given.get(payloadType);
    if ((before === undefined || sameCodec(before, codec)) && !used.has(payloadType)) return payloadType;
    for (const [number, given] of this.#given)
      if (sameCodec(given, codec) && !used.has(number)) return number;
    for (let number = LAST_DYNAMIC; number >= FIRST_DYNAMIC; number--) {
      if (!this.#given.has(number) && !asked.has(number) && !used.has(number)) return number;
    }
    return undefined;
  }
}
