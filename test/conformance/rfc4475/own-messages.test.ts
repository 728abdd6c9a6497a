import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import {
  featureTag,
  flattenBody,
  parseNameAddr,
  parseSipMessage,
  parseSipUri,
  parseUri,
  type SipMessage,
} from "@callfork/protocol/sip";
import { overTcp, overUdp } from "./outcome.ts";

// Messages of our own in the spirit of RFC 4475, its classes kept apart: what a parser must take, what it must refuse,
// and what is well-formed and refused, if at all, by a layer above.
const FOLDER = new URL("../../golden/sip/", import.meta.url);

const ACCEPT = ["accept", "accept"] as const;
const REFUSE = ["400 answered", "refuse"] as const;

type Outcome = readonly [udp: string, tcp: string];

const VALID: Readonly<Record<string, Outcome>> = {
  "bare-line-feeds": ACCEPT,
  "before-rfc3261": ["accept", "close"],
  "display-names": ACCEPT,
  "escaped-headers-in-contact": ACCEPT,
  "escapes-in-uris": ACCEPT,
  "folded-and-compact": ACCEPT,
  "ipv6-everywhere": ACCEPT,
  "keep-alive-before-message": ["accept", "ping accept"],
  "many-vias": ACCEPT,
  "method-of-every-token-character": ACCEPT,
  "non-sip-addresses": ACCEPT,
  "octets-behind-the-body": ["accept", "accept accept"],
  "parameter-inside-brackets": ACCEPT,
  "parameter-outside-brackets": ACCEPT,
  "reason-phrase-empty": ACCEPT,
  "reason-phrase-in-utf8": ACCEPT,
  "semicolon-in-user": ACCEPT,
  "siprec-multipart": ACCEPT,
};

const INVALID: Readonly<Record<string, Outcome>> = {
  "ack-with-broken-to": ["silence", "refuse"],
  "blank-behind-version": REFUSE,
  "blank-in-request-uri": REFUSE,
  "blank-inside-brackets": REFUSE,
  "blanks-round-request-uri": REFUSE,
  "brackets-round-request-uri": REFUSE,
  "branch-is-only-the-cookie": REFUSE,
  "carriage-return-smuggles-a-header": REFUSE,
  "comma-in-bare-display-name": REFUSE,
  "contact-needs-brackets": REFUSE,
  "content-length-beyond-datagram": ["400 answered", "wait"],
  "content-length-negative": ["400 answered", "close"],
  "content-length-overflow": ["400 answered", "close"],
  "content-length-twice": ["400 answered", "close"],
  "cseq-names-another-method": REFUSE,
  "cseq-overflow": REFUSE,
  "empty-parameters": REFUSE,
  "headers-come-twice": REFUSE,
  "headers-in-request-uri": REFUSE,
  "ipv6-without-brackets": REFUSE,
  "line-without-colon": REFUSE,
  "no-empty-line": ["400 answered", "wait"],
  "no-from-to-call-id": ["400", "refuse"],
  "not-sip-at-all": ["400", "close"],
  "nul-in-a-header": REFUSE,
  "quote-never-closed": REFUSE,
  "response-body-cut-off": ["silence", "wait"],
  "response-cseq-overflow": ["silence", "refuse"],
  "status-code-overflow": ["silence", "refuse"],
  "version-3": ["505 answered", "refuse"],
  zeros: ["400", "wait"],
};

const LAYERED: Readonly<Record<string, Outcome>> = {
  "accept-without-sdp": ACCEPT,
  "date-not-in-gmt": ACCEPT,
  "hops-and-expires-out-of-range": ACCEPT,
  "no-hops-left": ACCEPT,
  "response-with-two-vias": ACCEPT,
  "unknown-authorization-scheme": ACCEPT,
  "unknown-body-type": ACCEPT,
  "unknown-request-uri-scheme": ACCEPT,
  "unknown-required-extension": ACCEPT,
};

const read = (path: string): Uint8Array => readFileSync(new URL(`${path}.sip`, FOLDER));

function check(folder: string, table: Readonly<Record<string, Outcome>>): void {
  const files = readdirSync(new URL(`${folder}/`, FOLDER)).map((file) => file.replace(/\.sip$/, ""));
  assert.deepEqual(files.sort(), Object.keys(table).sort());
  for (const [name, [udp, tcp]] of Object.entries(table)) {
    const bytes = read(`${folder}/${name}`);
    assert.equal(overUdp(bytes), udp, `${name} over UDP`);
    assert.equal(overTcp(bytes), tcp, `${name} over TCP`);
  }
}

test("[R4475-1] our own odd but valid messages are accepted", () => check("valid", VALID));
test("[R4475-2] our own malformed messages are refused as they should be", () => check("invalid", INVALID));
test("[R4475-3] our own framing errors close a stream", () => {
  for (const name of ["negative", "overflow", "twice"])
    assert.equal(overTcp(read(`invalid/content-length-${name}`)), "close", name);
});
test("well-formed messages that only a layer above may refuse pass the parser", () =>
  check("layered", LAYERED));

const message = (name: string): SipMessage => {
  const parsed = parseSipMessage(read(`valid/${name}`));
  assert.ok(parsed.ok, name);
  return parsed.value;
};

const contact = (name: string) => {
  const parsed = parseNameAddr(message(name).headers.first("Contact")!);
  assert.ok(parsed.ok, name);
  return parsed.value;
};

test("a recording request: quoted boundary with specials, metadata first, binary and encoded parts", () => {
  const body = flattenBody(message("siprec-multipart"));
  assert.ok(body.ok);
  const [metadata, sdp, binary, text] = body.value.parts;
  assert.equal(metadata!.headers.get("Content-Disposition"), "recording-session; handling=required");
  assert.match(Buffer.from(metadata!.body).toString(), /^<\?xml .*<\/recording>\r\n$/s);
  assert.match(Buffer.from(sdp!.body).toString(), /^v=0\r\n.*a=label:inbound\r\n$/s);
  assert.equal(Buffer.from(binary!.body).toString("latin1"), "\0\xff\r\r\n--cut:here =?x\n\x80");
  assert.equal(Buffer.from(text!.body).toString(), "all done");
});

test("[R7866-11.2-1] a feature tag is reached outside the brackets, and inside them", () => {
  const outside = contact("parameter-outside-brackets");
  assert.ok(featureTag(outside.params, "+sip.src"));
  assert.equal(outside.uri, "sip:src@192.0.2.21");
  const inside = contact("parameter-inside-brackets");
  assert.ok(!featureTag(inside.params, "+sip.src"));
  const uri = parseUri(inside.uri);
  assert.ok(uri.ok && "params" in uri.value && featureTag(uri.value.params, "+sip.src"));
});

test("[R5118-1] IPv6 references are read everywhere, and asked for in a Request-URI", () => {
  assert.equal(overUdp(read("valid/ipv6-everywhere")), "accept");
  assert.equal(overUdp(read("invalid/ipv6-without-brackets")), "400 answered");
});

test("what the valid messages say is understood", () => {
  const folded = message("folded-and-compact");
  assert.equal(folded.headers.list("Via").length, 3);
  assert.equal(Buffer.from(folded.body).toString(), "ab\r\nc");
  const from = parseNameAddr(folded.headers.get("From")!);
  assert.ok(from.ok);
  assert.deepEqual([from.value.displayName, from.value.params.get("tag")], ['Desk "12" \\', "77ab"]);
  assert.equal(message("many-vias").headers.list("Via").length, 48);
  const ipv6 = message("ipv6-everywhere");
  const uri = parseSipUri(ipv6.kind === "request" ? ipv6.uri : "");
  assert.ok(uri.ok);
  assert.deepEqual([uri.value.host, uri.value.port], ["2001:db8::5:5060", 5070]);
});
