export { FakeClock } from "./fake-clock.ts";
export { SeededRandom } from "./random.ts";
