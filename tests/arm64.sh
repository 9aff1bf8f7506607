#!/bin/sh
# A query on arm64, emulated: the same bundle is asked here and under qemu, and both must say the same.
#
#   sudo apt-get install qemu-user-static debootstrap
#   sudo PYTHON=.venv/bin/python tests/arm64.sh [FOLDER]
#
# FOLDER (default /tmp/emotions-arm64, some 700 MB) keeps what was fetched, for the next time. Debian's mirror and pip's
# index are those this machine is set to. Needs no chroot and no binfmt: qemu is started by name, and QEMU_LD_PREFIX and
# PYTHONHOME point into Debian's files. onnxruntime is held at 1.20.1: newer ones crash under Debian 12's qemu.
set -eu

here=$(cd "$(dirname "$0")/.." && pwd)
work=${1:-/tmp/emotions-arm64}
python=${PYTHON:-$here/.venv/bin/python}
qemu=qemu-aarch64-static
root=$work/root
site=$work/site

for tool in debootstrap dpkg-deb $qemu "$python"; do
    command -v "$tool" > /dev/null || { echo "error: $tool is missing; see the head of $0." >&2; exit 2; }
done
mkdir -p "$work"

if [ ! -e "$root/.unpacked" ]; then
    echo "== Debian for arm64"
    rm -rf "$root"
    debootstrap --arch=arm64 --foreign --variant=minbase --include=python3 bookworm "$root" > "$work/debootstrap.log"
    for package in "$root"/var/cache/apt/archives/*.deb; do dpkg-deb -x "$package" "$root"; done
    touch "$root/.unpacked"
fi
version=$(basename "$(ls "$root"/usr/bin/python3.[0-9]* | head -1)" | sed 's/python//')

if [ ! -e "$site/.unpacked" ]; then
    echo "== wheels for arm64 and Python $version"
    rm -rf "$site" "$work/wheels"
    platforms=$(printf -- '--platform manylinux_2_%s_aarch64 ' 28 27 17)
    # shellcheck disable=SC2086 # several options on purpose
    "$python" -m pip download --quiet --disable-pip-version-check --dest "$work/wheels" $platforms \
        --platform manylinux2014_aarch64 --only-binary=:all: --implementation cp --python-version "$version" \
        numpy faiss-cpu==1.15.1 'opencv-python-headless>=4.14,<4.15' onnxruntime==1.20.1 typer rich
    for wheel in "$work"/wheels/*.whl; do "$python" -m zipfile -e "$wheel" "$site"; done
    touch "$site/.unpacked"
fi

echo "== a bundle, made here"
rm -rf "$work/bundle.zip" "$work/pictures"
"$python" "$here/tests/make_tiny_bundle.py" "$work/bundle.zip" "$work/pictures"

# the package of scripts/ has another name where it is installed
rm -rf "$work/source"
mkdir "$work/source"
for name in galleries siamese eval; do ln -s "$here/$name" "$work/source/$name"; done
ln -s "$here/scripts" "$work/source/emotions_cli"

arm() {
    QEMU_LD_PREFIX=$root PYTHONHOME=$root/usr PYTHONPATH=$work/source:$site PYTHONDONTWRITEBYTECODE=1 \
        $qemu "$root/usr/bin/python$version" "$@"
}

echo "== asked here and there"
arm -c 'import platform, numpy, cv2, faiss, onnxruntime
print(platform.machine(), "Python", platform.python_version())
for library in (numpy, cv2, faiss, onnxruntime): print(library.__name__, library.__version__)'
set -- query "$work/bundle.zip" "$work/pictures" --threads 1 --provider cpu --json
PYTHONPATH=$work/source "$python" -m emotions_cli.cli "$@" > "$work/here.json"
arm -m emotions_cli.cli "$@" > "$work/there.json"
"$python" "$here/tests/make_tiny_bundle.py" --compare "$work/here.json" "$work/there.json"
