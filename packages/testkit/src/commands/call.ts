import { setTimeout as wait } from "node:timers/promises";
import { readAccountFile } from "@callfork/server/app";
import { type Command, readCommandLine, UsageError } from "@callfork/server/cli";
import { type PhoneCall, TestPhone } from "../phone/phone.ts";
import { loadVoice } from "../phone/voices.ts";
import { type RestAccess, rest } from "./rest.ts";

const DEFAULT_SECONDS = 120;

export const call: Command = {
  help: `usage: callfork call [options]

Opens two test phones on this machine, Alice and Bob, and has the server at --public-url connect them by its REST
interface; both speak until Ctrl-C, until one hangs up, or for --seconds. Credentials come from CALLFORK_ACCOUNT_SID
and CALLFORK_AUTH_TOKEN, else from the data dir.

  --seconds N         how long they talk [${DEFAULT_SECONDS}]
  --to TARGET         Alice talks to this number (through a trunk) or SIP URI instead of Bob
  --dial SIP_URI      Alice calls this URI of the server herself (sip:100@127.0.0.1:5060): a number with its own document
  --codec PCMU|PCMA   what the phones speak [PCMU]
  --data-dir FOLDER   the server's data dir, for its credentials [./data]
  --public-url URL    the server's REST interface [from its settings]`,
  async run(argv) {
    const { config, values } = readCommandLine(argv, {
      seconds: { type: "string" },
      to: { type: "string" },
      dial: { type: "string" },
      codec: { type: "string" },
    });
    const seconds = Number(values.seconds ?? DEFAULT_SECONDS);
    if (!(seconds > 0 && seconds <= 86_400)) throw new UsageError("--seconds must lie between 1 and 86400");
    const codec = String(values.codec ?? "PCMU").toUpperCase();
    if (codec !== "PCMU" && codec !== "PCMA") throw new UsageError("--codec must be PCMU or PCMA");

    const alice = await TestPhone.open({
      user: "alice",
      displayName: "Alice",
      voice: loadVoice("alice"),
      codec,
    });
    const bob = await TestPhone.open({ user: "bob", displayName: "Bob", voice: loadVoice("bob"), codec });
    try {
      if (values.dial !== undefined) return await dialIn(alice, String(values.dial), seconds);
      const access = accessOf(config);
      const to = values.to === undefined ? bob.uri : String(values.to);
      const answered = alice.nextCall();
      const { sid } = await rest<{ sid: string }>(access, "POST", `${accountPath(access)}/Calls.json`, {
        To: alice.uri,
        From: bob.uri,
        Twiml: dialDocument(to),
      });
      const live = await Promise.race([answered, wait(10_000, undefined, { ref: false })]);
      if (live === undefined)
        throw new Error(`call ${sid} did not reach Alice's phone in 10 s: see the server's log`);
      console.log(`Call ${sid}: Alice (${alice.uri}) and ${to} are connected.

Fork it:      curl -u "$(npx callfork account)" -d ConnectorName=CONNECTOR \\
                ${access.url}${accountPath(access)}/Calls/${sid}/Siprec.json
Hang up:      Ctrl-C, or wait ${seconds} s`);
      await talk(live, seconds);
      return 0;
    } finally {
      await Promise.all([alice.close(), bob.close()]);
    }
  },
};

async function dialIn(alice: TestPhone, uri: string, seconds: number): Promise<number> {
  console.log(`Alice calls ${uri} …`);
  const live = await alice.call(uri, { timeoutMs: 30_000 });
  console.log(`Connected (Call-ID ${live.callId}). Ctrl-C hangs up; so do ${seconds} s.`);
  await talk(live, seconds);
  return 0;
}

/** Until the time is over, the other side hangs up, or Ctrl-C; tells what was heard. */
async function talk(live: PhoneCall, seconds: number): Promise<void> {
  const interrupted = new Promise<"interrupted">((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve("interrupted"));
  });
  const over = await Promise.race([live.ended, interrupted, wait(seconds * 1_000, "time", { ref: false })]);
  const { packets, lost } = live.heard();
  await live.hangUp();
  const ending = over === "remote" ? "The server ended the call." : "Hung up.";
  console.log(`${ending} Alice sent ${live.packetsSent} packets, heard ${packets}, missed ${lost}.`);
}

const accountPath = ({ accountSid }: RestAccess): string => `/2010-04-01/Accounts/${accountSid}`;

function accessOf(config: {
  readonly publicUrl: string;
  readonly dataDir: string;
  readonly accountSid: string | undefined;
  readonly authToken: string | undefined;
}): RestAccess {
  const kept = readAccountFile(config.dataDir);
  const accountSid = config.accountSid ?? kept?.accountSid;
  const authToken = config.authToken ?? kept?.authToken;
  if (accountSid === undefined || authToken === undefined) {
    throw new UsageError(
      `no credentials: ${config.dataDir}/account.json is not there. Start "callfork serve" first, or set CALLFORK_ACCOUNT_SID and CALLFORK_AUTH_TOKEN`,
    );
  }
  return { url: config.publicUrl, accountSid, authToken };
}

/** Connects whoever runs this document with a number or a SIP URI. */
export function dialDocument(to: string): string {
  const escaped = to.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  const noun = /^sips?:/i.test(to) ? `<Sip>${escaped}</Sip>` : `<Number>${escaped}</Number>`;
  return `<Response><Dial answerOnBridge="true">${noun}</Dial></Response>`;
}
