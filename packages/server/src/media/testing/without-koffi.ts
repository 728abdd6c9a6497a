// Preloaded into a process and its workers: the optional package is not installed.

import { registerHooks } from "node:module";

registerHooks({
  resolve(specifier, context, nextResolve) {
    if (specifier === "koffi") throw new Error("Cannot find package 'koffi'");
    return nextResolve(specifier, context);
  },
});
