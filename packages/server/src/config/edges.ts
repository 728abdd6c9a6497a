import { parseSipUri } from "@callfork/protocol/sip";
import { err, ok } from "@callfork/protocol/text";
import Type, { type Static } from "typebox";
import { type Read, readAddress, readPortRange, readSipListen } from "./syntax.ts";
import type { EdgeConfig, SipListenAddress } from "./types.ts";

const text = Type.String({ minLength: 1, maxLength: 255 });

/** One edge as it is written. */
export const EDGE_SCHEMA = Type.Object(
  {
    name: text,
    sip: Type.Array(text, { minItems: 1, maxItems: 16 }),
    publicAddress: Type.Optional(text),
    rtpAddress: Type.Optional(text),
    rtpPorts: Type.Optional(text),
    outboundProxy: Type.Optional(text),
  },
  { additionalProperties: false },
);

/** Every problem of every edge, in one message. */
export function readEdges(written: readonly Static<typeof EDGE_SCHEMA>[]): Read<readonly EdgeConfig[]> {
  const problems: string[] = [];
  const names = new Set<string>();
  const edges = written.map((one, index): EdgeConfig => {
    const take = <T>(field: string, read: Read<T> | undefined): T | undefined => {
      if (read?.ok === false) problems.push(`[${index}].${field} ${read.error}`);
      return read?.ok === true ? read.value : undefined;
    };
    const given = <T>(value: string | undefined, read: (value: string) => Read<T>) =>
      value === undefined ? undefined : read(value);
    const name = take("name", readName(one.name, names)) ?? "";
    const sipListen = one.sip.flatMap((listen) => take("sip", readEdgeListen(listen)) ?? []);
    const rtpAddress = take("rtpAddress", given(one.rtpAddress, readAddress));
    return {
      name,
      sipListen,
      publicAddress: take("publicAddress", given(one.publicAddress, readAddress)),
      rtpAddress: rtpAddress ?? sipListen[0]?.address ?? "",
      rtpPorts: take("rtpPorts", given(one.rtpPorts, readPortRange)),
      outboundProxy: take("outboundProxy", given(one.outboundProxy, readProxy)),
    };
  });
  return problems.length === 0 ? ok(edges) : err(problems.join("; "));
}

/** As it stands in `edge=`, which is compared in lower case. */
function readName(name: string, names: Set<string>): Read<string> {
  if (!/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/.test(name)) return err("must be letters, digits, hyphens");
  const lower = name.toLowerCase();
  if (names.has(lower)) return err(`is taken: ${name}`);
  names.add(lower);
  return ok(lower);
}

/** An address of its own: what listens everywhere has none to leave from. */
function readEdgeListen(text: string): Read<SipListenAddress> {
  const listen = readSipListen(text);
  if (!listen.ok) return listen;
  const { transport, address } = listen.value;
  if (transport === "ws" || transport === "wss") return err(`"${text}": recorders take udp, tcp and tls`);
  const isAnywhere = address === "0.0.0.0" || address === "::";
  return isAnywhere ? err(`"${text}" must name one address of this machine`) : listen;
}

function readProxy(text: string): Read<string> {
  const uri = parseSipUri(text);
  if (!uri.ok) return err(`"${text}" must be a SIP URI, as in sip:proxy.example.com;transport=tcp`);
  return uri.value.headers.length > 0 ? err('must not carry headers ("?…")') : ok(text);
}
