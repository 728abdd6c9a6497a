import { isIP } from "node:net";
import { err, ok, type Result } from "@callfork/protocol/text";
import type { Config, SipListenAddress } from "./types.ts";

/** How the text forms of the configuration are read. An error says what would be right. */
export type Read<T> = Result<T, string>;

const HTTP_HINT = "an address and a port, as in 127.0.0.1:8080 or [::1]:8080";
const SIP_HINT =
  "transport:address:port, as in udp:0.0.0.0:5060 or tls:[::1]:5061; transports are udp, tcp, tls, ws and wss";

/** `127.0.0.1:8080`, `[::1]:8080`; port 0: any free one. Addresses are numeric: a name could move the server. */
export function readListen(text: string): Read<Config["httpListen"]> {
  const found = hostPort(text);
  return found === undefined ? err(`must be ${HTTP_HINT}`) : ok(found);
}

/** `udp:0.0.0.0:5060`, `tcp:[::1]:5060`. */
export function readSipListen(text: string): Read<SipListenAddress> {
  const [, transport = "", rest = ""] = /^([a-z]+):(.*)$/i.exec(text) ?? [];
  const name = transport.toLowerCase();
  const found = hostPort(rest);
  const known = SIP_TRANSPORTS.find((one) => one === name);
  return found === undefined || known === undefined
    ? err(`"${text}" must be ${SIP_HINT}`)
    : ok({ transport: known, ...found });
}

const SIP_TRANSPORTS = ["udp", "tcp", "tls", "ws", "wss"] as const;

/** `192.0.2.53`, `192.0.2.53:5353`, `[2001:db8::53]:5353`: as `dns.Resolver.setServers` takes them. */
export function readDnsServer(text: string): Read<string> {
  return isIP(text) !== 0 || hostPort(text) !== undefined
    ? ok(text)
    : err(
        `"${text}" must be a numeric address, with a port or without, as in 192.0.2.53 or [2001:db8::53]:5353`,
      );
}

/** Scheme, host and port of a web page, as browsers write them in Origin. */
export function readOrigin(text: string): Read<string> {
  if (text === "*") return ok(text);
  const isOrigin = URL.canParse(text) && new URL(text).origin === text.toLowerCase().replace(/\/$/, "");
  return isOrigin
    ? ok(new URL(text).origin)
    : err(`"${text}" must be an origin, as in https://phone.example.com, or *`);
}

/** `10000-19999`: even first port (RTP, RTCP is the next; RFC 3550 §11), room for at least two pairs. */
export function readPortRange(text: string): Read<Config["rtpPorts"]> {
  const [, firstText = "", lastText = ""] = /^(\d{1,5})-(\d{1,5})$/.exec(text.trim()) ?? [];
  const [first, last] = [Number(firstText), Number(lastText)];
  const hint = "must be two ports with a hyphen, as in 10000-19999";
  if (firstText === "") return err(hint);
  if (first < 1024 || last > 65_535) return err(`${hint}, between 1024 and 65535`);
  if (first % 2 !== 0) return err(`${hint}, the first one even: RTP takes even ports, RTCP the next`);
  return last - first < 3 ? err(`${hint}, with room for at least two pairs`) : ok({ first, last });
}

/** A numeric address that can be advertised. */
export function readAddress(text: string): Read<string> {
  if (isIP(text) === 0) return err("must be a numeric IPv4 or IPv6 address");
  return text === "0.0.0.0" || text === "::" ? err("must be an address that others can send to") : ok(text);
}

/** An address or a range in CIDR notation: `192.0.2.7`, `10.0.0.0/8`, `::1`, `2001:db8::/32`. */
export function readAddressRange(text: string): Read<string> {
  const [address = "", prefix, ...more] = text.split("/");
  const version = isIP(address);
  const bits = prefix === undefined ? 0 : /^\d{1,3}$/.test(prefix) ? Number(prefix) : Number.NaN;
  if (version === 0 || more.length > 0 || !(bits <= (version === 4 ? 32 : 128)))
    return err(`"${text}" must be an address or a CIDR range, as in 192.0.2.7 or 10.0.0.0/8`);
  return ok(text);
}

/** Base URL; a trailing slash is taken off. */
export function readPublicUrl(text: string): Read<string> {
  const hint =
    "must be an http or https URL without query, fragment or password, as in https://callfork.example.com";
  if (!URL.canParse(text)) return err(hint);
  const url = new URL(text);
  const bare = url.search === "" && url.hash === "" && url.username === "" && url.password === "";
  return (url.protocol === "http:" || url.protocol === "https:") && bare
    ? ok(url.href.replace(/\/+$/, ""))
    : err(hint);
}

/** Bucket and what its keys begin with. */
export function readObjectUrl(text: string): Read<{ readonly bucket: string; readonly prefix: string }> {
  const [, bucket, path = ""] = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/.exec(text) ?? [];
  const prefix = path.replace(/^\/+|\/+$/g, "");
  if (bucket === undefined || !/^[\w./-]*$/.test(prefix) || prefix.includes(".."))
    return err("must be s3://bucket or s3://bucket/prefix");
  return ok({ bucket, prefix });
}

/** A URL that is called: its query and connection overrides in its fragment are its owner's. */
export function readWebhookUrl(text: string): Read<string> {
  const protocol = URL.parse(text)?.protocol;
  return protocol === "http:" || protocol === "https:"
    ? ok(text)
    : err("must be an http or https URL, as in https://example.com/recordings");
}

/** `192.0.2.0/24=strict`, `certificate:sbc.example.com=lenient`, `user:acme=plain` */
/** A SIP domain as certificates name it: lower-case, without `sip:` and the final dot. Wildcards stand for nobody. */
export function readCertificateName(text: string): Read<string> {
  const name = text
    .toLowerCase()
    .replace(/^sip:/, "")
    .replace(/^\[(.*)\]$/, "$1")
    .replace(/\.$/, "");
  const isName = /^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/.test(name) || /^[0-9a-f]*:[0-9a-f:.]+$/.test(name);
  return isName ? ok(name) : err(`"${text}" must be a domain or an address, as in sbc.example.com`);
}

export function readPeerRule(text: string): Read<{
  readonly by: "address" | "certificate" | "user";
  readonly is: string;
  readonly profile: "strict" | "lenient" | "plain";
}> {
  const [, by = "address", is = "", profile] =
    /^(?:(address|certificate|user):)?(.+)=(strict|lenient|plain)$/.exec(text) ?? [];
  if (profile === undefined)
    return err(
      `"${text}" must be a peer and its profile, as in 192.0.2.7=strict or certificate:sbc.example.com=plain`,
    );
  if (by === "address") {
    const range = readAddressRange(is);
    if (!range.ok) return range;
  }
  return ok({
    by: by as "address" | "certificate" | "user",
    is,
    profile: profile as "strict" | "lenient" | "plain",
  });
}

/** `G729=ffmpeg -f g729 -i pipe:0 …`: a codec, and what makes audio of it. */
export function readDecoderCommand(
  text: string,
): Read<{ readonly codec: string; readonly command: readonly string[] }> {
  const [, codec, command] = /^([A-Za-z0-9._-]{1,32})=(\S.*)$/.exec(text.trim()) ?? [];
  if (codec === undefined || command === undefined)
    return err(
      `"${text}" must be a codec and a command, as in G729=ffmpeg -f g729 -i pipe:0 -f s16le pipe:1`,
    );
  return ok({ codec: codec.toUpperCase(), command: command.split(/\s+/) });
}

export function readStreamUrl(text: string): Read<string> {
  const protocol = URL.parse(text)?.protocol;
  return protocol === "ws:" || protocol === "wss:"
    ? ok(text)
    : err("must be a ws or wss URL, as in wss://speech.example.com/in");
}

export function readAccountSid(text: string): Read<string> {
  return /^AC[0-9a-f]{32}$/.test(text) ? ok(text) : err("must be AC and 32 hexadecimal digits (0-9, a-f)");
}

/** Never repeats what it was given. */
export function readAuthToken(text: string): Read<string> {
  return /^[\x21-\x7e]{16,128}$/.test(text)
    ? ok(text)
    : err("must be 16 to 128 visible ASCII characters; 32 random hexadecimal digits are usual");
}

/** Never repeats what it was given. */
export function readSecretKey(text: string): Read<string> {
  const hex = /^[0-9a-f]{64}$/i.test(text);
  const base64 = /^[A-Za-z0-9+/]{43}=?$/.test(text);
  return hex || base64
    ? ok(text)
    : err("must be 32 octets in hexadecimal (64 digits) or base64 (44 characters)");
}

/** The user part of a SIP URI, in characters that need no escape. */
export function readSipUser(text: string): Read<string> {
  return /^[A-Za-z0-9._~+-]{1,64}$/.test(text)
    ? ok(text)
    : err("must be 1 to 64 letters, digits or any of . _ ~ + -");
}

export function readNamespace(text: string): Read<string> {
  return /^[A-Za-z][A-Za-z0-9+.-]*:[^\s<>"&]{1,200}$/.test(text)
    ? ok(text)
    : err("must be an absolute URI, as in http://example.com/siprec");
}

function hostPort(text: string): { address: string; port: number } | undefined {
  const [, bracketed, plain, portText = ""] = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text) ?? [];
  const address = bracketed ?? plain ?? "";
  const port = Number(portText);
  if (portText === "" || port > 65_535) return undefined;
  return isIP(address) === (bracketed === undefined ? 4 : 6) ? { address, port } : undefined;
}

/** 127.0.0.0/8 or ::1. */
export function isLoopback(address: string): boolean {
  return address === "::1" || address.startsWith("127.");
}
