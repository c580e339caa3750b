#!/usr/bin/env bash
# Create the environment of the repository: ci/setup.sh PYTHON VENV
#
# Installs the five distributions so that edits take effect at once, without the heavy extras. What pip cannot install (a
# C++ compiler, Python's venv module) is a matter of packages.sh.
set -euo pipefail
python=$1
venv=$2
cd "$(dirname "$0")/.."
source ci/packages.sh

missing=()
command -v "$python" >/dev/null || missing+=(python3)
"$python" -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3-venv)
command -v g++ >/dev/null || missing+=(g++)

# Only waveforms (FST) of simulations need these headers.
optional=()
if command -v g++ >/dev/null; then
  echo '#include <lz4.h>' | g++ -E -x c++ - >/dev/null 2>&1 || optional+=(liblz4-dev)
  echo '#include <zlib.h>' | g++ -E -x c++ - >/dev/null 2>&1 || optional+=(zlib1g-dev)
else
  optional=(liblz4-dev zlib1g-dev)
fi

need "${missing[@]}"
want "simulations write no waveforms (FST)" "${optional[@]}"

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || {
  echo "Python 3.10 or newer is needed, $("$python" --version) was found; try: make PYTHON=python3.11 ..." >&2
  exit 1
}

[ -x "$venv/bin/pip" ] || "$python" -m venv "$venv"
install=("$venv/bin/pip" install --quiet --disable-pip-version-check --no-compile -c ci/constraints.txt)
# Without a build environment for each of the five, the whole takes seconds.
"${install[@]}" 'setuptools>=77'
"${install[@]}" --no-build-isolation \
  -e finn-base -e finn-hlslib -e 'finn[synth]' -e finn-examples -e brevitas-export
