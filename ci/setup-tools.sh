#!/usr/bin/env bash
# Install what only tests and lint use and pip cannot install: clang++ with its sanitizers, doctest, espeak-ng.
#
# Without them the tests that need them are skipped.
set -euo pipefail
cd "$(dirname "$0")/.."
source ci/packages.sh

# The sanitizers are a package of their own, which Debian's clang recommends only.
has_runtime() { echo 'int main() {}' | "$1" -x c++ - -fsanitize=address,undefined -o /dev/null 2>/dev/null; }

missing=()
clang=$(command -v clang++ || command -v clang++-14 || true)
if [ -z "$clang" ]; then
  missing+=(clang libclang-rt-dev)
elif ! has_runtime "$clang"; then
  major=$("$clang" -dumpversion)
  missing+=("libclang-rt-${major%%.*}-dev")
fi
echo '#include <doctest/doctest.h>' | g++ -E -x c++ - >/dev/null 2>&1 || missing+=(doctest-dev)

want_speech=()
command -v espeak-ng >/dev/null || want_speech+=(espeak-ng)
want "the data set of spoken keywords is neither made nor tested" "${want_speech[@]}"

want "C++ is not tested with clang++, or not at all" "${missing[@]}"
