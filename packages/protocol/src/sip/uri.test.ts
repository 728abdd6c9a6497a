import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isIpv6, parseHostPort } from "./host.ts";
import { percentDecode } from "./percent.ts";
import { formatSipUri, parseSipUri, parseUri, type SipUri } from "./uri.ts";

const read = (text: string): SipUri => {
  const uri = parseSipUri(text);
  assert.ok(uri.ok, `${text}: ${uri.ok ? "" : uri.error.message}`);
  return uri.value;
};

const arbHost = fc.constantFrom(
  "example.com",
  "192.0.2.1",
  "2001:db8::10",
  "::1",
  "sbc_1.voice",
  "h",
  "a.b.",
);
const arbText = fc.string({ minLength: 1, maxLength: 8, unit: "grapheme" });
const arbUri: fc.Arbitrary<SipUri> = fc
  .record({
    scheme: fc.constantFrom("sip", "sips"),
    user: fc.option(arbText, { nil: undefined }),
    password: fc.option(fc.string({ maxLength: 5 }), { nil: undefined }),
    host: arbHost,
    port: fc.option(fc.nat(65535), { nil: undefined }),
    params: fc.array(fc.tuple(arbText, fc.option(fc.string({ maxLength: 6 }))), { maxLength: 3 }),
    headers: fc.array(fc.tuple(arbText, fc.string({ maxLength: 6 })), { maxLength: 3 }),
  })
  .map(({ scheme, user, password, host, port, params, headers }) => ({
    scheme,
    ...(user === undefined ? {} : { user }),
    ...(user === undefined || password === undefined ? {} : { password }),
    host,
    ...(port === undefined ? {} : { port }),
    params: new Map(params.map(([name, value]) => [name.toLowerCase(), value])),
    headers,
  }));

test("[R3261-19.1.1-2] every SIP URI we can build survives format then parse", () => {
  fc.assert(
    fc.property(arbUri, (uri) => {
      assert.deepEqual(parseSipUri(formatSipUri(uri)), { ok: true, value: uri });
    }),
  );
});

test("octets that are no UTF-8 come back as they were", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 12 }), (octets) => {
      const user = [...octets].map((octet) => `%${octet.toString(16).padStart(2, "0")}`).join("");
      const once = read(`sip:${user}@h`);
      assert.deepEqual(read(formatSipUri(once)), once);
      const back = percentDecode(formatSipUri(once).slice(4, -2).replace(/%/g, "%25"))!;
      assert.equal(decodeURIOctets(back), [...octets].join());
    }),
  );
  assert.notEqual(read("sip:%e9@h").user, read("sip:%ea@h").user);
});

/** Octets of a text of escapes and bare characters. */
function decodeURIOctets(text: string): string {
  const octets: number[] = [];
  for (let i = 0; i < text.length; i++) {
    if (text[i] !== "%") octets.push(text.charCodeAt(i));
    else {
      octets.push(Number.parseInt(text.slice(i + 1, i + 3), 16));
      i += 2;
    }
  }
  return octets.join();
}

test("parts of a full URI are decoded", () => {
  const uri = read(
    "SIPS:sips%3Auser%40x:p%3aw@Example.COM:5061;Transport=TCP;lr;%6Cx=v%25?Subject=a%20b&To=%3Csip:c%3E",
  );
  assert.deepEqual(uri, {
    scheme: "sips",
    user: "sips:user@x",
    password: "p:w",
    host: "Example.COM",
    port: 5061,
    params: new Map([
      ["transport", "TCP"],
      ["lr", null],
      ["lx", "v%"],
    ]),
    headers: [
      ["Subject", "a b"],
      ["To", "<sip:c>"],
    ],
  });
});

test("a user part keeps semicolons and question marks, and may hold NUL", () => {
  assert.equal(read("sip:user;par=u%40example.net@example.com").user, "user;par=u@example.net");
  assert.equal(read("sip:a?b/;c@example.com").user, "a?b/;c");
  assert.equal(read("sip:null-%00-null@example.com").user, "null-\0-null");
});

test("[R5118-4.3-1] a port is never guessed out of an IPv6 address, which needs brackets", () => {
  assert.deepEqual(parseHostPort("[2001:db8::10:5070]"), { ok: true, value: { host: "2001:db8::10:5070" } });
  assert.deepEqual(parseHostPort("[2001:db8::10]:5070"), {
    ok: true,
    value: { host: "2001:db8::10", port: 5070 },
  });
  assert.ok(!parseSipUri("sip:2001:db8::10").ok);
  assert.ok(!parseSipUri("sip:[2001:db8::10").ok);
  assert.ok(!parseSipUri("sip:[2001:db8::10]5060").ok);
  assert.equal(read("sip:user@[2001:db8:::192.0.2.1]").host, "2001:db8::192.0.2.1");
});

test("the shape of an IPv6 address", () => {
  for (const good of [
    "::",
    "::1",
    "1::",
    "fe80::1%eth0",
    "1:2:3:4:5:6:7:8",
    "::ffff:192.0.2.1",
    "1:2:3:4:5:6:192.0.2.1",
  ])
    assert.ok(isIpv6(good), good);
  for (const bad of [
    "1",
    "1:2",
    "1::2::3",
    "12345::",
    "1:2:3:4:5:6:7:8:9",
    ":1:2:3:4:5:6:7",
    "::g",
    "192.0.2.1",
    "",
  ])
    assert.ok(!isIpv6(bad), bad);
});

test("what is no SIP URI is refused", () => {
  const bad = [
    "",
    "sip:",
    "sip:@h",
    "http://h",
    "sip:a b@h",
    "sip:a@h:99999",
    "sip:a@h:",
    "sip:a@-h",
    "sip:a@h;",
    "sip:a@h;=x",
    "sip:%zz@h",
    "sip:a@h?x",
    "sip:a@b@c",
    "<sip:a@h>",
    'sip:"a"@h',
    "sip:a@h\r\nX: y",
    "sip:a@h\0",
  ];
  for (const text of bad) assert.ok(!parseSipUri(text).ok, text);
});

test("other schemes are kept, telephone numbers taken apart", () => {
  assert.deepEqual(parseUri("tel:+1-201-555-0123;phone-context=example.com"), {
    ok: true,
    value: {
      scheme: "tel",
      number: "+1-201-555-0123",
      params: new Map([["phone-context", "example.com"]]),
      uri: "tel:+1-201-555-0123;phone-context=example.com",
    },
  });
  assert.deepEqual(parseUri("Soap.Beep://192.0.2.1/x"), {
    ok: true,
    value: { scheme: "other", name: "soap.beep", uri: "Soap.Beep://192.0.2.1/x" },
  });
  for (const bad of ["", "noscheme", ":x", "1a:x", "tel:", "urn: x"]) assert.ok(!parseUri(bad).ok, bad);
});
