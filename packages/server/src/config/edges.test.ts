import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { loadConfig } from "./load.ts";

function load(t: TestContext, { file, env = {} }: { file?: string; env?: Record<string, string> }) {
  const cwd = mkdtempSync(join(tmpdir(), "callfork-edges-"));
  t.after(() => rmSync(cwd, { recursive: true }));
  if (file !== undefined) writeFileSync(join(cwd, "callfork.yaml"), file);
  return loadConfig({ cwd, env });
}

test("edges: from callfork.yaml, and the same in JSON from the environment", (t) => {
  const yaml = `
edges:
  - name: Dublin
    sip: ["udp:192.0.2.7:5062", "tcp:192.0.2.7:5062"]
    publicAddress: 198.51.100.7
    rtpAddress: 192.0.2.8
    rtpPorts: 20000-20999
    outboundProxy: sip:proxy.example.com;transport=tcp
  - name: tokyo
    sip: ["tls:[2001:db8::7]:5061"]
tls: { certificate: [a.pem], key: [a.key] }
`;
  const json = JSON.stringify([
    {
      name: "dublin",
      sip: ["udp:192.0.2.7:5062", "tcp:192.0.2.7:5062"],
      publicAddress: "198.51.100.7",
      rtpAddress: "192.0.2.8",
      rtpPorts: "20000-20999",
      outboundProxy: "sip:proxy.example.com;transport=tcp",
    },
    { name: "tokyo", sip: ["tls:[2001:db8::7]:5061"] },
  ]);
  const [fromFile, fromEnvironment] = [
    load(t, { file: yaml }),
    load(t, {
      env: { CALLFORK_EDGES: json, CALLFORK_TLS_CERTIFICATE: "a.pem", CALLFORK_TLS_KEY: "a.key" },
    }),
  ];
  assert.ok(fromFile.ok && fromEnvironment.ok);
  assert.deepEqual(fromFile.value.edges, fromEnvironment.value.edges);
  assert.deepEqual(fromFile.value.edges, [
    {
      name: "dublin",
      sipListen: [
        { transport: "udp", address: "192.0.2.7", port: 5062 },
        { transport: "tcp", address: "192.0.2.7", port: 5062 },
      ],
      publicAddress: "198.51.100.7",
      rtpAddress: "192.0.2.8",
      rtpPorts: { first: 20_000, last: 20_999 },
      outboundProxy: "sip:proxy.example.com;transport=tcp",
    },
    {
      name: "tokyo",
      sipListen: [{ transport: "tls", address: "2001:db8::7", port: 5061 }],
      publicAddress: undefined,
      rtpAddress: "2001:db8::7",
      rtpPorts: undefined,
      outboundProxy: undefined,
    },
  ]);
});

test("edges: all that is wrong with all of them is said at once, with its place", (t) => {
  const found = load(t, {
    file: `
edges:
  - { name: "du blin", sip: ["udp:0.0.0.0:5062"], rtpPorts: 7-9 }
  - { name: tokyo, sip: ["ws:192.0.2.7:80"], outboundProxy: "sip:p?a=b" }
  - { name: Tokyo, sip: ["udp:192.0.2.9:5060"], rtpAddress: host.example.com }
`,
  });
  assert.ok(!found.ok);
  const [problem] = found.error;
  assert.equal(problem?.path, "callfork.yaml: edges");
  for (const part of [
    "[0].name must be letters",
    '[0].sip "udp:0.0.0.0:5062" must name one address',
    "[0].rtpPorts must be two ports",
    '[1].sip "ws:192.0.2.7:80"',
    "[1].outboundProxy must not carry headers",
    "[2].name is taken: Tokyo",
    "[2].rtpAddress must be a numeric",
  ]) {
    assert.ok(problem?.message.includes(part), `${part} in ${problem?.message}`);
  }
});

test("edges: what is no list of mappings is refused in words, and TLS needs its certificate here as well", (t) => {
  const cases: [Parameters<typeof load>[1], RegExp][] = [
    [{ env: { CALLFORK_EDGES: "dublin" } }, /a list: a mapping of name, sip, publicAddress/],
    [{ file: "edges: [{ name: a }]" }, /a list: a mapping of name/],
    [{ file: "edges: [{ name: a, sip: ['udp:192.0.2.7:5060'], colour: red }]" }, /a mapping of name/],
    [{ file: "edges: [{ name: a, sip: ['tls:192.0.2.7:5061'] }]" }, /is needed for the tls: listener/],
  ];
  for (const [sources, message] of cases) {
    const found = load(t, sources);
    assert.match(found.ok ? "" : (found.error[0]?.message ?? ""), message);
  }
});
