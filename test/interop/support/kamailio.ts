import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Child } from "./child.ts";
import { freePort, isListening } from "./ports.ts";
import { programPath } from "./programs.ts";
import { RawSip } from "./raw-sip.ts";
import { type Owner, scratchFolder } from "./scratch.ts";
import { until } from "./waiting.ts";

const CONFIG = resolve(import.meta.dirname, "../kamailio/kamailio.cfg");

/** A request or an answer that went through, as the configuration logs it. */
export interface ProxyLine {
  readonly kind: "relayed" | "unrouted" | "answer";
  /** Of the request, or the one that is answered. */
  readonly method: string;
  /** Whence it came. */
  readonly transport: string;
  /** User-Agent or Server of who sent it. */
  readonly userAgent: string;
  readonly text: string;
}

export interface KamailioOptions {
  /** Where calls to nobody who is registered go. */
  readonly target: string;
  /** PEM files, for `tls:` too. */
  readonly tls?: { readonly certificate: string; readonly key: string; readonly ca: string };
}

/** A Kamailio process on 127.0.0.1: registrar and record-routing proxy (test/interop/kamailio/kamailio.cfg). */
export class Kamailio {
  readonly port: number;
  readonly tlsPort: number;
  readonly #child: Child;

  private constructor(child: Child, port: number, tlsPort: number) {
    this.#child = child;
    this.port = port;
    this.tlsPort = tlsPort;
  }

  static async start(owner: Owner, options: KamailioOptions): Promise<Kamailio> {
    const folder = scratchFolder("kamailio");
    const [port, tlsPort] = [await freePort(), await freePort()];
    const list = join(folder, "dispatcher.list");
    writeFileSync(list, `1 ${options.target}\n`);
    const tlsConfig = join(folder, "tls.cfg");
    if (options.tls !== undefined) writeFileSync(tlsConfig, tlsSettings(options.tls));
    const args = [
      ...["-f", CONFIG, "-Y", folder, "-w", folder, "-P", join(folder, "kamailio.pid")],
      ...["-DD", "-E", "-m", "32", "-M", "4"],
      `--substdef=!SIP_PORT!${port}!g`,
      `--substdef=!DISPATCHER_LIST!${list}!g`,
      ...(options.tls === undefined
        ? []
        : ["-A", "WITH_TLS", `--substdef=!TLS_PORT!${tlsPort}!g`, `--substdef=!TLS_CONFIG!${tlsConfig}!g`]),
    ];
    const child = new Child(programPath("kamailio") ?? "kamailio", args, {
      cwd: folder,
      logFile: join(folder, "kamailio.log"),
    });
    // Its children end with it by SIGTERM; they would outlive a SIGKILL.
    owner.after(async () => {
      await child.stop("SIGTERM");
    });
    await until("Kamailio listening", () => child.isOver || isListening("tcp", port));
    if (child.isOver) throw new Error(`Kamailio ended: ${child.stderr}`);
    return new Kamailio(child, port, tlsPort);
  }

  /** Binds a user to a contact, as the phone itself would by REGISTER. */
  async register(owner: Owner, user: string, contact: string): Promise<void> {
    const aor = `<sip:${user}@127.0.0.1:${this.port}>`;
    const sip = await RawSip.open(owner, this.port);
    const { status } = await sip.ask("REGISTER", {
      start: `REGISTER sip:127.0.0.1:${this.port} SIP/2.0`,
      From: `${aor};tag=1`,
      To: aor,
      Contact: `<${contact}>`,
      Expires: "600",
    });
    if (status !== 200) throw new Error(`REGISTER of ${user}: ${status}`);
  }

  /** The dispatcher's OPTIONS found its target alive: resolves once an answer to one came. */
  async pinged(): Promise<ProxyLine> {
    return await this.line(
      "an answer to OPTIONS",
      ({ kind, method }) => kind === "answer" && method === "OPTIONS",
    );
  }

  /** What went through so far, in order. */
  lines(): ProxyLine[] {
    const found = this.#child.stderr.matchAll(
      /<script>: ((relayed|unrouted|answer) (?:\d+ )?([A-Z]+) (?:by (\w+) )?from ([^,\n]*).*)$/gm,
    );
    return [...found].map(([, text = "", kind, method = "", transport = "", userAgent = ""]) => ({
      kind: kind as ProxyLine["kind"],
      method,
      transport: transport.toLowerCase(),
      userAgent,
      text,
    }));
  }

  async line(what: string, wanted: (line: ProxyLine) => boolean): Promise<ProxyLine> {
    return await until(`${what} through Kamailio`, () => this.lines().find(wanted));
  }

  /** Requests of one method that came from one of ours, in order. */
  relayed(method: string, from: "callfork" | "phone"): ProxyLine[] {
    return this.lines().filter(
      (line) =>
        line.kind === "relayed" &&
        line.method === method &&
        (from === "phone") === line.userAgent.startsWith("callfork-test-phone"),
    );
  }
}

function tlsSettings({ certificate, key, ca }: NonNullable<KamailioOptions["tls"]>): string {
  const common = `method = TLSv1.2+\nprivate_key = ${key}\ncertificate = ${certificate}\nca_list = ${ca}\n`;
  return `[server:default]\n${common}verify_certificate = no\nrequire_certificate = no\n
[client:default]\n${common}verify_certificate = yes\nrequire_certificate = yes\n`;
}

/** Every request in a dialog was sent to Kamailio, by the route that Record-Route gave, and none went astray. */
export function assertRouted(kamailio: Kamailio, routes: number): void {
  const lines = kamailio.lines();
  assert.deepEqual(
    lines.filter(({ kind }) => kind === "unrouted"),
    [],
  );
  for (const method of ["ACK", "BYE"] as const) {
    const passed = lines.filter((line) => line.kind === "relayed" && line.method === method);
    assert.ok(passed.length >= 2, `${method} passed ${passed.length} times`);
    for (const { text } of passed) assert.match(text, new RegExp(`, ${routes} routes`));
  }
}
