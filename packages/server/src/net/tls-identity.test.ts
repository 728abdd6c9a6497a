import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { certificateNames, namesDomain } from "./tls-identity.ts";

test("[R5922-7.1-1] sip URIs without user come first, DNS names only when there is none; no wildcard, no suffix, any case", () => {
  for (const [subjectAltName, domains] of [
    ["DNS:example.com", ["example.com"]],
    ["URI:sip:Example.COM, DNS:other.example.com", ["example.com"]],
    ["URI:sip:example.com:5061, URI:sip:two.example.com;transport=tls", ["example.com", "two.example.com"]],
    ["URI:sip:alice@example.com, DNS:host.example.com", ["host.example.com"]],
    ["URI:sips:example.com, DNS:host.example.com", ["host.example.com"]],
    ["URI:https://example.com/, DNS:host.example.com.", ["host.example.com"]],
    ["DNS:*.example.com, DNS:example.com", ["example.com"]],
    ["DNS:*.example.com", []],
    ['DNS:"a.example, DNS:b.example", DNS:c.example', ["a.example, dns:b.example", "c.example"]],
    ['DNS:a.example, DNS:"b', []],
    ["IP Address:192.0.2.1", []],
    [undefined, []],
    ["", []],
  ] as const) {
    assert.deepEqual(certificateNames(subjectAltName).domains, domains, subjectAltName);
  }
});

test("[R5922-7.2-1] a domain is named when it is one of them as a whole", () => {
  const names = certificateNames("DNS:example.com, IP Address:192.0.2.1, IP Address:2001:DB8:0:0:0:0:0:1");
  for (const domain of ["example.com", "EXAMPLE.com", "example.com.", "192.0.2.1", "2001:db8::1"]) {
    assert.ok(namesDomain(names, domain), domain);
  }
  for (const domain of ["sip.example.com", "ample.com", "example.com.evil", "192.0.2.2", "2001:db8::2", ""]) {
    assert.ok(!namesDomain(names, domain), domain);
  }
  assert.ok(namesDomain(certificateNames("URI:sip:192.0.2.9, DNS:a.example"), "192.0.2.9"));
  assert.ok(namesDomain(certificateNames("URI:sip:[2001:db8::9]:5061"), "2001:db8:0::9"));
});

test("whatever stands in a certificate, reading it neither throws nor takes long", () => {
  const part = fc.constantFrom(
    "DNS:",
    "URI:sip:",
    '"',
    ", ",
    "\\",
    "*",
    "a.example",
    "[",
    "]",
    "@",
    ":",
    "IP Address:",
    "::1%",
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(part, fc.string())), (parts) => {
      const { domains } = certificateNames(parts.join(""));
      for (const domain of domains) assert.ok(!domain.includes("*") && domain !== "");
    }),
  );
  certificateNames("a".repeat(200_000));
  certificateNames(`DNS:"${"\\\\".repeat(100_000)}`);
});
