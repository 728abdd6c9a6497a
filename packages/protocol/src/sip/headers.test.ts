import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SipHeaders, splitList } from "./headers.ts";

test("[R3261-7.3-1] names compare without case, and compact forms equal the long ones", () => {
  const headers = new SipHeaders([
    ["v", "SIP/2.0/UDP a"],
    ["VIA", "SIP/2.0/UDP b"],
    ["X-Custom", "1"],
    ["l", "5"],
  ]);
  assert.deepEqual(headers.lines("Via"), ["SIP/2.0/UDP a", "SIP/2.0/UDP b"]);
  assert.equal(headers.get("x-cUSTOM"), "1");
  assert.equal(headers.get("Content-Length"), "5");
  assert.deepEqual([...headers.entries()][0], ["Via", "SIP/2.0/UDP a"]);
  assert.ok(!headers.has("constructor"));
});

test("[R3261-7.3.1-2] lines of one name and a comma-separated line are the same list", () => {
  const headers = new SipHeaders([
    ["Route", "<sip:a;lr>, <sip:b?x=1,2>"],
    ["Route", '"Doe, John" <sip:c>'],
  ]);
  assert.deepEqual(headers.list("route"), ["<sip:a;lr>", "<sip:b?x=1,2>", '"Doe, John" <sip:c>']);
  assert.equal(headers.first("Route"), "<sip:a;lr>");
  assert.equal(headers.first("Record-Route"), undefined);
});

test("empty list elements are passed over, a backslash quotes inside quotes only", () => {
  assert.deepEqual(splitList(" , a,, b ,"), ["a", "b"]);
  assert.deepEqual(splitList('"a\\",b", c\\, d'), ['"a\\",b"', "c\\", "d"]);
  assert.deepEqual(splitList(""), []);
});

test("set keeps the place of the first line, prepend goes before it, delete takes all", () => {
  const headers = new SipHeaders([
    ["X-A", "1"],
    ["X-B", "2"],
    ["x-a", "3"],
    ["X-C", "4"],
  ]);
  headers.set("X-A", ["x", "y"]);
  assert.deepEqual(headers.lines("X-A"), ["x", "y"]);
  assert.deepEqual(
    [...headers.entries()].map(([name]) => name),
    ["X-A", "X-A", "X-B", "X-C"],
  );
  headers.prepend("X-B", "0").prepend("Via", "top");
  assert.equal([...headers.entries()][0]![0], "Via");
  assert.deepEqual(headers.lines("X-B"), ["0", "2"]);
  const copy = headers.clone();
  headers.delete("x-b");
  assert.ok(!headers.has("X-B"));
  assert.deepEqual(copy.lines("X-B"), ["0", "2"]);
});

test("splitting and joining is stable for any text", () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const once = splitList(text);
      for (const value of once) assert.notEqual(value, "");
    }),
  );
});
