#!/usr/bin/env bash
# Builds a base for the image like python:3.13-alpine, of Debian's packages alone: CPython 3.13 of
# trixie's source, linked against trixie's musl. As root; six minutes on two CPUs:
#   tests/real_parts/musl_base.sh /var/tmp/musl-base.tar
#   BASE_IMAGE_ARCHIVE=/var/tmp/musl-base.tar .venv/bin/python -m pytest -n0 tests/e2e/test_image.py
# A second argument is the folder to work in, which then stays: a later run begins where it ended.
set -euo pipefail

archive=$(realpath -- "${1:?usage: $0 ARCHIVE [FOLDER]}")
bundle=/etc/ssl/certs/ca-certificates.crt # this machine's, as the stand-in has it: for pip
if [ $# -gt 1 ]; then
    mkdir -p "$2"
    root=$(realpath -- "$2")
else
    root=$(mktemp --directory /var/tmp/musl-base-XXXXXX)
    trap 'rm -rf --one-file-system -- "$root"' EXIT
fi
command -v debootstrap >/dev/null || apt-get install -qq debootstrap </dev/null

# Nothing of this machine is changed: packages and sources of trixie go into a root of their own.
if [ ! -e "$root/etc/debian_version" ]; then
    debootstrap --variant=minbase trixie "$root"
fi

cat >"$root/inside" <<'INSIDE'
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
# The mirror is debootstrap's.
sed -n 's/^deb /deb-src /p' /etc/apt/sources.list >/etc/apt/sources.list.d/sources.list
apt-get update -qq
apt-get install -qq --no-install-recommends \
    musl-tools linux-libc-dev busybox-static gcc make perl xz-utils dpkg-dev pkg-config \
    </dev/null >/dev/null

# musl-gcc does not look at /usr/include, where the kernel's headers are too.
for folder in linux asm-generic; do
    ln -sfn "/usr/include/$folder" "/usr/include/x86_64-linux-musl/$folder"
done
ln -sfn /usr/include/x86_64-linux-gnu/asm /usr/include/x86_64-linux-musl/asm

# Where its loader looks; Python's build tries the modules that it has built.
echo /lib:/usr/local/lib:/usr/lib:/musl/lib >/etc/ld-musl-x86_64.path

# As musl-gcc, but it says what it compiles for: Python's configure asks, and names wheels after it.
mkdir -p /musl/bin
cat >/musl/bin/cc <<'CC'
#!/bin/sh
case "$*" in
    -print-multiarch | --print-multiarch) echo x86_64-linux-musl ;;
    *) exec musl-gcc -I/musl/include -L/musl/lib "$@" ;;
esac
CC
chmod +x /musl/bin/cc
export CC=/musl/bin/cc PATH="/musl/bin:$PATH" PKG_CONFIG_LIBDIR=/musl/lib/pkgconfig
MAKEFLAGS=-j$(nproc)
export MAKEFLAGS

# Once: unpack PACKAGE's source as its authors wrote it (Debian's patches move Python's folders),
# and run the commands given in it.
once() {
    local package=$1
    shift
    [ ! -e "/musl/$package.done" ] || return 0
    rm -rf "/musl/$package"
    mkdir -p "/musl/$package/source"
    cd "/musl/$package"
    apt-get source -qq --download-only -o APT::Sandbox::User=root "$package"
    dpkg-source --skip-patches --extract ./*.dsc unpacked
    cd unpacked
    echo "building $package"
    "$@" >"/musl/$package.log" 2>&1 || {
        tail -n 20 "/musl/$package.log" >&2
        exit 1
    }
    touch "/musl/$package.done"
}
configured() {
    ./configure --prefix=/musl "$@" && make && make install
}
libbz2() {
    make -f Makefile-libbz2_so CC="$CC" && cp bzlib.h /musl/include/ &&
        cp libbz2.so.1.0* /musl/lib/ && ln -sf libbz2.so.1.0 /musl/lib/libbz2.so
}
libssl() {
    ./Configure linux-x86_64 --prefix=/musl --libdir=lib --openssldir=/etc/ssl no-tests no-docs &&
        make && make install_sw
}
# Configured as the official image is, but for its profile-guided and link-time optimizations. 1 MB
# is the stack that it gives threads: musl's own are too small for Python's recursion limit. Modules
# whose library is not here (ctypes, sqlite3, tkinter, curses) are left out: none is imported.
python() {
    ./configure --enable-shared --enable-option-checking=fatal --with-ensurepip \
        --disable-test-modules --with-openssl=/musl LDFLAGS=-Wl,--strip-all &&
        make EXTRA_CFLAGS=-DTHREAD_STACK_SIZE=0x100000 && make install
}
mkdir -p /musl/include /musl/lib
once zlib configured
once bzip2 libbz2
once xz-utils configured --disable-static --disable-xz --disable-xzdec --disable-lzmainfo \
    --disable-lzma-links --disable-scripts --disable-doc
once openssl libssl
once python3.13 python

base=/musl/base
rm -rf "$base"
mkdir -p "$base"/{bin,etc/ssl/certs,lib,proc,sys,dev,root,run,usr/bin,usr/lib,usr/local/lib,var/tmp}
mkdir -m 1777 "$base/tmp"
cp /usr/lib/x86_64-linux-musl/libc.so "$base/lib/ld-musl-x86_64.so.1"
ln -s ld-musl-x86_64.so.1 "$base/lib/libc.musl-x86_64.so.1"
cp -a /musl/lib/lib{z,bz2,lzma,ssl,crypto}.so.* "$base/usr/lib/"
strip "$base"/usr/lib/*.so.*
cp -a /usr/local/bin "$base/usr/local/"
cp -a /usr/local/lib/libpython3* /usr/local/lib/python3.13 "$base/usr/local/lib/"
ln -s python3 "$base/usr/local/bin/python"
# What the official image leaves out.
find "$base/usr/local" -depth \( -type d \( -name test -o -name tests -o -name idle_test \) \
    -o -type f \( -name '*.pyc' -o -name 'libpython*.a' \) \) -exec rm -rf {} +
cp "$(command -v busybox)" "$base/bin/busybox"
/bin/busybox --list | while read -r applet; do
    [ "$applet" = busybox ] || ln -s busybox "$base/bin/$applet"
done
ln -s certs/ca-certificates.crt "$base/etc/ssl/cert.pem"
echo 'root:x:0:0:root:/root:/bin/sh' >"$base/etc/passwd"
echo 'root:x:0:' >"$base/etc/group"
# A base that cannot import these would be found out late.
chroot "$base" /usr/local/bin/python3 -c 'import bz2, hashlib, lzma, pip, ssl, sys, zlib
assert sys.implementation._multiarch == "x86_64-linux-musl"
print("Python", sys.version, ssl.OPENSSL_VERSION)'
INSIDE
chroot "$root" /bin/bash /inside
cp "$bundle" "$root/musl/base/etc/ssl/certs/ca-certificates.crt"
find "$root/musl/base" -name __pycache__ -exec rm -rf {} +
tar --create --file "$archive" --numeric-owner --owner=0 --group=0 --directory "$root/musl/base" .
echo "$archive: $(du --bytes "$archive" | cut -f1) bytes"
