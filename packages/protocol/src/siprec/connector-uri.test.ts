import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type ConnectorUri, parseConnectorUri } from "./connector-uri.ts";

const parsed = (text: string): ConnectorUri => {
  const result = parseConnectorUri(text);
  assert.ok(result.ok, `${text}: ${result.ok ? "" : result.error.message}`);
  return result.value;
};

test("parameters may be joined by ; and by &, and secure and edge never go on the wire", () => {
  for (const text of [
    "sip:rec@example.com;secure=true;edge=ashburn",
    "sip:rec@example.com;secure=true&edge=ashburn",
    "sip:rec@example.com&edge=Ashburn&secure=TRUE",
  ]) {
    assert.deepEqual(parsed(text), {
      uri: "sip:rec@example.com;transport=tls",
      host: "example.com",
      port: 5061,
      transport: "tls",
      secure: true,
      edge: "ashburn",
      warnings: [],
    });
  }
});

test("what is left open stays open: no transport, port 5060", () => {
  const { uri, port, transport, secure, edge } = parsed("sip:+15550100@192.0.2.7");
  assert.deepEqual(
    { uri, port, transport, secure, edge },
    { uri: "sip:+15550100@192.0.2.7", port: 5060, transport: undefined, secure: false, edge: undefined },
  );
});

test("a given port wins over the transport's own", () => {
  assert.equal(parsed("sip:a@216.239.36.145:5672;transport=tls;secure=true;edge=umatilla").port, 5672);
  assert.equal(parsed("sip:a@b.example;transport=tls").port, 5061);
  assert.equal(parsed("sips:a@b.example").transport, "tls");
  assert.equal(parsed("sips:a@b.example").uri, "sips:a@b.example");
});

test("other parameters stay, in order and as written", () => {
  assert.equal(
    parsed("sip:SRS@host.example:5070;Transport=TCP&X-Tenant=A%20b;edge=x;lr").uri,
    "sip:SRS@host.example:5070;Transport=TCP;X-Tenant=A%20b;lr",
  );
});

test("a user part may hold the separators", () => {
  const { uri, host } = parsed("sip:a&b;c=d?e@[2001:DB8::1]:5080&secure=false");
  assert.equal(uri, "sip:a&b;c=d?e@[2001:DB8::1]:5080");
  assert.equal(host, "2001:db8::1");
});

test("secure that is neither true nor false counts as false and is told", () => {
  const { secure, transport, warnings } = parsed("sip:a@b.example;secure=yes");
  assert.equal(secure, false);
  assert.equal(transport, undefined);
  assert.equal(warnings.length, 1);
});

test("what cannot be called is refused with a reason", () => {
  const cases: [text: string, reason: string][] = [
    ["", "syntax"],
    ["http://example.com", "syntax"],
    ["sip:", "syntax"],
    ["sip:@example.com", "syntax"],
    ["sip:a b@example.com", "syntax"],
    ["sip:a@exa mple.com", "syntax"],
    ["sip:a@-example.com", "syntax"],
    ["sip:a@256.1.1.1", "syntax"],
    ["sip:a@1.2.3", "syntax"],
    ["sip:a@[::1", "syntax"],
    ["sip:a@[1::2::3]", "syntax"],
    ["sip:a@example.com:0", "syntax"],
    ["sip:a@example.com:65536", "syntax"],
    ["sip:a@example.com;edge", "syntax"],
    ["sip:a@example.com;edge=", "syntax"],
    ["sip:a@example.com;lr;LR", "syntax"],
    ["sip:a@example.com?X-A=b", "syntax"],
    ["sip:a@example.com;x=\r\nVia: y", "syntax"],
    ["sip:a@example.com;transport=sctp", "transport"],
    ["sip:a@example.com;transport=tcp;secure=true", "conflict"],
    ["sips:a@example.com;transport=udp", "conflict"],
    [`sip:${"a".repeat(260)}@example.com`, "tooLong"],
  ];
  for (const [text, reason] of cases) {
    const result = parseConnectorUri(text);
    assert.equal(result.ok ? `accepted as ${result.value.uri}` : result.error.reason, reason, text);
  }
});

test("whatever is configured, nothing throws, and what is accepted survives a second reading", () => {
  const soup = fc.string({
    unit: fc.constantFrom(..."sip:@;&=?.[]%2a1-\r\n secure edge transport tls"),
    maxLength: 60,
  });
  fc.assert(
    fc.property(
      fc.oneof(
        soup,
        soup.map((text) => `sip:a@b.example;${text}`),
      ),
      (text) => {
        const first = parseConnectorUri(text);
        if (!first.ok) return;
        assert.doesNotMatch(first.value.uri, /[\r\n ]|;(?:secure|edge)(?:=|;|$)/i);
        const second = parseConnectorUri(first.value.uri);
        assert.ok(second.ok);
        assert.equal(second.value.uri, first.value.uri);
        assert.equal(second.value.port, first.value.port);
      },
    ),
  );
});
