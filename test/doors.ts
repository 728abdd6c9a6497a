import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";

/** One row of the door table in ARCHITECTURE.md. */
export interface Door {
  /** `protocol/sip`, `server/media`, `testkit`. */
  readonly room: string;
  /** Rooms it may import, besides itself. */
  readonly mayUse: ReadonlySet<string>;
  /** Node modules and packages it may import. */
  readonly outside: ReadonlySet<string>;
}

export interface SourceImport {
  readonly file: string;
  readonly line: number;
  /** As written: `../net/index.ts`, `@callfork/protocol/sip`, `node:dgram`. */
  readonly specifier: string;
}

/** Reads the table whose header row begins with `| Room |`. Names stand in backticks. */
export function readDoors(markdown: string): Map<string, Door> {
  const doors = new Map<string, Door>();
  const lines = markdown.split("\n");
  const head = lines.findIndex((line) => /^\|\s*Room\s*\|/.test(line));
  for (const line of lines.slice(head + 2)) {
    if (!line.startsWith("|")) break;
    const [, rooms = "", mayUse = "", outside = ""] = line.split("|");
    const names = (cell: string) => [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1]!);
    for (const room of names(rooms)) {
      doors.set(room, { room, mayUse: new Set(names(mayUse)), outside: new Set(names(outside)) });
    }
  }
  return doors;
}

/** The room a source file belongs to; undefined outside packages/NAME/src. */
export function roomOf(path: string): string | undefined {
  const match = /^packages\/([^/]+)\/src\/(?:([^/]+)\/)?/.exec(path);
  if (match === null) return undefined;
  const [, workspace, folder] = match;
  return workspace === "protocol" || workspace === "server" ? `${workspace}/${folder ?? ""}` : workspace;
}

/** Every static, dynamic and worker import of a source text. */
export function importsOf(file: string, text: string): SourceImport[] {
  const found: SourceImport[] = [];
  const pattern =
    /(?:^|\n)\s*(?:import|export)\b[^;"'`]*?\bfrom\s*["']([^"']+)["']|(?:^|\n)\s*import\s*["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']\s*\)|new URL\(\s*["'](\.[^"']+\.ts)["']/g;
  for (const match of text.matchAll(pattern)) {
    const specifier = match[1] ?? match[2] ?? match[3] ?? match[4];
    if (specifier === undefined) continue;
    const line = text.slice(0, match.index + match[0].indexOf(specifier)).split("\n").length;
    found.push({ file, line, specifier });
  }
  return found;
}

/** Says why an import is forbidden; undefined when the doors allow it. */
export function verdict(doors: ReadonlyMap<string, Door>, found: SourceImport): string | undefined {
  const at = `${found.file}:${found.line}`;
  const room = roomOf(found.file);
  const door = room === undefined ? undefined : doors.get(room);
  if (room === undefined || door === undefined)
    return `${at}: ${room ?? "this folder"} has no row in ARCHITECTURE.md`;
  const { specifier } = found;
  if (specifier.startsWith(".")) {
    const path = relative(".", resolve(dirname(found.file), specifier));
    const target = roomOf(path);
    if (target === room) return undefined;
    if (target === undefined) return `${at}: ${specifier} leaves the packages' sources`;
    if (target.split("/")[0] !== room.split("/")[0])
      return `${at}: ${specifier} reaches into another package`;
    if (!door.mayUse.has(target)) return `${at}: ${room} may not use ${target}`;
    return path.endsWith("/index.ts")
      ? undefined
      : `${at}: ${target} is entered by its index.ts only, not ${specifier}`;
  }
  const ours = /^@callfork\/([^/]+)(?:\/(.+))?$/.exec(specifier);
  if (ours !== null) {
    const target = ours[2] === undefined || ours[1] === "testkit" ? ours[1]! : `${ours[1]}/${ours[2]}`;
    const allowed = door.mayUse.has(target) || (ours[1] === "protocol" && door.mayUse.has("protocol"));
    return allowed ? undefined : `${at}: ${room} may not use ${target}`;
  }
  return door.outside.has(specifier) ? undefined : `${at}: ${room} may not import ${specifier}`;
}

/** The sources of all packages, tests and their helpers aside. */
export function sourceFiles(root: string): string[] {
  const files: string[] = [];
  const visit = (folder: string): void => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) {
        if (entry.name !== "node_modules" && entry.name !== "testing") visit(path);
      } else if (entry.name.endsWith(".ts") && !entry.name.endsWith(".test.ts") && path.includes("/src/")) {
        files.push(path);
      }
    }
  };
  visit("packages");
  return files;
}

export function readSource(root: string, file: string): string {
  return readFileSync(join(root, file), "utf8");
}
