import { join } from "node:path";
import { createSystemClock } from "../../../packages/server/src/net/index.ts";
import { Mover } from "../../../packages/server/src/recording-server/archive/mover.ts";
import { RecordingFiles } from "../../../packages/server/src/recording-server/files/recording-files.ts";
import { openS3 } from "../../../packages/server/src/recording-server/files/s3-store.ts";
import { openStore } from "../../../packages/server/src/store/index.ts";
import { keepingLog, MASTER_KEY } from "../../../packages/server/src/store/testing/fixtures.ts";

/** Moves what is due below a folder, and says each part that is durable: to be killed while it does. */
const LAST_PART = 3;
const [folder = "."] = process.argv.slice(2);
const clock = createSystemClock();
const log = keepingLog();
const store = await openStore({
  file: join(folder, "callfork.db"),
  masterKey: MASTER_KEY,
  log,
  now: () => clock.wallNow(),
});
const objects = openS3(JSON.parse(process.env.S3_OPTIONS ?? "{}"));
const keeping: typeof store.keeping = {
  ...store.keeping,
  saveUploadProgress: async (sid, progress) => {
    await store.keeping.saveUploadProgress(sid, progress);
    for (const { parts } of Object.values(progress)) {
      console.log(`part ${parts.length} is there`);
      // Not faster than the one who kills it.
      if (parts.length === LAST_PART) await new Promise(() => {});
    }
  },
};
const files = new RecordingFiles({ folder: join(folder, "recordings"), keeping, objects });
const partBytes = Number(process.env.S3_PART_BYTES);
await new Mover({ files, objects, keeping, clock, log, alert: () => {}, partBytes }).start();
