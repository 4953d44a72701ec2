#!/usr/bin/env bash
# Every C++ source is as clang-format would write it. To mend: clang-format -i FILE.
set -euo pipefail
cd "$1"
find base proto controller node cli tests \( -name '*.cc' -o -name '*.h' -o -name '*.c' \) -print0 |
  xargs -0 -P "$(nproc)" -n 20 clang-format --dry-run -Werror
