import type { NegotiatedMedia } from "@callfork/protocol/offer-answer";
import type { LegCodec, MediaTarget } from "../media/index.ts";
import { numericAddress } from "../net/index.ts";

/** Where the peer wants its packets. A name in `c=` is left to latching: its first packet tells the address. */
export function targetOf({ remote }: NegotiatedMedia): MediaTarget | null {
  if (!remote || !isNumericAddress(remote.address)) return null;
  const { address, rtpPort, rtcpPort, rtcpAddress } = remote;
  const isElsewhere = rtcpAddress !== address && isNumericAddress(rtcpAddress);
  return { address, rtpPort, rtcpPort, ...(isElsewhere && { rtcpAddress }) };
}

/** Numbers we send with first; those that the peer uses the other way follow, so that its packets are known. */
export function legCodecsOf(line: NegotiatedMedia): readonly LegCodec[] {
  const sent = line.codecs.map(({ name, clockRateHz, sendPayloadType }) => ({
    name,
    clockRateHz,
    payloadType: sendPayloadType,
  }));
  const received = line.codecs
    .filter(({ receivePayloadType }) => !sent.some(({ payloadType }) => payloadType === receivePayloadType))
    .map(({ name, clockRateHz, receivePayloadType }) => ({
      name,
      clockRateHz,
      payloadType: receivePayloadType,
    }));
  return [...sent, ...received];
}

export const isNumericAddress = (address: string): boolean => numericAddress(address) !== undefined;
