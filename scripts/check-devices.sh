#!/bin/bash
# Checks that the program compiles with the features `cuda` and `metal`, on a machine that has neither.
# Usage: scripts/check-devices.sh [cuda|metal]…      (cuda unless told otherwise)
#
# cuda: kernels of the tensor library are compiled by nvcc; where there is none, a stand-in makes empty files, and only Rust is checked.
# metal: elsewhere than on macOS its standard library is compiled first, from Rust's sources; nothing is linked.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${CARGO_TARGET_DIR:-$PWD/target}/devices
mkdir -p "$folder"

cuda() {
    if ! command -v nvcc > /dev/null; then
        echo "no nvcc: kernels are not compiled" >&2
        mkdir -p "$folder/bin" "$folder/include"
        cat > "$folder/bin/nvcc" << 'STAND_IN'
#!/bin/bash
[ "${1:-}" != --version ] || { echo "Cuda compilation tools, release 12.8, V12.8.61"; exit; }
while [ $# -gt 0 ]; do
    case $1 in
        -o) mkdir -p "$(dirname "$2")"; : > "$2"; shift ;;
        -odir | --output-directory) odir=$2; shift ;;
        *.cu) [ -z "${odir:-}" ] || : > "$odir/$(basename "${1%.cu}").ptx" ;;
    esac
    shift
done
STAND_IN
        chmod +x "$folder/bin/nvcc"
        export PATH=$folder/bin:$PATH NVCC=$folder/bin/nvcc CUDA_HOME=$folder CUDA_PATH=$folder
    fi
    export CUDA_COMPUTE_CAP=${CUDA_COMPUTE_CAP:-80} CUDARC_CUDA_VERSION=${CUDARC_CUDA_VERSION:-12080}
    cargo check --workspace --features cuda --target-dir "$folder"
}

metal() {
    case $(uname) in
        Darwin) cargo check --workspace --features metal ;;
        # a stable compiler lets a standard library be built when told so
        *)
            [ -d "$(rustc --print sysroot)/lib/rustlib/src/rust/library" ] || rustup component add rust-src
            RUSTC_BOOTSTRAP=1 cargo check --workspace --features metal -Z build-std=std,panic_abort \
            --target aarch64-apple-darwin --target-dir "$folder"
            ;;
    esac
}

for device in "${@:-cuda}"; do
    "$device"
done
