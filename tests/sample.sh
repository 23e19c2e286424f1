#!/bin/sh
# Something for a first peer to share: demo/peer with the fixtures and a torrent of them, announced
# at the tracker that `make run-tracker` runs. Does nothing if there is a torrent already.
set -eu

swarmlet=${1:?usage: sample.sh PROGRAM TRACKER-ADDR}
addr=${2:?usage: sample.sh PROGRAM TRACKER-ADDR}
cd "$(dirname "$0")/.."

mkdir -p demo/peer
if [ -z "$(find demo/peer -maxdepth 1 -name '*.torrent')" ]; then
  cp -r fixtures demo/peer/sample
  "$swarmlet" create demo/peer/sample --tracker "http://$addr/announce" -o demo/peer/sample.torrent
fi
