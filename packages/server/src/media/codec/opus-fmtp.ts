/** What a receiver says of itself in `a=fmtp` for Opus (RFC 7587 §6.1), with its defaults. */
export interface OpusParameters {
  /** The highest rate that is of use to it; 8,000 to 48,000. */
  readonly maximumPlaybackRateHz: number;
  /** What it sends. */
  readonly sendsStereo: boolean;
  /** Bits a second it takes on average; absent: no limit of its own. */
  readonly maximumAverageBitrate: number | undefined;
  readonly usesInbandFec: boolean;
  readonly usesDtx: boolean;
  readonly wantsConstantBitrate: boolean;
}

const RATE_LIMITS = { lowest: 8000, highest: 48_000 };
const BITRATE_LIMITS = { lowest: 6000, highest: 510_000 };

/** Parameters that are unknown or make no sense count as absent: "MUST be ignored" (RFC 7587 §6.1). */
export function readOpusParameters(fmtp: string | undefined): OpusParameters {
  const values = new Map<string, string>();
  for (const part of (fmtp ?? "").split(";", 32)) {
    const [name = "", value = ""] = part.split("=", 2);
    const key = name.trim().toLowerCase();
    if (!values.has(key)) values.set(key, value.trim());
  }
  const flag = (name: string): boolean => values.get(name) === "1";
  const number = (name: string, limits: { lowest: number; highest: number }): number | undefined => {
    const text = values.get(name) ?? "";
    if (!/^\d{1,9}$/.test(text)) return undefined;
    return Math.max(limits.lowest, Math.min(limits.highest, Number(text)));
  };
  return {
    maximumPlaybackRateHz: number("maxplaybackrate", RATE_LIMITS) ?? RATE_LIMITS.highest,
    sendsStereo: flag("sprop-stereo"),
    maximumAverageBitrate: number("maxaveragebitrate", BITRATE_LIMITS),
    usesInbandFec: flag("useinbandfec"),
    usesDtx: flag("usedtx"),
    wantsConstantBitrate: flag("cbr"),
  };
}
