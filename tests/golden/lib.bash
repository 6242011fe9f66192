# What make.sh and make-lived.sh share: the program, a working folder, and how archives are made. Sourced
# by each as its first step, with the program as the first argument.
# shellcheck shell=bash

set -euo pipefail

# shellcheck disable=SC2034  # for who sources this
repo=$(realpath "$1")
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
umask 022

archive() { # name, folder, options
    [ ! -e "$2/reserve" ] || truncate -s 4096 "$2/reserve" # any bytes do
    tar --sort=name --owner=0 --group=0 "${@:3}" -cf "$here/$1.tar" -C "$2" .
}
