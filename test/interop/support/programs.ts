import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

/** Where a program lies; undefined when it is not installed. */
export function programPath(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/sbin"];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

/** For a test's `skip`: false when everything is there, else the reason by name. */
export function without(...programs: readonly string[]): false | string {
  const missing = programs.filter((name) => programPath(name) === undefined);
  return missing.length === 0 ? false : `not installed: ${missing.join(", ")}`;
}

/** Capturing on the loopback interface is for root. */
export function withoutCapture(): false | string {
  const missing = without("dumpcap", "tshark");
  if (missing !== false) return missing;
  return process.getuid?.() === 0 ? false : "capturing packets needs root";
}
