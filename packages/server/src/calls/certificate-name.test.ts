import assert from "node:assert/strict";
import { test } from "node:test";
import { readCertificateName } from "./certificate-name.ts";

test("[R5922-7.2-1] names of certificates have one spelling; wildcards and users stand for nobody", () => {
  for (const [text, name] of [
    ["PBX.example.com.", "pbx.example.com"],
    ["sip:pbx.example.com", "pbx.example.com"],
    ["SIP:Pbx.Example.Com", "pbx.example.com"],
    ["localhost", "localhost"],
    ["192.0.2.7", "192.0.2.7"],
    ["sip:[2001:DB8:0::1]", "2001:db8::1"],
    ["2001:db8::1", "2001:db8::1"],
    ["*.example.com", undefined],
    ["sip:alice@example.com", undefined],
    ["sips:example.com", undefined],
    ["sip:example.com:5061", undefined],
    ["https://example.com", undefined],
    ["fe80::1%eth0", undefined],
    ["a..b", undefined],
    ["-a.example.com", undefined],
    ["", undefined],
    [`${"a".repeat(64)}.example.com`, undefined],
  ] as const) {
    assert.equal(readCertificateName(text), name, text);
  }
});
