#!/bin/sh
# Makes a .deb of a built program, with dpkg-deb alone.
#
#   crates/yanxiu/packaging/deb.sh PROGRAM [OUT]      PROGRAM: target/release/yanxiu, or a static one (static.sh)
#
# OUT is a folder, target/deb if it is not given. Equal input makes equal bytes (SOURCE_DATE_EPOCH, the last commit's
# time if it is not set).
set -eu
program=$1
out=${2:-target/deb}
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$root/Cargo.toml" | head -1)
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct 2>/dev/null || echo 0)}
export SOURCE_DATE_EPOCH

# The machine that the program is for, from the file itself (ELF: bytes 18 and 19).
case $(od -An -tx1 -j18 -N2 "$program" | tr -d ' ') in
    3e00) arch=amd64 ;;
    b700) arch=arm64 ;;
    *) echo "deb.sh: $program is for neither x86-64 nor ARM 64" >&2; exit 1 ;;
esac
# A static program needs no libraries; the other one the C library that it was built against.
depends='adduser'
if grep -aq 'ld-linux' "$program"; then
    glibc=$(grep -ao 'GLIBC_2\.[0-9]*' "$program" | sort -t. -k2 -n | tail -1 | sed 's/GLIBC_//')
    depends="$depends, libc6 (>= ${glibc:-2.31})"
fi

work=$(mktemp -d)
chmod 0755 "$work"
trap 'rm -rf "$work"' EXIT
install -D -m 0755 "$program" "$work/usr/bin/yanxiu"
install -D -m 0644 "$here/yanxiu.service" "$work/usr/lib/systemd/system/yanxiu.service"
doc=$work/usr/share/doc/yanxiu
install -D -m 0644 "$root/crates/yanxiu/OPERATION.md" "$doc/OPERATION.md"
install -D -m 0644 "$root/README.md" "$doc/README.md"
cat "$root/LICENSE-MIT" > "$doc/copyright"
chmod 0644 "$doc/copyright"
mkdir -p "$work/DEBIAN"
for script in postinst prerm postrm; do
    install -m 0755 "$here/debian/$script" "$work/DEBIAN/$script"
done
size=$(du -sk --apparent-size "$work/usr" | awk '{s += $1} END {print s}')
cat > "$work/DEBIAN/control" <<END
Package: yanxiu
Version: $version
Architecture: $arch
Maintainer: Yanxiu <yanxiu@localhost>
Section: education
Priority: optional
Installed-Size: $size
Depends: $depends
Description: teachers' training records that work offline and sync by themselves
 A school enters sessions, attendance and training credits on its own computer,
 with or without a network; records travel to the county hub by whatever link
 appears, and the county's decisions come back. One program for hub and school.
END
(cd "$work" && find usr -type f | LC_ALL=C sort | xargs md5sum > DEBIAN/md5sums)
find "$work" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
mkdir -p "$out"
deb="$out/yanxiu_${version}_$arch.deb"
dpkg-deb --root-owner-group --build "$work" "$deb" >/dev/null
echo "$deb"
