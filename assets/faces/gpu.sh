#!/bin/sh
# Trains the default model on a CUDA machine, in commands of at most ten minutes, fetching nothing.
#
#   sh assets/faces/gpu.sh [regress|adversarial|finish]
#
# Needs python3 with PyTorch (CUDA) and numpy and PIL, and .device/makedata (see makedata.go) or a data set in $DATA.
# What it makes goes to $OUT: checkpoints in parts below 16 MiB, sheets, curves, the bundle. To go on in the
# next command, put the parts of the last one into $PARTS (default .device/parts).
#   LIMIT    seconds this command may take (default 570)
#   DATA     folder for the data sets (default /tmp/faces-gpu-data; rendered on all cores if missing)
#   COUNT    training pictures (default 60000)
#   CHANNELS table of train.py (default half)
#   DEVICE   cuda (default) or cpu
set -eu
step=${1:-all}
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
out=${OUT:-$root/.device/out}
limit=${LIMIT:-570}
data=${DATA:-/tmp/faces-gpu-data}
count=${COUNT:-60000}
parts=${PARTS:-$root/.device/parts}
device=${DEVICE:-cuda}
python=${PYTHON:-python3}
run=${RUN:-/tmp/faces-gpu-run}
size=${SIZE:-256}
began=$(date +%s)
left() { echo $((limit - $(date +%s) + began)); }
minutes() { awk -v s="$1" 'BEGIN { printf "%.2f", s / 60 }'; }
mkdir -p "$out" "$run" "$data"

# Data: the training set grows while training runs; readings are trained on a third seed.
if [ -x "$root/.device/makedata" ]; then
	"$root/.device/makedata" -n "${HELDOUT:-1024}" -size "$size" -seed 2 -out "$data/heldout"
	"$root/.device/makedata" -n "$count" -size "$size" -seed 1 -out "$data/train" >"$run/data.log" 2>&1 &
	maker=$!
	while ! [ -s "$data/train/dataset.json" ]; do sleep 1; done
else
	maker=
fi
if [ -d "$parts" ]; then "$python" "$here/parts.py" join "$parts" "$run"; fi

if [ "$step" = regress ] || [ "$step" = all ]; then
	spend=$(( $(left) - 60 ))
	[ "$step" = all ] && spend=$(( $(left) / 2 ))
	"$python" "$here/train.py" --device "$device" --data "$data/train" --heldout "$data/heldout" --out "$run" \
		--channels "${CHANNELS:-half}" --plan "${PLAN:-32:0.7,64:1.5,128:2.5,256:3.5}" --batch "${BATCH:-32:128,64:96,128:64,256:32}" \
		--rate "${RATE:-32:2e-3,64:2e-3,128:1.5e-3,256:1e-3}" --start "${START:-4000}" --every 1 --ema 20000 \
		--minutes "$(minutes $spend)"
fi
if [ "$step" = adversarial ] || [ "$step" = all ]; then
	perceptual=$root/assets/models/faces/perceptual.safetensors
	"$python" "$here/adversarial.py" --device "$device" --start "$run/checkpoint.pt" --data "$data/train" \
		--heldout "$data/heldout" --out "$run" --batch "${ADVERSARIAL_BATCH:-32}" --perceptual "$perceptual" \
		--minutes "$(minutes $(( $(left) - 60 )))" --report "${REPORT:-60}"
fi
if [ "$step" = finish ]; then
	best=$run/adversarial.pt
	[ -f "$run/adversarial-best.pt" ] && best=$run/adversarial-best.pt
	[ -f "$best" ] || best=$run/checkpoint.pt
	spend=$(minutes $(( ($(left) - 60) / 3 )))
	"$python" "$here/export.py" --checkpoint "$best" --data "$data/train" --heldout "$data/heldout" --out "$out"
	"$python" "$here/heads.py" --device "$device" --checkpoint "$best" --data "$data/train" --heldout "$data/heldout" \
		--out "$out/segmentation.safetensors" --minutes "$spend"
	[ "$size" -lt 256 ] || "$python" "$here/readings.py" perceptual --device "$device" --data "$data/train" --heldout "$data/heldout" \
		--out "$out/perceptual.safetensors" --minutes "$spend"
fi
[ -n "$maker" ] && kill "$maker" 2>/dev/null || true
[ "$step" = finish ] || "$python" "$here/parts.py" split "$run" "$out"
for f in curves.png sheet-heldout.png adversarial-heldout.jpg adversarial-random.jpg; do
	[ -f "$run/$f" ] && [ "$step" != finish ] && [ "$(wc -c <"$run/$f")" -lt 15000000 ] && cp "$run/$f" "$out/" || true
done
ls -l "$out"
