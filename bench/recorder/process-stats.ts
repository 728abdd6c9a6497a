import { readdirSync, readFileSync } from "node:fs";

/** What a process has used so far, all its threads. */
export interface ProcessStats {
  readonly cpuMs: number;
  /** Calls of write and its kin. */
  readonly writes: number;
  /** Octets that went towards the disk. */
  readonly writtenBytes: number;
  readonly residentBytes: number;
}

export function processStats(pid: number): ProcessStats {
  let nanoseconds = 0;
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    try {
      nanoseconds += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, "utf8").split(" ")[0]);
    } catch {
      // The thread ended meanwhile.
    }
  }
  const io = readFileSync(`/proc/${pid}/io`, "utf8");
  const number = (name: string): number => Number(new RegExp(`^${name}: (\\d+)`, "m").exec(io)?.[1]);
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const resident = Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) * 1_024;
  return {
    cpuMs: nanoseconds / 1e6,
    writes: number("syscw"),
    writtenBytes: number("wchar"),
    residentBytes: resident,
  };
}
