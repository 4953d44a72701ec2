#!/bin/sh
# cached.sh SOURCE_DIR COMPILER ARG...   compiles through ccache(1), for a clone anywhere
# What is compiled in one clone is found by another: paths below the build tree, where compilers run,
# are given as relative ones, also where ccache does not look for them (-Xclang).
export CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
export CCACHE_NOHASHDIR=1 CCACHE_BASEDIR=$1
# A compiler touches much memory once: in large pages that is fewer faults.
export GLIBC_TUNABLES=glibc.malloc.hugetlb=1
shift
dependencies=
last=
for arg; do
  shift
  set -- "$@" "${arg#"$PWD/"}"
  [ "$last" != -MF ] || dependencies=$arg
  last=$arg
done
ccache "$@" || exit
# What clang calls the folder it runs in (Options.cmake), which ninja would take for a path like others.
[ -z "$dependencies" ] || sed -i 's#/proc/self/cwd/##g' "$dependencies"
