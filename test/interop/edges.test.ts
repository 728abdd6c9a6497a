import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Capture, tshark } from "./support/capture.ts";
import { converse } from "./support/conversation.ts";
import { Customer } from "./support/customer.ts";
import { Kamailio } from "./support/kamailio.ts";
import { Owned } from "./support/owned.ts";
import { freePort } from "./support/ports.ts";
import { without, withoutCapture } from "./support/programs.ts";
import { TestServer } from "./support/server.ts";
import { until } from "./support/waiting.ts";

const EDGE = "127.0.0.2";
const RTP = { first: 23_400, last: 23_499 };
const RECORDER_RTP = { first: 23_600, last: 23_699 };

const owned = new Owned();
let server: TestServer;
let recorder: TestServer;
let customer: Customer;
let edgePort: number;
let kamailio: Kamailio | undefined;

/** One packet of a capture. */
interface Seen {
  readonly from: string;
  readonly to: string;
  readonly text: string;
}

/** Requests of one method in a capture, with their source, from the platform to the recorder. */
function requests(file: string, method: string, toPort: number): Seen[] {
  const fields = [
    "ip.src",
    "tcp.srcport",
    "udp.srcport",
    "sip.Via",
    "sip.Contact",
    "sip.From",
    "sdp.connection_info",
  ];
  const rows = tshark(
    file,
    ...[
      "-d",
      `tcp.port==${toPort},sip`,
      "-Y",
      `sip.Method == "${method}" && (tcp.dstport == ${toPort} || udp.dstport == ${toPort})`,
    ],
    ...["-T", "fields", "-E", "separator=|", ...fields.flatMap((field) => ["-e", field])],
  );
  return rows
    .split("\n")
    .filter((row) => row !== "")
    .map((row) => ({ from: row.split("|")[0] ?? "", to: "", text: row }));
}

describe("recording sessions that leave from an edge", { skip: withoutCapture() }, () => {
  before(async () => {
    recorder = await TestServer.start(owned, {
      command: "record",
      flags: ["--rtp-ports", `${RECORDER_RTP.first}-${RECORDER_RTP.last}`],
    });
    edgePort = await freePort();
    const proxyPort = await freePort();
    kamailio = without("kamailio")
      ? undefined
      : await Kamailio.start(owned, { target: `sip:127.0.0.1:${recorder.sipPort};transport=tcp` });
    server = await TestServer.start(owned, {
      flags: ["--rtp-ports", "23200-23399"],
      env: {
        CALLFORK_EDGES: JSON.stringify([
          {
            name: "dublin",
            sip: [`udp:${EDGE}:${edgePort}`, `tcp:${EDGE}:${edgePort}`],
            rtpPorts: `${RTP.first}-${RTP.last}`,
          },
          {
            name: "behind-proxy",
            sip: [`udp:127.0.0.3:${edgePort}`, `tcp:127.0.0.3:${edgePort}`],
            outboundProxy: `sip:127.0.0.1:${kamailio?.port ?? proxyPort};transport=tcp`,
          },
        ]),
      },
    });
    customer = await Customer.open(owned);
    await server.connector("plain", recorder.recorderUri);
    await server.connector("by-uri", `${recorder.recorderUri};edge=Dublin`);
    const form = { UniqueName: "by-field", SipUri: recorder.recorderUri, Edge: "dublin" };
    await server.post("/v1/Connectors", form);
  });
  after(() => owned.release());

  it("signalling and media of all ways to name an edge have its address; Via, Contact and SDP tell it", async (t) => {
    const capture = await Capture.start(
      t,
      `tcp port ${recorder.sipPort} or udp portrange ${RTP.first}-${RTP.last}`,
    );
    const verbs = '<Start><Siprec name="by-twiml" connectorName="plain" edge="dublin"/></Start>';
    const { callSid, alice } = await converse(t, server, { verbs });
    const path = `/2010-04-01/Accounts/${server.accountSid}/Calls/${callSid}/Siprec.json`;
    for (const [connector, more] of [
      ["plain", {}],
      ["by-uri", {}],
      ["by-field", {}],
      ["plain", { Edge: "dublin" }],
    ] as const) {
      const form = { ConnectorName: connector, Track: "inbound_track", ...more };
      const fork = await server.post<{ sid: string }>(path, form);
      const one = path.replace(".json", `/${fork.sid}.json`);
      await until("packets at the recorder", async () => {
        const { tracks } = await server.get<{ tracks: { packets: number }[] }>(one);
        return (tracks[0]?.packets ?? 0) > 10;
      });
      await server.post(one, { Status: "stopped" });
    }
    await alice.hangUp();
    await until("the recorder having all of them", async () => {
      const { recordings } = await recorder.get<{ recordings: { status: string }[] }>("/v1/Recordings");
      return recordings.filter(({ status }) => status === "completed").length === 5;
    });
    const file = await capture.stop();

    const invites = requests(file, "INVITE", recorder.sipPort);
    // The document's, then those of the requests; the first of which names no edge.
    assert.deepEqual(
      invites.map(({ from }) => from),
      [EDGE, "127.0.0.1", EDGE, EDGE, EDGE],
    );
    for (const { from, text } of invites) {
      if (from !== EDGE) {
        assert.doesNotMatch(text, /127\.0\.0\.2/);
        continue;
      }
      const [, , , via = "", contact = "", sender = "", connection = ""] = text.split("|");
      assert.match(via, new RegExp(`SIP/2.0/TCP 127\\.0\\.0\\.2:${edgePort};`));
      assert.match(contact, new RegExp(`<sip:SRC@127\\.0\\.0\\.2:${edgePort};transport=tcp>;\\+sip\\.src`));
      assert.match(sender, /<sip:SRC@127\.0\.0\.2>/);
      assert.match(connection, /IN IP4 127\.0\.0\.2/);
    }
    const byes = requests(file, "BYE", recorder.sipPort);
    assert.deepEqual(byes.map(({ from }) => from).sort(), ["127.0.0.1", EDGE, EDGE, EDGE, EDGE]);
    // Others use the same ports of 127.0.0.1: what goes to this recorder counts.
    const range = (field: string, { first, last }: typeof RTP) =>
      `${field} >= ${first} && ${field} <= ${last}`;
    const filter = `!icmp && ${range("udp.srcport", RTP)} && ${range("udp.dstport", RECORDER_RTP)}`;
    const media = tshark(file, "-Y", filter, "-T", "fields", "-e", "ip.src");
    const sources = media.trim().split("\n");
    // Up to five RTP packets are one on the loopback interface.
    assert.ok(sources.length > 20, `${sources.length} packets`);
    assert.deepEqual(new Set(sources), new Set([EDGE]));
  });

  it("an edge's outbound proxy carries the whole dialog", { skip: without("kamailio") }, async (t) => {
    const { callSid, alice } = await converse(t, server);
    const path = `/2010-04-01/Accounts/${server.accountSid}/Calls/${callSid}/Siprec.json`;
    const fork = await server.post<{ sid: string }>(path, { ConnectorName: "plain", Edge: "behind-proxy" });
    await kamailio!.line("ACK", ({ kind, method }) => kind === "relayed" && method === "ACK");
    await alice.hangUp();
    await kamailio!.line("BYE", ({ kind, method }) => kind === "relayed" && method === "BYE");
    const [invite] = kamailio!.relayed("INVITE", "callfork");
    assert.equal(invite?.transport, "tcp");
    assert.match(invite?.text ?? "", /recorder@127\.0\.0\.1/);
    assert.equal(kamailio!.lines().filter(({ kind }) => kind === "unrouted").length, 0);
    const one = await server.get<{ status: string; error_code: number | null }>(
      path.replace(".json", `/${fork.sid}.json`),
    );
    assert.deepEqual([one.status, one.error_code], ["stopped", null]);
  });

  it("an edge that is not there: 400 by REST, an alert and siprec-error by TwiML, and the call goes on", async (t) => {
    await assert.rejects(server.connector("lost", `${recorder.recorderUri};edge=atlantis`), /400.*11241/s);
    const callback = customer.url("/atlantis");
    const verbs = `<Start><Siprec connectorName="plain" edge="atlantis" statusCallback="${callback}"/></Start>`;
    const { callSid, alice, bob } = await converse(t, server, { verbs });
    const { parameters } = await customer.called("/atlantis", { SiprecEvent: "siprec-error" });
    assert.equal(parameters.SiprecErrorCode, "11241");
    await until("the alert", async () => {
      const { alerts } = await server.get<{ alerts: { error_code: number; call_sid: string }[] }>(
        "/v1/Alerts",
      );
      return alerts.some((alert) => Number(alert.error_code) === 11241 && alert.call_sid === callSid);
    });
    const path = `/2010-04-01/Accounts/${server.accountSid}/Calls/${callSid}/Siprec.json`;
    await assert.rejects(server.post(path, { ConnectorName: "plain", Edge: "atlantis" }), /400.*11241/s);
    const before = bob.heard().packets;
    await until("Bob still hearing Alice", () => bob.heard().packets > before + 10);
    await alice.hangUp();
  });

  it("GET /v1/Edges says what a recorder's firewall must admit", async () => {
    const { edges } = await server.get<{ edges: { name: string; admit: { rule: string }[] }[] }>("/v1/Edges");
    assert.deepEqual(
      edges.map(({ name }) => name),
      ["dublin", "behind-proxy"],
    );
    const rules = edges[0]!.admit.map(({ rule }) => rule);
    assert.ok(rules.includes(`tcp from ${EDGE} any port (signalling)`), rules.join("\n"));
    assert.ok(rules.includes(`udp from ${EDGE} ports ${RTP.first}-${RTP.last} (media)`));
  });
});
