import { decodePcmu } from "@callfork/protocol/audio";
import { RtpEndpoint } from "@callfork/testkit";
import type { Owner } from "./scratch.ts";

/** Two RTP ports that a SIPp recorder names in its answer, and what comes to them. */
export interface RecorderEars {
  /** For a scenario's `[inbound_port]` and `[outbound_port]`. */
  readonly keys: { readonly inbound_port: number; readonly outbound_port: number };
  readonly inbound: RtpEndpoint;
  readonly outbound: RtpEndpoint;
}

export async function openEars(owner: Owner): Promise<RecorderEars> {
  const open = async (): Promise<RtpEndpoint> => {
    const endpoint = await RtpEndpoint.open({
      address: "127.0.0.1",
      payloadType: 0,
      audio: new Uint8Array(160),
    });
    owner.after(() => endpoint.close());
    return endpoint;
  };
  const [inbound, outbound] = [await open(), await open()];
  return { keys: { inbound_port: inbound.port, outbound_port: outbound.port }, inbound, outbound };
}

/** What an endpoint heard, decoded. */
export function samplesOf(endpoint: RtpEndpoint): Int16Array {
  const { payload } = endpoint.heard();
  const samples = new Int16Array(payload.length);
  decodePcmu(payload, samples);
  return samples;
}
