import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ParameterError } from "./errors.ts";
import { choice, clearable, integer, list, readFields, required, text, url } from "./fields.ts";
import { FormProblem, formOfJson, parseForm } from "./form.ts";

test("forms: blanks as %20 or +, repeated names in order", () => {
  const form = parseForm("Name=my%20fork&Name=b+c&Empty=&Bare");
  assert.deepEqual(
    form,
    new Map([
      ["Name", ["my fork", "b c"]],
      ["Empty", [""]],
      ["Bare", [""]],
    ]),
  );
});

test("JSON says the same things as a form", () => {
  const form = formOfJson('{"A":"x","N":5,"B":true,"Z":null,"L":["a","b"],"E":[]}');
  assert.deepEqual(
    form,
    new Map([
      ["A", ["x"]],
      ["N", ["5"]],
      ["B", ["true"]],
      ["Z", [""]],
      ["L", ["a", "b"]],
      ["E", [""]],
    ]),
  );
  assert.deepEqual(formOfJson("  "), new Map());
  for (const bad of ["{", "[]", "1", '{"a":{"b":1}}', '{"a":[[1]]}'])
    assert.ok(formOfJson(bad) instanceof FormProblem, bad);
  assert.deepEqual([...(formOfJson('{"__proto__":"x"}') as Map<string, unknown>).keys()], ["__proto__"]);
});

test("bodies are bounded, and no text whatever makes the parsers throw", () => {
  assert.ok(parseForm("a=1&".repeat(1001)) instanceof FormProblem);
  fc.assert(
    fc.property(fc.string(), (text) => {
      parseForm(text);
      formOfJson(text);
    }),
  );
});

const FIELDS = {
  Must: required(text({ code: 1, max: 5 }), 2),
  Count: integer({ code: 3, min: 1, max: 9 }),
  Word: choice(["GET", "POST"], { code: 4 }),
  Many: list(text({ code: 5 }), { max: 3, separator: /,/ }),
  Link: url(6),
  Gone: clearable(text({ code: 7 })),
};

const read = (query: string) => readFields(FIELDS, parseForm(query) as Map<string, string[]>);
const refused = (query: string, code: number, message: RegExp) =>
  assert.throws(
    () => read(query),
    (error: unknown) =>
      error instanceof ParameterError && error.publicCode === code && message.test(error.message),
    query,
  );

test("fields become values; what is not asked for is ignored", () => {
  assert.deepEqual(
    read("Must=a&Count=3&Word=post&Many=a,b&Many=c&Link=https://x.example/%23rc=2&Gone=&Other=1"),
    {
      Must: "a",
      Count: 3,
      Word: "POST",
      Many: ["a", "b", "c"],
      Link: "https://x.example/#rc=2",
      Gone: null,
    },
  );
  assert.deepEqual(read("Must=a&Count=&Many="), {
    Must: "a",
    Count: undefined,
    Word: undefined,
    Many: [],
    Link: undefined,
    Gone: undefined,
  });
});

test("a wrong field is refused with its own code and says what would be right", () => {
  refused("", 2, /^Must is required$/);
  refused("Must=", 2, /^Must is required$/);
  refused("Must=abcdef", 1, /^Must must be 5 characters at most$/);
  refused("Must=a%00", 1, /control/);
  refused("Must=a%0d%0aX:y", 1, /control/);
  refused("Must=a&Must=b", 1, /more than once/);
  refused("Must=a&Count=0", 3, /whole number from 1 to 9/);
  refused("Must=a&Count=1e3", 3, /whole number/);
  refused("Must=a&Word=PUT", 4, /one of GET, POST/);
  refused("Must=a&Many=a,b,c,d", 5, /3 times at most/);
  for (const link of ["x", "/relative", "ftp://x", "javascript:alert(1)", "http://", "https://a b/"])
    refused(`Must=a&Link=${encodeURIComponent(link)}`, 6, /absolute http or https URL/);
});
