import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { err, ok, type Result } from "@callfork/protocol/text";
import { Value } from "typebox/value";
import { LineCounter, parseDocument } from "yaml";
import { contradictions, derive } from "./contradictions.ts";
import { flagOf, NAMED_SETTINGS, type NamedSetting, NOT_IN_THIS_VERSION, variableOf } from "./settings.ts";
import { nearest } from "./suggest.ts";
import type { Config } from "./types.ts";

/** One thing wrong with the configuration. */
export interface ConfigProblem {
  /** Where: `--http-listen`, `CALLFORK_HTTP_LISTEN` or `callfork.yaml: webhooks.timeoutMs`. */
  readonly path: string;
  /** What is wrong and what would be right. Never repeats a secret. */
  readonly message: string;
}

export interface ConfigSources {
  /** Command line flags by their long name without dashes (`"http-listen"`), as `parseArgs` gives them. */
  readonly flags?: Readonly<Record<string, string | boolean | readonly string[] | undefined>>;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Where `callfork.yaml` is looked for and relative paths start. */
  readonly cwd: string;
}

/** A value as somebody wrote it, and where. */
interface Written {
  readonly at: string;
  readonly value: unknown;
}

type Sheet = Map<string, Written>;

const PREFIX = "CALLFORK_";
/** Which file to read; known to flags and environment only. */
const FILE_FLAG = "config";
const FILE_VARIABLE = "CALLFORK_CONFIG";
const DEFAULT_FILE = "callfork.yaml";

/**
 * Flags beat environment, environment beats `callfork.yaml` (or the file that `--config` names), that beats the
 * defaults. Reports every problem at once; the configuration is deeply frozen.
 */
export function loadConfig(sources: ConfigSources): Result<Config, readonly ConfigProblem[]> {
  const { flags = {}, env = {}, cwd } = sources;
  const problems: ConfigProblem[] = [];
  const sheets = [
    fromFlags(flags, problems),
    fromEnvironment(env, problems),
    fromFile(flags, env, cwd, problems),
  ];

  const found: Record<string, unknown> = {};
  for (const one of NAMED_SETTINGS) {
    // Every place is checked, not only the one that wins: a mistake that hides today bites tomorrow.
    const values = sheets.flatMap((sheet) => {
      const written = sheet.get(one.path);
      return written === undefined ? [] : [{ value: readSetting(one, written, problems) }];
    });
    const standard = one.setting.standard;
    const value =
      values[0] !== undefined
        ? values[0].value
        : standard === undefined
          ? undefined
          : readSetting(one, { at: "default", value: standard }, problems);
    found[one.path] = value;
  }
  if (problems.length > 0) return err(problems);

  problems.push(...contradictions(found));
  if (problems.length > 0) return err(problems);

  const derived = derive(found);
  const whole: Record<string, unknown> = {};
  for (const { path, setting } of NAMED_SETTINGS) {
    const value = found[path] ?? derived[path];
    put(whole, path, setting.isPath === true ? absolute(cwd, value) : value);
  }
  return ok(deepFreeze(whole) as unknown as Config);
}

function absolute(cwd: string, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((one) => absolute(cwd, one));
  return typeof value === "string" ? resolve(cwd, value) : value;
}

function fromFlags(flags: NonNullable<ConfigSources["flags"]>, problems: ConfigProblem[]): Sheet {
  const sheet: Sheet = new Map();
  for (const [flag, value] of Object.entries(flags)) {
    if (value === undefined || flag === FILE_FLAG) continue;
    const at = `--${flag}`;
    const one = NAMED_SETTINGS.find((candidate) => candidate.flag === flag);
    if (one === undefined) problems.push({ path: at, message: unknown(flag, "flag") });
    else if (one.setting.secret === true)
      problems.push({
        path: at,
        message: `command lines are seen by everybody on the machine: set ${one.variable} or write it into ${DEFAULT_FILE}`,
      });
    else sheet.set(one.path, { at, value: typeof value === "object" ? value : fromText(one, String(value)) });
  }
  return sheet;
}

function fromEnvironment(env: NonNullable<ConfigSources["env"]>, problems: ConfigProblem[]): Sheet {
  const sheet: Sheet = new Map();
  for (const [variable, value] of Object.entries(env)) {
    if (value === undefined || !variable.startsWith(PREFIX) || variable === FILE_VARIABLE) continue;
    const one = NAMED_SETTINGS.find((candidate) => candidate.variable === variable);
    if (one === undefined) problems.push({ path: variable, message: unknown(variable, "variable") });
    // An empty variable is how shells and compose files say "not set".
    else if (value !== "") sheet.set(one.path, { at: variable, value: fromText(one, value) });
  }
  return sheet;
}

function fromFile(
  flags: NonNullable<ConfigSources["flags"]>,
  env: NonNullable<ConfigSources["env"]>,
  cwd: string,
  problems: ConfigProblem[],
): Sheet {
  const sheet: Sheet = new Map();
  const asked = flags[FILE_FLAG] ?? env[FILE_VARIABLE];
  const name = asked === undefined || asked === "" ? DEFAULT_FILE : String(asked);
  const source = readFile(resolve(cwd, name));
  if (!source.ok) {
    if (source.error.code !== "ENOENT" || name !== DEFAULT_FILE || asked !== undefined)
      problems.push({ path: name, message: `cannot be read: ${source.error.message}` });
    return sheet;
  }
  const lines = new LineCounter();
  const document = parseDocument(source.value, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  for (const { message, pos } of document.errors) {
    const { line, col } = lines.linePos(pos[0]);
    problems.push({ path: `${name}:${line}:${col}`, message });
  }
  if (document.errors.length > 0) return sheet;
  const content: unknown = document.toJS({ maxAliasCount: 0 });
  if (content === null || content === undefined) return sheet;
  if (!isRecord(content)) {
    problems.push({
      path: name,
      message: "must be a mapping of settings, as in `httpListen: 127.0.0.1:8080`",
    });
    return sheet;
  }
  for (const [path, value] of leaves(content)) {
    const at = `${name}: ${path}`;
    const one = NAMED_SETTINGS.find((candidate) => candidate.path === path);
    if (one === undefined) problems.push({ path: at, message: unknown(path, "path") });
    // `rtpAddress:` with nothing behind it is YAML's null: not set.
    else if (value !== null)
      sheet.set(path, { at, value: isListText(one, value) ? splitList(value) : value });
  }
  return sheet;
}

function readFile(path: string): Result<string, NodeJS.ErrnoException> {
  try {
    return ok(readFileSync(path, "utf8"));
  } catch (error) {
    return err(error as NodeJS.ErrnoException);
  }
}

/** `webhooks: { timeoutMs: 1 }` → `["webhooks.timeoutMs", 1]`; an unknown group stays one leaf. */
function leaves(content: Record<string, unknown>): [path: string, value: unknown][] {
  return Object.entries(content).flatMap(([name, value]): [string, unknown][] => {
    const isGroup = NAMED_SETTINGS.some(({ path }) => path.startsWith(`${name}.`));
    if (isGroup && value === null) return [];
    return isGroup && isRecord(value)
      ? Object.entries(value).map(([inner, leaf]) => [`${name}.${inner}`, leaf])
      : [[name, value]];
  });
}

/** The written form of a text: lists are separated by commas, numbers and booleans are spelled out. */
function fromText(one: NamedSetting, value: string): unknown {
  const type = (one.setting.schema as { type?: string }).type;
  if (one.setting.isJson === true) return fromJson(value);
  if (type === "array") return splitList(value);
  if (type === "integer" && /^-?\d+$/.test(value.trim())) return Number(value);
  if (type === "boolean" && /^(true|false)$/i.test(value.trim()))
    return value.trim().toLowerCase() === "true";
  return value;
}

/** What is no JSON stays a text, which no schema of such a setting takes. */
function fromJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function isListText(one: NamedSetting, value: unknown): value is string {
  const { schema, isJson } = one.setting;
  return typeof value === "string" && isJson !== true && (schema as { type?: string }).type === "array";
}

const splitList = (text: string): string[] =>
  text
    .split(",")
    .map((one) => one.trim())
    .filter((one) => one !== "");

/** Schema first, then the syntax of the text. Pushes the problem and returns undefined when something is wrong. */
function readSetting(one: NamedSetting, written: Written, problems: ConfigProblem[]): unknown {
  const { schema, read } = one.setting;
  if (!Value.Check(schema, written.value)) {
    problems.push({ path: written.at, message: `must be ${describe(schema)}` });
    return undefined;
  }
  const value = read(written.value as never);
  if (value.ok) return value.value;
  problems.push({ path: written.at, message: value.error });
  return undefined;
}

/** A JSON schema in words. */
export function describe(schema: object): string {
  const { type, minimum, maximum, items, ...more } = schema as {
    type?: string;
    enum?: readonly unknown[];
    minimum?: number;
    maximum?: number;
    items?: object;
    properties?: object;
  };
  if (more.enum !== undefined) return `one of ${more.enum.join(", ")}`;
  if (type === "array") return `a list: ${describe(items ?? {})} each`;
  if (type === "object") return `a mapping of ${Object.keys(more.properties ?? {}).join(", ")}`;
  if (type === "integer") return `a whole number from ${minimum} to ${maximum}`;
  return type === "boolean" ? "true or false" : "a text that is not empty";
}

const SPELLINGS = {
  flag: { known: NAMED_SETTINGS.map((one) => one.flag), later: flagOf, show: (name: string) => `--${name}` },
  variable: {
    known: NAMED_SETTINGS.map((one) => one.variable),
    later: variableOf,
    show: (name: string) => name,
  },
  path: {
    known: NAMED_SETTINGS.map((one) => one.path),
    later: (path: string) => path,
    show: (name: string) => name,
  },
} as const;

function unknown(name: string, kind: keyof typeof SPELLINGS): string {
  const { known, later, show } = SPELLINGS[kind];
  const reason = Object.entries(NOT_IN_THIS_VERSION).find(([path]) => later(path) === name)?.[1];
  if (reason !== undefined) return `not in this version: ${reason}`;
  const near = nearest(name, known);
  return near === undefined
    ? "unknown setting; docs/configuration.md lists all"
    : `unknown setting; did you mean ${show(near)}?`;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function put(whole: Record<string, unknown>, path: string, value: unknown): void {
  const [group = "", inner] = path.split(".");
  if (inner === undefined) whole[group] = value;
  else whole[group] = { ...(whole[group] as object | undefined), [inner]: value };
}

function deepFreeze<T extends object>(value: T): T {
  for (const inner of Object.values(value))
    if (typeof inner === "object" && inner !== null) deepFreeze(inner);
  return Object.freeze(value);
}
