import { readAccountFile } from "../../app/index.ts";
import type { Command } from "../command.ts";
import { readCommandLine } from "../usage.ts";

export const account: Command = {
  help: `usage: callfork account [--sid] [--data-dir FOLDER]

Prints AccountSid:AuthToken of the server whose data dir this is (default ./data):
  curl -u "$(callfork account)" http://127.0.0.1:8080/v1/Recordings

  --sid               the AccountSid alone`,
  async run(argv) {
    const { config, values } = readCommandLine(argv, { sid: { type: "boolean" } });
    const found = readAccountFile(config.dataDir);
    if (found === undefined) {
      console.error(
        `callfork account: no account in ${config.dataDir}; the first "callfork serve" makes one`,
      );
      return 1;
    }
    console.log(values.sid === true ? found.accountSid : `${found.accountSid}:${found.authToken}`);
    return 0;
  },
};
