# Functions for scripts that run commands in a Debian of their own. Sourced; needs root and debootstrap for debian_root().

# archive: prints the address of Debian's archive in the machine's list of sources
archive() {
    apt-get indextargets --format '$(LABEL) $(SITE)' 'Created-By: Packages' | sed -n '/^Debian /{s///p;q}'
}

# debian_root RELEASE ROOT CACHE: makes a Debian of debootstrap's variant minbase in ROOT; packages are kept in CACHE
debian_root() {
    rm -rf --one-file-system "$2"
    mkdir -p "$2" "$3"
    debootstrap --variant=minbase --cache-dir="$3" "$1" "$2" "$(archive)" && cp /etc/resolv.conf "$2/etc/"
}

# in_root ROOT COMMAND: runs a shell command in a chroot with its own mount and PID namespaces. The
# bash outside the chroot is process 1 of the PID namespace.
in_root() {
    unshare --mount --pid --fork --kill-child bash -c '
        mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" &&
            env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 JOBS="$2" chroot "$0" /bin/bash -ec "$1"
        exit' "$1" "$2" "${JOBS:-$(nproc)}"
}

# copy_source REPO DIR: copies the files of the project that git knows
copy_source() {
    mkdir -p "$2"
    (cd "$1" && git ls-files -z | tar -c --null -T - | tar -x -C "$2")
}
