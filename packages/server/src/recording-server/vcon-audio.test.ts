import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { test } from "node:test";
import type { MediaFile } from "./ports.ts";
import { vconAudio } from "./vcon-audio.ts";

const AUDIO = Buffer.from("RIFF0123456789");
const media = (length = AUDIO.length): MediaFile => ({
  contentType: "audio/wav",
  length,
  open: (start, end) => Readable.from([AUDIO.subarray(start, start + 5), AUDIO.subarray(start + 5, end + 1)]),
});
const DONE = { sid: "RE1", status: "completed" } as const;
const wish = (audio: "none" | "inline" | "link") => ({ isSigned: false, audio, base: "https://c.example" });

test("audio is named, carried as base64url, or linked with the SHA-512 of what the link gives", async () => {
  const of = (audio: "none" | "inline" | "link") => vconAudio(DONE, wish(audio), async () => media());
  assert.equal(await of("none"), undefined);
  assert.deepEqual(await of("inline"), { body: AUDIO.toString("base64url") });
  assert.deepEqual(await of("link"), {
    url: "https://c.example/v1/Recordings/RE1/Media.wav",
    sha512: createHash("sha512").update(AUDIO).digest(),
  });
});

test("what may still change or is too long is refused; without audio there is nothing to carry", async () => {
  const live = { sid: "RE1", status: "in-progress" } as const;
  for (const audio of ["inline", "link"] as const) {
    await assert.rejects(
      vconAudio(live, wish(audio), async () => media()),
      { code: "RECORDING_IN_PROGRESS" },
    );
    assert.equal(await vconAudio(DONE, wish(audio), async () => undefined), undefined);
  }
  assert.equal(await vconAudio(live, wish("none"), async () => media()), undefined);
  await assert.rejects(
    vconAudio(DONE, wish("inline"), async () => media(65 << 20)),
    { code: "VCON_TOO_LARGE" },
  );
});
