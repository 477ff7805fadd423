#!/usr/bin/env bash
# Test the kernels as ARM code on any Linux machine: qemu emulates the processor, Debian gives the
# interpreter, aarch64 wheels the rest. Correctness only: emulated code says nothing about speed, and it keeps
# x86's order of memory accesses between threads, which is stricter than ARM's.
#   .ci/emulated_arm.sh FOLDER                  tests of the kernels, fastbp verify, fastbp verify --all
#   .ci/emulated_arm.sh FOLDER COMMAND ...      another command there: python -m pytest tests/kernels/test_step.py
# FOLDER gets the environment (1 GB, made once) and the cache of compiled kernels. Needs mmdebstrap and
# qemu-user-static (of Debian or Ubuntu), and a Python with pip. Takes hours: LLVM itself is emulated.
#   ARM_CPU=generic   what LLVM may use; default neoverse-n1
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -ge 1 ] || { sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 2; }
mkdir -p "$1"
folder=$(cd "$1" && pwd)
shift
suite=bookworm version=3.11 # Debian's release and its Python

make_root() {
    mmdebstrap --variant=extract --architectures=arm64 --include=python3,libgomp1,libstdc++6 \
        "$suite" "$folder/system.part"
    mkdir -p "$folder/system.part/proc"
    mv "$folder/system.part" "$folder/system"
}

# What the kernels' tests need, from pyproject.toml.
requirements() {
    "${PYTHON:-python3}" - <<'END'
import tomllib

with open("pyproject.toml", "rb") as file:
    project = tomllib.load(file)["project"]
print(*project["dependencies"], sep="\n")
for requirement in project["optional-dependencies"]["test"]:
    if requirement.startswith(("pytest", "hypothesis")):
        print(requirement)
END
}

get_wheels() {
    platforms=(--platform manylinux2014_aarch64)
    for glibc in 17 24 27 28 31 34 35 36; do platforms+=(--platform "manylinux_2_${glibc}_aarch64"); done
    requirements >"$folder/requirements.txt"
    rm -rf "$folder/wheels.part"
    "${PYTHON:-python3}" -m pip install --quiet --no-warn-conflicts --target "$folder/wheels.part" --only-binary=:all: \
        --implementation cp --python-version "$version" "${platforms[@]}" -r "$folder/requirements.txt"
    mv "$folder/wheels.part" "$folder/wheels"
}

# LLVM asks /proc/cpuinfo for the processor. Of the host's it would understand nothing ("generic").
describe_cpu() {
    rm -f "$folder/system/proc/cpuinfo"
    case "${ARM_CPU:-neoverse-n1}" in
        generic) ;;
        neoverse-n1) printf '%s\n' >"$folder/system/proc/cpuinfo" 'processor	: 0' \
            'Features	: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp asimdrdm lrcpc asimddp' \
            'CPU implementer	: 0x41' 'CPU architecture: 8' 'CPU variant	: 0x3' 'CPU part	: 0xd0c' ;;
        *) echo "ARM_CPU is '$ARM_CPU'; expected neoverse-n1 or generic"; exit 2 ;;
    esac
}

# An interpreter that starts itself again: sys.executable is a script of the host, so that a test may start
# processes without the kernel knowing of qemu.
write_interpreter() {
    cat >"$folder/python" <<END
#!/bin/sh
exec qemu-aarch64-static -L "$folder/system" -0 "$folder/python" \\
    -E PYTHONHOME="$folder/system/usr" -E PYTHONPATH="\${PYTHONPATH:+\$PYTHONPATH:}$folder/wheels" \\
    "$folder/system/usr/bin/python$version" "\$@"
END
    chmod +x "$folder/python"
}

[ -d "$folder/system" ] || make_root
[ -d "$folder/wheels" ] || get_wheels
describe_cpu
write_interpreter
export PATH="$folder:$PATH" PYTHONPATH="$PWD:$PWD/kernels:$PWD/data" FASTBP_CACHE_DIR="$folder/cache"
export PYTHONDONTWRITEBYTECODE=1

say() { printf '\n== %s\n' "$*"; }

say "the machine that is emulated"
python - <<'END'
import platform

import llvmlite
import llvmlite.binding as llvm
import numba
import numpy
from fastbp_kernels import target

features = " ".join(name for name, on in sorted(llvm.get_host_cpu_features().items()) if on)
print(f"{platform.machine()}, LLVM's CPU {llvm.get_host_cpu_name()}, features: {features or 'none reported'}")
print(f"vectors of {target.BITS} bits, {target.REGISTERS} registers, fused multiply-add {target.HAS_FMA}")
print(f"Python {platform.python_version()}, NumPy {numpy.__version__}, Numba {numba.__version__}, "
      f"llvmlite {llvmlite.__version__}")
END

if [ $# -gt 0 ]; then
    say "$*"
    "$@"
    exit
fi
failed=()
run() {
    say "$*"
    "$@" || failed+=("$*")
}
# One process a file: each starts from the cache of those before it, and a crash costs one file. Left out:
# test_widths.py, whose 256 and 512 bits no ARM processor has, and test_cache.py, which compiles anew each time.
for file in tests/kernels/test_*.py; do
    case "$file" in */test_widths.py | */test_cache.py) continue ;; esac
    run python -X faulthandler -m pytest -q -p no:cacheprovider "$file"
done
run python -m fastbp verify --hidden 32 --samples 2000
run python -m fastbp verify --all
say "summary"
[ ${#failed[@]} -eq 0 ] && { echo "all passed"; exit; }
printf 'failed: %s\n' "${failed[@]}"
exit 1
