export { call } from "./call.ts";
export { demo } from "./demo.ts";
