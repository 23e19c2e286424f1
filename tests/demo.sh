#!/usr/bin/env bash
# The main job, start to end, on 127.0.0.1: a tracker, one who shares a folder, two who get it.
# Shows what each of them says; ends with 0 only if both copies are equal, byte for byte.
set -euo pipefail

swarmlet=$(realpath "${1:?usage: demo.sh PROGRAM}")
fixtures=$(realpath "$(dirname "$0")/../fixtures")
demo=$(realpath -m "$(dirname "$0")/../demo")
rm -rf "$demo"
mkdir -p "$demo"/{share,one,two}
cd "$demo"

pids=()
finish() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait
}
trap finish EXIT

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

# Runs a command in the background; its output goes to LOG and, with its name, to the screen.
start() {
  local log=$1
  shift
  "$@" >"$log" 2>&1 &
  pids+=($!)
}

# Waits until LOG has a line that begins with WORD.
await() {
  local log=$1 word=$2
  for _ in $(seq 300); do
    if grep -m1 "^$word" "$log" 2>/dev/null; then return 0; fi
    sleep 0.1
  done
  echo "no '$word' in $log within 30 seconds:" >&2
  cat "$log" >&2
  return 1
}

say "1. Something to share: a folder with a few files, some of them large"
cp -r "$fixtures/torrents/good" share/small
head -c 12000000 /dev/urandom >share/large.bin
head -c 3333333 /dev/urandom >share/middle.bin
: >share/empty.txt
du -sh share | cut -f1

say "2. A tracker:  swarmlet tracker --http 127.0.0.1:0"
start tracker.log "$swarmlet" tracker --http 127.0.0.1:0
ready=$(await tracker.log ready)
echo "$ready"
tracker="http://$(sed -E 's/.*http=([^ ]+).*/\1/' <<<"$ready")/announce"

say "3. The first peer shares:  swarmlet share share --tracker $tracker"
start share.log "$swarmlet" share share --tracker "$tracker" --listen 127.0.0.1:0
await share.log ready
"$swarmlet" info share.torrent

say "4. Two others get it at the same time:  swarmlet get share.torrent --dir …"
start one.log "$swarmlet" get share.torrent --dir one --listen 127.0.0.1:0 --seed
start two.log "$swarmlet" get share.torrent --dir two --listen 127.0.0.1:0 --seed
await one.log complete
await two.log complete

say "5. Equal, byte for byte?"
diff -r share one/share
diff -r share two/share
"$swarmlet" verify share.torrent --dir one >/dev/null
"$swarmlet" verify share.torrent --dir two >/dev/null
echo "yes: $demo/one/share and $demo/two/share equal $demo/share"
