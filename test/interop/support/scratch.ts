import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Whatever can be told to clear up: a test's context, or the hooks of a file. */
export interface Owner {
  after(callback: () => void | Promise<void>): void;
}

// One listener for each folder and each process of a test file: many is no leak.
process.setMaxListeners(0);

/** A folder of this process alone. When a test of it failed, the folder stays and its name is printed. */
export function scratchFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `callfork-${name}-`));
  process.on("exit", (code) => {
    if (code === 0) rmSync(folder, { recursive: true, force: true });
    else console.error(`kept for a look: ${folder}`);
  });
  return folder;
}
