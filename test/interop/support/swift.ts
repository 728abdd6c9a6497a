import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { S3mini } from "s3mini";
import { Child } from "./child.ts";
import { freePort, isListening } from "./ports.ts";
import { programPath } from "./programs.ts";
import { type Owner, scratchFolder } from "./scratch.ts";
import { until } from "./waiting.ts";

/** What Swift is made of; for `without`. */
export const SWIFT_PROGRAMS = [
  "swift-proxy-server",
  "swift-account-server",
  "swift-container-server",
  "swift-object-server",
  "swift-ring-builder",
] as const;

const KEPT = ["account", "container", "object"] as const;

/** OpenStack Swift with its S3 interface on 127.0.0.1: four processes that keep what they are given in a scratch folder. */
export class Swift {
  readonly port: number;
  readonly accessKeyId = "test:tester";
  readonly secretAccessKey = "testing";
  readonly #folder: string;
  readonly #children: Child[] = [];
  #proxy: Child | undefined;

  private constructor(folder: string, port: number) {
    this.#folder = folder;
    this.port = port;
  }

  static async start(owner: Owner): Promise<Swift> {
    const folder = scratchFolder("swift");
    const swift = new Swift(folder, await freePort());
    owner.after(() => swift.stop());
    writeFileSync(
      join(folder, "swift.conf"),
      "[swift-hash]\nswift_hash_path_suffix = callfork\nswift_hash_path_prefix = tests\n",
    );
    mkdirSync(join(folder, "srv", "sdb1"), { recursive: true });
    for (const kind of KEPT) {
      const port = await freePort();
      swift.#configure(kind, port, `${kind}-server`, `[app:${kind}-server]\nuse = egg:swift#${kind}\n`);
      swift.#ring(kind, port);
      swift.#children.push(swift.#run(kind));
      await until(`swift's ${kind} server listening`, () => isListening("tcp", port));
    }
    swift.#configure("proxy", swift.port, PIPELINE, PROXY_FILTERS);
    await swift.startProxy();
    return swift;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** A client of its own, to look at what is there. */
  bucket(name: string): S3mini {
    const { accessKeyId, secretAccessKey, endpoint } = this;
    return new S3mini({ accessKeyId, secretAccessKey, endpoint: `${endpoint}/${name}`, region: "us-east-1" });
  }

  async makeBucket(name: string): Promise<S3mini> {
    const bucket = this.bucket(name);
    await until(`bucket ${name}`, () => bucket.createBucket().catch(() => false));
    return bucket;
  }

  /** The storage is down: connections are refused. */
  async stopProxy(): Promise<void> {
    await this.#proxy?.stop();
    this.#proxy = undefined;
  }

  async startProxy(): Promise<void> {
    this.#proxy = this.#run("proxy");
    await until("swift's proxy listening", () => isListening("tcp", this.port));
  }

  async stop(): Promise<void> {
    await this.stopProxy();
    await Promise.all(this.#children.map((child) => child.stop()));
  }

  #run(kind: string): Child {
    const program = `swift-${kind}-server`;
    return new Child(programPath(program) ?? program, [join(this.#folder, `${kind}.conf`)], {
      cwd: this.#folder,
      logFile: join(this.#folder, `${kind}.log`),
    });
  }

  #configure(kind: string, port: number, pipeline: string, rest: string): void {
    const settings = [
      "[DEFAULT]",
      "bind_ip = 127.0.0.1",
      `bind_port = ${port}`,
      "workers = 0",
      `user = ${userInfo().username}`,
      `swift_dir = ${this.#folder}`,
      `devices = ${join(this.#folder, "srv")}`,
      "mount_check = false",
      "disable_fallocate = true",
      "[pipeline:main]",
      `pipeline = ${pipeline}`,
    ];
    writeFileSync(join(this.#folder, `${kind}.conf`), `${settings.join("\n")}\n${rest}`);
  }

  #ring(kind: string, port: number): void {
    const builder = (...args: string[]) =>
      execFileSync(programPath("swift-ring-builder") ?? "swift-ring-builder", [`${kind}.builder`, ...args], {
        cwd: this.#folder,
        stdio: "ignore",
      });
    builder("create", "4", "1", "0");
    builder("add", `r1z1-127.0.0.1:${port}/sdb1`, "1");
    builder("rebalance");
  }
}

const PIPELINE =
  "catch_errors gatekeeper proxy-logging cache listing_formats bulk tempurl s3api tempauth slo dlo versioned_writes symlink proxy-logging proxy-server";

const filter = (name: string, ...lines: readonly string[]): string =>
  `[filter:${name}]\nuse = egg:swift#${name.replaceAll("-", "_")}\n${lines.join("\n")}\n`;

const PROXY_FILTERS = [
  "[app:proxy-server]\nuse = egg:swift#proxy\naccount_autocreate = true\n",
  filter("catch_errors"),
  filter("gatekeeper"),
  filter("proxy-logging"),
  // None is there: every request asks the servers.
  "[filter:cache]\nuse = egg:swift#memcache\nmemcache_servers = 127.0.0.1:1\n",
  filter("listing_formats"),
  filter("bulk"),
  filter("tempurl"),
  filter("s3api", "location = us-east-1"),
  filter("tempauth", "user_test_tester = testing .admin"),
  filter("slo"),
  filter("dlo"),
  filter("versioned_writes"),
  filter("symlink"),
].join("\n");
