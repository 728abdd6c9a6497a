// What a recording call platform hears on an ordinary day: a call from INVITE to 200 for BYE, a recording session, a
// registration, a ping. One message of each, all well-formed and of the kind that every parser should take.

import { readFileSync } from "node:fs";

export interface WireMessage {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** The same octets as text, one character an octet: what parsers that know no octets are handed. */
  readonly text: string;
}

const SDP = [
  "v=0",
  "o=- 3725 1 IN IP4 192.0.2.10",
  "s=-",
  "c=IN IP4 192.0.2.10",
  "t=0 0",
  "m=audio 49170 RTP/AVP 0 8 101",
  "a=rtpmap:0 PCMU/8000",
  "a=rtpmap:8 PCMA/8000",
  "a=rtpmap:101 telephone-event/8000",
  "a=fmtp:101 0-15",
  "a=sendrecv",
  "",
].join("\r\n");

const VIAS = [
  "Via: SIP/2.0/UDP 192.0.2.11:5060;branch=z9hG4bK9a1c.3d5e7f90;received=192.0.2.11;rport=5060",
  "Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK-524287-1---abcdef;received=192.0.2.10;rport=5060",
];
const RECORD_ROUTE = "Record-Route: <sip:192.0.2.11;lr;ftag=8f3a1b2c>";
const FROM = 'From: "Alice" <sip:alice@example.com>;tag=8f3a1b2c';
const TO = "To: <sip:+15551230000@sbc.example.com>";
const TO_TAGGED = `${TO};tag=4c1e77d0`;
const CALL_ID = "Call-ID: 84b4c76e66710@192.0.2.10";
const CALLER = "Contact: <sip:alice@192.0.2.10:5060;transport=udp>";
const CALLEE = "Contact: <sip:+15551230000@192.0.2.30:5060>";
const ALLOW = "Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, UPDATE, INFO, PRACK, REFER, NOTIFY";

export const INVITE_LINES: readonly string[] = [
  "INVITE sip:+15551230000@sbc.example.com:5060;transport=udp SIP/2.0",
  ...VIAS,
  RECORD_ROUTE,
  "Max-Forwards: 69",
  CALLER,
  TO,
  FROM,
  CALL_ID,
  "CSeq: 1 INVITE",
  ALLOW,
  "Supported: replaces, timer, 100rel",
  "Session-Expires: 1800;refresher=uac",
  "P-Asserted-Identity: <sip:+15557654321@example.com>",
  "User-Agent: Example-Phone/7.2.1",
  "Content-Type: application/sdp",
];

export const CORPUS: readonly WireMessage[] = [
  message("INVITE", INVITE_LINES, SDP),
  message("100", ["SIP/2.0 100 Trying", ...VIAS, FROM, TO, CALL_ID, "CSeq: 1 INVITE"]),
  message("180", [
    "SIP/2.0 180 Ringing",
    ...VIAS,
    RECORD_ROUTE,
    FROM,
    TO_TAGGED,
    CALL_ID,
    "CSeq: 1 INVITE",
    CALLEE,
  ]),
  message(
    "200 for INVITE",
    [
      "SIP/2.0 200 OK",
      ...VIAS,
      RECORD_ROUTE,
      FROM,
      TO_TAGGED,
      CALL_ID,
      "CSeq: 1 INVITE",
      CALLEE,
      ALLOW,
      "Supported: replaces, timer",
      "Content-Type: application/sdp",
    ],
    SDP,
  ),
  message("ACK", [
    "ACK sip:+15551230000@192.0.2.30:5060 SIP/2.0",
    VIAS[1]!,
    "Route: <sip:192.0.2.11;lr;ftag=8f3a1b2c>",
    "Max-Forwards: 70",
    FROM,
    TO_TAGGED,
    CALL_ID,
    "CSeq: 1 ACK",
  ]),
  message("BYE", [
    "BYE sip:alice@192.0.2.10:5060;transport=udp SIP/2.0",
    ...VIAS,
    "Max-Forwards: 69",
    "From: <sip:+15551230000@sbc.example.com>;tag=4c1e77d0",
    'To: "Alice" <sip:alice@example.com>;tag=8f3a1b2c',
    CALL_ID,
    "CSeq: 8101 BYE",
    'Reason: Q.850;cause=16;text="Normal call clearing"',
  ]),
  message("200 for BYE", [
    "SIP/2.0 200 OK",
    ...VIAS,
    "From: <sip:+15551230000@sbc.example.com>;tag=4c1e77d0",
    'To: "Alice" <sip:alice@example.com>;tag=8f3a1b2c',
    CALL_ID,
    "CSeq: 8101 BYE",
  ]),
  message("REGISTER", [
    "REGISTER sip:example.com SIP/2.0",
    VIAS[1]!,
    "Max-Forwards: 70",
    "From: <sip:alice@example.com>;tag=1d2f",
    "To: <sip:alice@example.com>",
    "Call-ID: 5be1aa0f@192.0.2.10",
    "CSeq: 42 REGISTER",
    `${CALLER};expires=300`,
    'Authorization: Digest username="alice", realm="example.com", nonce="6f1d2c", uri="sip:example.com", ' +
      'response="0f4d9a2be01c3e5f6a7b8c9d0e1f2a3b", algorithm=MD5, cnonce="9c1e", qop=auth, nc=00000001',
    "Expires: 300",
  ]),
  message("OPTIONS", [
    "OPTIONS sip:sbc.example.com SIP/2.0",
    VIAS[1]!,
    "Max-Forwards: 70",
    "From: <sip:ping@192.0.2.10>;tag=77",
    "To: <sip:sbc.example.com>",
    "Call-ID: ping-77@192.0.2.10",
    "CSeq: 77 OPTIONS",
    "Accept: application/sdp",
  ]),
  golden("recording INVITE", "siprec-multipart.sip"),
];

export function message(name: string, lines: readonly string[], body = ""): WireMessage {
  return wire(name, Buffer.from([...lines, `Content-Length: ${body.length}`, "", body].join("\r\n")));
}

export function wire(name: string, bytes: Buffer): WireMessage {
  return { name, bytes, text: bytes.toString("latin1") };
}

function golden(name: string, file: string): WireMessage {
  return wire(name, readFileSync(new URL(`../../test/golden/sip/valid/${file}`, import.meta.url)));
}
