import Type from "typebox";
import { choice, each, same, setting, text, texts } from "../setting.ts";
import { readAddressRange, readDnsServer, readOrigin } from "../syntax.ts";

export const TLS_SETTINGS = {
  certificate: setting({
    schema: texts,
    standard: [],
    standardText: "none",
    meaning:
      "PEM files with the certificates of `tls:` and `wss:` listeners, each followed by its chain. With several, the name that a client asks for (SNI) picks one; the first is for all others.",
    example: "/etc/callfork/sip.pem",
    read: same<readonly string[]>,
    isPath: true,
  }),
  key: setting({
    schema: texts,
    standard: [],
    standardText: "none",
    meaning: "PEM files with their private keys, in the same order.",
    example: "/etc/callfork/sip.key",
    read: same<readonly string[]>,
    isPath: true,
  }),
  ca: setting({
    schema: text,
    standard: undefined,
    standardText: "the authorities that Node trusts",
    meaning: "PEM file of the authorities that may vouch for SIP peers.",
    example: "/etc/callfork/ca.pem",
    read: same<string>,
    isPath: true,
  }),
  clientCertificates: setting({
    schema: choice("none", "optional", "required"),
    standard: "none",
    meaning:
      "Whether those who connect to `tls:` and `wss:` listeners are asked for a certificate of their own, and refused without; needs `tls.ca`.",
    read: same,
  }),
} as const;

export const DNS_SETTINGS = {
  servers: setting({
    schema: texts,
    standard: [],
    standardText: "the system's",
    meaning: "DNS servers that SIP names are looked up at.",
    example: "192.0.2.53,[2001:db8::53]:5353",
    read: each(readDnsServer),
  }),
} as const;

export const WEBSOCKET_SETTINGS = {
  allowedOrigins: setting({
    schema: texts,
    standard: [],
    standardText: "none",
    meaning:
      "Origins of the web pages that may connect to `ws:` and `wss:` listeners; `*` for any. Programs that send no Origin are not asked.",
    example: "https://phone.example.com",
    read: each(readOrigin),
  }),
} as const;

export const WEBHOOKS_SETTINGS = {
  allowedAddresses: setting({
    schema: texts,
    standard: undefined,
    standardText: "`127.0.0.0/8,::1` while `httpListen` is loopback, else none",
    meaning: "Addresses and ranges that webhooks may reach although they are not public.",
    example: "10.0.0.0/8",
    read: each(readAddressRange),
  }),
  timeoutMs: setting({
    schema: Type.Integer({ minimum: 100, maximum: 15_000 }),
    standard: 15_000,
    meaning: "Longest time one webhook may take in all, in milliseconds.",
    read: same,
  }),
} as const;
