// SIP messages parsed, framed and written per second of CPU, on one core and without peers.
//   node bench/sip-parse.ts [seconds per figure]

import { readFileSync } from "node:fs";
import { flattenBody, formatSipMessage, parseSipMessage, SipStreamFramer } from "@callfork/protocol/sip";

const CPU_MICROSECONDS = Number(process.argv[2] ?? 1) * 1e6;

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

const INVITE = Buffer.from(
  [
    "INVITE sip:+15551230000@sbc.example.com:5060;transport=udp SIP/2.0",
    "Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK-524287-1---abcdef;rport",
    "Via: SIP/2.0/UDP 192.0.2.11:5060;branch=z9hG4bKabc;received=192.0.2.99",
    "Record-Route: <sip:192.0.2.11;lr;ftag=8f3a1b2c>",
    "Max-Forwards: 69",
    "Contact: <sip:alice@192.0.2.10:5060;transport=udp>",
    "To: <sip:+15551230000@sbc.example.com>",
    'From: "Alice" <sip:alice@example.com>;tag=8f3a1b2c',
    "Call-ID: 84b4c76e66710@192.0.2.10",
    "CSeq: 1 INVITE",
    "Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, UPDATE, INFO, PRACK, REFER, NOTIFY",
    "Supported: replaces, timer, 100rel",
    "Session-Expires: 1800;refresher=uac",
    "P-Asserted-Identity: <sip:+15557654321@example.com>",
    "User-Agent: Example-Phone/7.2.1",
    "Content-Type: application/sdp",
    `Content-Length: ${SDP.length}`,
    "",
    SDP,
  ].join("\r\n"),
);

const RECORDING = readFileSync(new URL("../test/golden/sip/valid/siprec-multipart.sip", import.meta.url));

for (const [name, bytes] of [
  ["INVITE", INVITE],
  ["recording INVITE", RECORDING],
] as const) {
  const parsed = parseSipMessage(bytes);
  if (!parsed.ok) throw new Error(parsed.error.message);
  const message = parsed.value;
  const framer = new SipStreamFramer();
  const octets = `${name}, ${bytes.length} octets`;
  measure(`parse   ${octets}`, () => parseSipMessage(bytes).ok);
  measure(`frame   ${octets}`, () => framer.push(bytes).length === 1);
  measure(`format  ${octets}`, () => formatSipMessage(message).length > 0);
  measure(`flatten ${octets}`, () => flattenBody(message).ok);
}

function measure(name: string, run: () => boolean): void {
  for (let i = 0; i < 2000; i++) run();
  let rounds = 0;
  const started = process.cpuUsage();
  let used = 0;
  while (used < CPU_MICROSECONDS) {
    for (let i = 0; i < 500; i++) if (!run()) throw new Error(`${name} failed`);
    rounds += 500;
    const { user, system } = process.cpuUsage(started);
    used = user + system;
  }
  const perSecond = Math.round(rounds / (used / 1e6));
  console.log(
    `${name.padEnd(40)} ${String(perSecond).padStart(8)} /s ${(used / rounds).toFixed(2).padStart(7)} µs`,
  );
}
