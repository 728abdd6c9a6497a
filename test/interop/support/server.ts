import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import twilio from "twilio";
import { Child } from "./child.ts";
import { freePort } from "./ports.ts";
import { type Owner, scratchFolder } from "./scratch.ts";

/** The program of the package's `bin`. */
export const CALLFORK = resolve(import.meta.dirname, "../../../packages/server/bin/callfork.mjs");

export interface TestServerOptions {
  /** More settings, as flags. */
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Default: a fresh one. */
  readonly dataDir?: string;
  readonly command?: "serve" | "record";
  /** Default: the tests' own. "kept": the one in the data dir, made at its first start. */
  readonly account?: "kept";
}

/** The platform as its users start it: a process, a data dir, ports of its own. */
export class TestServer {
  readonly child: Child;
  readonly dataDir: string;
  readonly url: string;
  readonly sipPort: number;
  readonly accountSid: string;
  readonly authToken: string;

  private constructor(child: Child, dataDir: string, url: string, sipPort: number, account: Account) {
    this.accountSid = account.accountSid;
    this.authToken = account.authToken;
    this.child = child;
    this.dataDir = dataDir;
    this.url = url;
    this.sipPort = sipPort;
  }

  static async start(owner: Owner, options: TestServerOptions = {}): Promise<TestServer> {
    const folder = scratchFolder("server");
    const dataDir = options.dataDir ?? join(folder, "data");
    const port = await freePort();
    const { accountSid, authToken } = TEST_ACCOUNT;
    const credentials = { CALLFORK_ACCOUNT_SID: accountSid, CALLFORK_AUTH_TOKEN: authToken };
    const args = [
      CALLFORK,
      options.command ?? "serve",
      ...["--data-dir", dataDir],
      ...["--http-listen", "127.0.0.1:0"],
      ...["--sip-listen", `udp:127.0.0.1:${port},tcp:127.0.0.1:${port}`],
      ...["--rtp-address", "127.0.0.1"],
      ...(options.flags ?? []),
    ];
    const child = new Child(process.execPath, args, {
      cwd: folder,
      logFile: join(folder, "callfork.log"),
      env: { ...(options.account === "kept" ? {} : credentials), ...options.env },
    });
    owner.after(async () => {
      await child.stop("SIGKILL");
    });
    const [, url = ""] = await child.printed(/REST +(http:\S+)/);
    await child.printed(/readable by you alone/);
    const kept = JSON.parse(readFileSync(join(dataDir, "account.json"), "utf8")) as Account;
    return new TestServer(child, dataDir, url, port, kept);
  }

  /** Its own recorder, as a connector's URI. */
  get recorderUri(): string {
    return `sip:recorder@127.0.0.1:${this.sipPort};transport=tcp`;
  }

  /** The official client, as its users point it at another host. */
  twilio(accountSid = this.accountSid, authToken = this.authToken): ReturnType<typeof twilio> {
    const client = twilio(accountSid, authToken);
    client.api.baseUrl = this.url;
    return client;
  }

  /** A number of this server that runs a document. */
  async number(
    phoneNumber: string,
    voice: { twiml: string } | { url: string; fallbackUrl?: string },
  ): Promise<string> {
    const form = new URLSearchParams({ PhoneNumber: phoneNumber });
    if ("twiml" in voice) form.set("VoiceTwiml", voice.twiml);
    else {
      form.set("VoiceUrl", voice.url);
      if (voice.fallbackUrl !== undefined) form.set("VoiceFallbackUrl", voice.fallbackUrl);
    }
    const path = `/2010-04-01/Accounts/${this.accountSid}/IncomingPhoneNumbers.json`;
    const { sid } = await this.post<{ sid: string }>(path, form);
    return sid;
  }

  async connector(uniqueName: string, ...sipUris: readonly string[]): Promise<void> {
    const form = new URLSearchParams({ UniqueName: uniqueName });
    for (const uri of sipUris) form.append("SipUri", uri);
    await this.post("/v1/Connectors", form);
  }

  async get<T>(path: string): Promise<T> {
    return (await (await this.request("GET", path)).json()) as T;
  }

  async bytes(path: string): Promise<Uint8Array> {
    return new Uint8Array(await (await this.request("GET", path)).arrayBuffer());
  }

  async post<T>(path: string, form: URLSearchParams | Readonly<Record<string, string>>): Promise<T> {
    return (await (
      await this.request("POST", path, new URLSearchParams(form as URLSearchParams))
    ).json()) as T;
  }

  /** @throws with the server's words when it refuses */
  async request(method: string, path: string, body?: URLSearchParams): Promise<Response> {
    const credentials = Buffer.from(`${this.accountSid}:${this.authToken}`).toString("base64");
    const answer = await fetch(`${this.url}${path}`, {
      method,
      headers: { authorization: `Basic ${credentials}` },
      ...(body === undefined ? {} : { body }),
    });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return answer;
  }
}

interface Account {
  readonly accountSid: string;
  readonly authToken: string;
}

/** Told to every server here, so that one that starts again on an old data dir is known too. */
export const TEST_ACCOUNT = {
  accountSid: "AC0123456789abcdef0123456789abcdef",
  authToken: "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
} as const;
