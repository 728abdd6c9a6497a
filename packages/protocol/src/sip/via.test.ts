import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatVia, parseVia, type Via } from "./via.ts";

const arbToken = fc.stringMatching(/^[a-z0-9\-.!%*_+`'~]{1,8}$/);
const arbVia: fc.Arbitrary<Via> = fc
  .record({
    transport: fc.constantFrom("UDP", "TCP", "TLS", "SCTP", "UNKNOWN"),
    host: fc.constantFrom("example.com", "192.0.2.1", "2001:db8::10"),
    port: fc.option(fc.nat(65535), { nil: undefined }),
    params: fc.array(fc.tuple(arbToken, fc.option(fc.string({ maxLength: 8 }))), { maxLength: 4 }),
  })
  .map(({ port, params, ...rest }) => ({
    ...rest,
    ...(port === undefined ? {} : { port }),
    params: new Map(params.map(([name, value]) => [name, value?.replace(/[\r\n]/g, "") ?? null])),
  }));

test("[R3261-20.42-1] every Via we can build survives format then parse", () => {
  fc.assert(
    fc.property(arbVia, (via) => {
      assert.deepEqual(parseVia(formatVia(via)), { ok: true, value: via });
    }),
  );
});

test("blanks may stand round slashes, colon, equals sign and semicolons", () => {
  assert.deepEqual(
    parseVia("SIP  / 2.0  / TCP     spindle.example.com : 5060  ;  branch  =   z9hG4bK9ikj8  ;rport"),
    {
      ok: true,
      value: {
        transport: "TCP",
        host: "spindle.example.com",
        port: 5060,
        params: new Map([
          ["branch", "z9hG4bK9ikj8"],
          ["rport", null],
        ]),
      },
    },
  );
});

test("[R5118-4.5-1] received is read with and without brackets and written without", () => {
  for (const text of ["2001:db8::9:255", "[2001:db8::9:255]"]) {
    const via = parseVia(`SIP/2.0/UDP [2001:db8::9:1];received=${text};branch=z9hG4bKas3`);
    assert.ok(via.ok);
    assert.equal(via.value.params.get("received"), "2001:db8::9:255");
    assert.equal(
      formatVia(via.value),
      "SIP/2.0/UDP [2001:db8::9:1];received=2001:db8::9:255;branch=z9hG4bKas3",
    );
  }
});

test("another protocol is kept, so that its refusal finds the way back", () => {
  const via = parseVia("SIP/7.0/UDP c.example.com;branch=z9hG4bKkdjuw");
  assert.ok(via.ok);
  assert.equal(via.value.protocol, "SIP/7.0");
  assert.equal(formatVia(via.value), "SIP/7.0/UDP c.example.com;branch=z9hG4bKkdjuw");
});

test("what is no Via is refused", () => {
  const bad = [
    "",
    "SIP/2.0/UDP",
    "SIP/2.0 a",
    "SIP/2.0/UDP 192.0.2.15;;,;,,",
    "SIP/2.0/UDP a b",
    "SIP/2.0/UDP a:b",
    "/2.0/UDP a",
  ];
  for (const text of [...bad, `SIP/2.0/UDP a;b="c`]) assert.ok(!parseVia(text).ok, text);
});
