import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { featureTag } from "./feature-tag.ts";
import { formatNameAddr, type NameAddr, parseContact, parseNameAddr } from "./name-addr.ts";
import { parseUri } from "./uri.ts";

const read = (text: string): NameAddr => {
  const address = parseNameAddr(text);
  assert.ok(address.ok, `${text}: ${address.ok ? "" : address.error.message}`);
  return address.value;
};

const arbToken = fc.stringMatching(/^[a-z0-9\-.!%*_+`'~]{1,8}$/);
const arbLineText = fc.string({ minLength: 1, maxLength: 12 }).map((text) => text.replace(/[\r\n]/g, ""));
const arbNameAddr: fc.Arbitrary<NameAddr> = fc
  .record({
    displayName: fc.option(
      arbLineText.filter((text) => text !== ""),
      { nil: undefined },
    ),
    uri: fc.constantFrom(
      "sip:a@example.com",
      "sips:[2001:db8::1]:5061;lr",
      "tel:+1555",
      "sip:a@h;x=1?Route=%3Csip:b%3E",
    ),
    params: fc.array(fc.tuple(arbToken, fc.option(arbLineText)), { maxLength: 4 }),
  })
  .map(({ displayName, uri, params }) => ({
    ...(displayName === undefined ? {} : { displayName }),
    uri,
    params: new Map(params),
  }));

test("[R3261-20.10-2] every address we can build survives format then parse", () => {
  fc.assert(
    fc.property(arbNameAddr, (address) => {
      assert.deepEqual(parseNameAddr(formatNameAddr(address)), { ok: true, value: address });
    }),
  );
});

test("[R3261-20.10-1] without brackets parameters belong to the header, inside brackets to the URI", () => {
  const bare = read("sip:watson@example.com;unknownparam;tag=1");
  assert.equal(bare.uri, "sip:watson@example.com");
  assert.deepEqual(
    [...bare.params],
    [
      ["unknownparam", null],
      ["tag", "1"],
    ],
  );
  const bracketed = read("<sip:watson@example.com;unknownparam>;tag=1");
  assert.equal(bracketed.uri, "sip:watson@example.com;unknownparam");
  assert.deepEqual([...bracketed.params], [["tag", "1"]]);
  for (const bad of ["sip:a@example.com?Route=%3Csip:b%3E", "sip:a,b@example.com"])
    assert.ok(!parseNameAddr(bad).ok, bad);
});

test("display names: quoted, bare, of several words, without a blank, empty", () => {
  assert.equal(read('"J Rosenberg \\\\\\"" <sip:j@h>').displayName, 'J Rosenberg \\"');
  assert.equal(
    read("token1~` token2'+_ token3*%!.- <sip:m@h>").displayName,
    "token1~` token2'+_ token3*%!.-",
  );
  assert.equal(read("caller<sip:caller@h>;tag=3").displayName, "caller");
  assert.equal(read("Zoë <sip:z@h>").displayName, "Zoë");
  assert.ok(!("displayName" in read('"" <sip:z@h>')));
  assert.ok(!("displayName" in read(" <sip:z@h> ")));
});

test("what would have to be guessed is refused", () => {
  const bad = [
    "",
    "<>",
    "alice",
    '"Mr. J. User <sip:j@h>',
    '"A" sip:j@h',
    "Bell, Alexander <sip:a@h>",
    '"Watson" < sip:t@h >',
    "<sip:a@h",
    "<sip:a@h>;;",
    "<sip:a@h>x",
    "<sip:a b@h>",
    '<sip:a@h>;x="y',
  ];
  for (const text of bad) assert.ok(!parseNameAddr(text).ok, text);
});

test("Contact may be a star", () => {
  assert.deepEqual(parseContact(" * "), { ok: true, value: "*" });
  assert.ok(!parseContact("*;expires=0").ok);
});

test("[R7866-11.2-1] sip.src and sip.srs are booleans: bare and TRUE say yes, FALSE and !TRUE say no", () => {
  const tag = (text: string) => featureTag(read(`<sip:src@h>${text}`).params, "+sip.src");
  for (const yes of [
    ";+sip.src",
    ';+sip.src="TRUE"',
    ';+SIP.Src="true"',
    ";+sip.src=TRUE",
    ';+sip.src="!FALSE"',
  ])
    assert.ok(tag(yes), yes);
  for (const no of [
    "",
    ';+sip.src="FALSE"',
    ';+sip.src="!TRUE"',
    ';+sip.src="<yes>"',
    ";sip.src",
    ';+sip.src=""',
  ])
    assert.ok(!tag(no), no);
});

test("a feature tag that strayed into the brackets can be reached as a URI parameter", () => {
  const uri = parseUri(read("<sip:src@h;+sip.src>").uri);
  assert.ok(uri.ok && "params" in uri.value && featureTag(uri.value.params, "+sip.src"));
});

test("[R3840-5-1] tags outside the base set are written with a plus, and values of tags always quoted", () => {
  const params = new Map<string, string | null>([
    ["+sip.src", null],
    ["+sip.instance", "<urn:uuid:f81d4fae>"],
    ["+sip.srs", "TRUE"],
    ["methods", "INVITE"],
    ["expires", "60"],
  ]);
  assert.equal(
    formatNameAddr({ uri: "sip:a@h", params }),
    '<sip:a@h>;+sip.src;+sip.instance="<urn:uuid:f81d4fae>";+sip.srs="TRUE";methods="INVITE";expires=60',
  );
});
