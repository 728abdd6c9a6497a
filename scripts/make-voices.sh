#!/usr/bin/env bash
# Makes the two voices of the test phones: 8 kHz, mono, 16 bit. Needs espeak-ng and sox.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../packages/testkit/voices"
speak() {
  espeak-ng -v "$2" -p "$3" -s "$4" -w "/tmp/$1.wav" "$5"
  sox -R -D "/tmp/$1.wav" -r 8000 -c 1 -b 16 "$1.wav" gain -n -6 pad 0.2 0.3
  rm "/tmp/$1.wav"
}
speak alice en-us+f3 60 150 "Hello, this is Alice. I am calling about the delivery for Tuesday. The order number is four, seven, one, one. Could you tell me when the driver will arrive, please?"
speak bob en-gb+m3 35 140 "Good morning Alice, Bob speaking. I have your order on my screen. The driver will be with you between nine and ten o'clock. Is there anything else that I can do for you today?"
