#!/bin/bash
# Shows that the checkers bite: runs the simulation with each deliberate bug of mutants.patch.
#
#   mutants.sh BUILD-DIR [NAME ...]
#
# The patch puts every bug behind a switch, into this source tree; cluster-sim is built with all of them
# and kept beside, and the patch is taken back. Then each bug (or each NAME) is switched on alone, until a
# seed finds it: seeds of one hour, which is one episode. Prints one row of a table per bug; fails when one
# survives, or when a seed fails without any. CLUSTER_SIM_SEEDS and CLUSTER_SIM_THREADS say how hard to try.
set -u -o pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
build=${1:?usage: mutants.sh BUILD-DIR [NAME ...]}
shift
patch=$here/mutants.patch
program=$build/bin/cluster-sim-mutants
seeds=${CLUSTER_SIM_SEEDS:-400}
threads=${CLUSTER_SIM_THREADS:-2}

if [[ ! -x $program || $patch -nt $program ]]; then
  patch --quiet --forward --directory="$root" --strip=1 <"$patch" || exit 1
  ninja -C "$build" cluster-sim >"$build/mutants.log" 2>&1
  built=$?
  [[ $built == 0 ]] && cp "$build/bin/cluster-sim" "$program"
  patch --quiet --reverse --directory="$root" --strip=1 <"$patch" || exit 1
  [[ $built == 0 ]] || { tail -20 "$build/mutants.log"; exit 1; }
fi

names=("$@")
if [[ ${#names[@]} == 0 ]]; then
  mapfile -t names < <(grep -o 'sim::Mutant("[^"]*")' "$patch" | cut -d'"' -f2 | awk '!seen[$0]++')
fi
# try MUTANT SEEDS: prints what the first failing seed says. Processor time is bounded, not real time.
try() {
  (ulimit -t 600
   CLUSTER_SIM_MUTANT=$1 exec "$program" --seeds "$2" --threads "$threads" --hours-per-seed 1 --repeat-every 0 \
     --shrink-runs 0 --stop-at-first) 2>&1
}
survived=0
if ! try none 20 >"$build/mutants.log"; then
  cat "$build/mutants.log"
  exit 1
fi
echo "| mutant | seeds tried | found by |"
echo "|---|---|---|"
for name in "${names[@]}"; do
  out=$(try "$name" "$seeds")
  found=$(grep -m1 '^seed ' <<<"$out")
  tried=$(grep -oE '^[0-9]+ seeds' <<<"$out" | grep -oE '[0-9]+')
  if [[ -n $found ]]; then
    echo "| $name | $tried | ${found:0:160} |"
  else
    echo "| $name | ${tried:-none: $(tail -1 <<<"$out")} | **survived** |"
    survived=$((survived + 1))
  fi
done
echo "${#names[@]} mutants, $survived survived"
[[ $survived == 0 ]]
