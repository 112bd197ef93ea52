#!/bin/sh
# The full training on a CUDA device, in pieces: run it again until it says "trained".
#
#   python scripts/pack_images.py DATA/train training/DATA/train     once, where the images are
#   sh scripts/train_on_gpu.sh [OUT] [SECONDS] [CONFIG]              there; goes on from OUT
#
# Then, in the same piece of work, the figures of that device: throughput and what they cost.
set -eu
cd "$(dirname "$0")/.."
out=${1:-run} seconds=${2:-540} config=${3:-training/unet.toml}
export PYTHONPATH="$PWD/src${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1
python3 -m napari_credible.training "$config" --out "$out" --device cuda --seconds "$seconds"
python3 benchmarks/throughput.py --device cuda | tee "$out/throughput.txt"
