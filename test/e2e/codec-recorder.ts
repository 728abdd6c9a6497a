import { createSocket } from "node:dgram";
import { once } from "node:events";
import type { TestContext } from "node:test";
import { rtpMarker, rtpPayloadType, rtpSequenceNumber, rtpSsrc, rtpTimestamp } from "@callfork/protocol/rtp";
import { codecsOf, directionOf, parseSessionDescription } from "@callfork/protocol/sdp";
import { createResolver, createSipTransports, createSystemClock } from "@callfork/server/net";
import { createUserAgent, type ReceivedPart, type SipBody } from "@callfork/server/signalling";
import { memoryLog } from "../simulated/pair.ts";
import { random } from "./fork-rig.ts";

export interface HeardRtp {
  readonly payloadType: number;
  readonly sequence: number;
  readonly timestamp: number;
  readonly ssrc: number;
  readonly marker: boolean;
  readonly payload: Uint8Array;
}

/** A recorder on real sockets that takes codecs of some names only, refuses offers without them, and keeps every packet. */
export async function codecRecorder(t: TestContext, names: readonly string[]) {
  let wanted = names;
  const log = memoryLog();
  const clock = createSystemClock();
  const transports = await createSipTransports({
    listen: [{ transport: "tcp", address: "127.0.0.1", port: 0 }],
    log,
    clock,
  });
  const resolver = createResolver();
  const agent = createUserAgent({ transports, resolver, clock, random, log, userAgentName: "recorder" });
  const heard: [HeardRtp[], HeardRtp[]] = [[], []];
  const sockets = await Promise.all(
    heard.map(async (packets) => {
      const socket = createSocket("udp4");
      socket.on("message", (bytes) =>
        packets.push({
          payloadType: rtpPayloadType(bytes, 0),
          sequence: rtpSequenceNumber(bytes, 0),
          timestamp: rtpTimestamp(bytes, 0),
          ssrc: rtpSsrc(bytes, 0),
          marker: rtpMarker(bytes, 0),
          payload: Uint8Array.from(bytes.subarray(12)),
        }),
      );
      socket.bind(0, "127.0.0.1");
      await once(socket, "listening");
      return socket;
    }),
  );
  /** Names of the codecs of each offer, and whether it was inactive. */
  const offers: { readonly codecs: readonly string[]; readonly isInactive: boolean }[] = [];
  let version = 0;
  const answer = (body: readonly ReceivedPart[]): SipBody | undefined => {
    const part = body.find(({ mediaType }) => mediaType === "application/sdp");
    const offer = part && parseSessionDescription(part.bytes);
    if (!offer?.ok) return undefined;
    const first = codecsOf(offer.value.media[0]!);
    const isInactive = offer.value.media.every((media) => directionOf(offer.value, media) === "inactive");
    offers.push({ codecs: first.map(({ name }) => name), isInactive });
    const taken = first.filter(({ name }) => wanted.includes(name.toUpperCase()));
    if (taken.length === 0) return undefined;
    version += 1;
    const lines = offer.value.media.flatMap((_, line) => [
      `m=audio ${sockets[line]!.address().port} RTP/AVP ${taken.map((codec) => codec.payloadType).join(" ")}`,
      ...taken.map(
        ({ payloadType, name, clockRateHz, channels }) =>
          `a=rtpmap:${payloadType} ${name}/${clockRateHz}${channels === 1 ? "" : `/${channels}`}`,
      ),
      `a=${isInactive ? "inactive" : "recvonly"}`,
    ]);
    const head = ["v=0", `o=- 1 ${version} IN IP4 127.0.0.1`, "s=-", "c=IN IP4 127.0.0.1", "t=0 0"];
    const text = `${[...head, ...lines].join("\r\n")}\r\n`;
    return { contentType: "application/sdp", bytes: new TextEncoder().encode(text) };
  };
  const answered = (body: readonly ReceivedPart[]) => {
    const made = answer(body);
    const isOffer = body.some(({ mediaType }) => mediaType === "application/sdp");
    return made === undefined ? { status: isOffer ? 488 : 200 } : { status: 200, body: made };
  };
  agent.attach({
    onInvite: (invite) => {
      const body = answer(invite.body);
      if (body === undefined) {
        invite.reject(488);
        return;
      }
      invite.answer({ body, contactParameters: ";+sip.srs" }).attach({
        onReinvite: (_request, parts) => answered(parts),
        onUpdate: (_request, parts) => answered(parts),
        onEnded: () => {},
      });
    },
  });
  t.after(async () => {
    for (const socket of sockets) socket.close();
    await agent.stop(200);
    await transports.close();
  });
  return {
    uri: `sip:srs@127.0.0.1:${transports.sentBy("tcp", "127.0.0.1").port};transport=tcp`,
    heard,
    offers,
    /** What it takes from the next offer on. */
    take: (others: readonly string[]) => {
      wanted = others;
    },
  };
}
