#!/usr/bin/env bash
# clang-tidy's short allow-list (.clang-tidy) over every source of the programs, with a compilation database
# that leaves g++'s precompiled headers out. The sources of a library or program are looked at as one, so that
# the headers below them, which are most of the work, are read once. That unchanged ones passed is kept, for
# clones of this tree too: same text and same rules, same answer.
set -euo pipefail
source_dir=$1 build_dir=$2
tree=$build_dir/tidy
passed=${XDG_CACHE_HOME:-$HOME/.cache}/cluster-tidy
# As in cmake/cached.sh.
export GLIBC_TUNABLES=glibc.malloc.hugetlb=1
cmake -S "$source_dir" -B "$tree" -G Ninja -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_C_COMPILER=clang \
  -DCCACHE_PROGRAM=OFF -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON -DCLUSTER_UNITY=ON -DCLUSTER_UNITY_BATCH=0 >"$build_dir/tidy-configure.log" 2>&1 ||
  { cat "$build_dir/tidy-configure.log"; exit 1; }
# What the build generates, and sources include or stand beside.
mkdir -p "$tree/proto/schema"
cp -r "$build_dir/proto/cluster" "$tree/proto/"
cp "$build_dir/proto/schema/descriptors.cc" "$tree/proto/schema/"

# What CMake put together, or the source that stands alone.
sources_of() {
  case $1 in
    */Unity/*) sed -n 's/^#include "\(.*\)"$/\1/p' "$1" ;;
    *) echo "$1" ;;
  esac
}

check() {
  local file=$1 stamp=$2
  clang-tidy-14 --quiet -p "$3" "$file" 2>/dev/null || { echo "clang-tidy: $file"; return 1; }
  : > "$stamp"
}
export -f check

cd "$source_dir"
rules=$( (clang-tidy-14 --version | grep version; cat .clang-tidy; sed "s#$source_dir##g" "$tree/compile_commands.json") |
         sha256sum | cut -c1-16)
headers=$(find base proto controller node cli tests -name "*.h" -o -name "*.proto" | sort | xargs cat | sha256sum | cut -c1-16)
mkdir -p "$passed"
find "$passed" -type f -mtime +30 -delete
failed=0
todo=()
# The largest first: nothing long is left for the end.
while read -r _ file; do
  texts=$(sources_of "$file" | sed "s#^$source_dir/##" | xargs -d '\n' sha256sum)
  stamp=$passed/$(printf '%s %s %s' "$rules" "$headers" "$texts" | sha256sum | cut -c1-32)
  [ -e "$stamp" ] || todo+=("$file" "$stamp" "$tree")
done < <(grep -o '"file": "[^"]*"' "$tree/compile_commands.json" | cut -d'"' -f4 | sort -u |
         grep -E "^($source_dir|$tree)/(base|proto/(schema|validate)|controller|node|cli)/" | grep -v '/pch.cc$' |
         while IFS= read -r file; do echo "$(sources_of "$file" | wc -l) $file"; done | sort -k1,1nr -k2)
[ ${#todo[@]} -eq 0 ] && { echo "nothing changed"; exit 0; }
printf '%s\0' "${todo[@]}" | xargs -0 -n 3 -P "$(nproc)" bash -c 'check "$@"' check || failed=1
exit $failed
