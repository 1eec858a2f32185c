#!/usr/bin/env bash
# Builds the foreign programs and our own small ones that the interop checks need, into
# $LES_INTEROP_DIR (build/interop). What is there and newer than its sources is kept.
#
#   scripts/interop-tools.sh [NAME...]     geth-1.10.26 geth-1.12.0 chaingen chaingen-merge harness
#                                          wirecompare ethereumjs sectionbench
#                                          genesishash-1.10.26 genesishash-1.15.11
#
# Needs Go 1.21 or later and a C compiler; ethereumjs needs Node.js 20 and npm. The first build takes
# two to three minutes.
set -euo pipefail
cd "$(dirname "$0")/.."
tools=${LES_INTEROP_DIR:-$PWD/build/interop}
mkdir -p "$tools"
export GOTOOLCHAIN=local GOFLAGS=-mod=mod

# build NAME MODULE PACKAGE [SOURCES]: go-ethereum links runtime functions by name, hence the
# linker flag. Without SOURCES the program is go-ethereum's own, and only its version counts.
build() {
    local name=$1 module=tests/interop/$2 package=$3 sources=${4:-tests/interop/$2/go.mod}
    if [[ -x $tools/$name && -z $(find "$sources" -type f -newer "$tools/$name" -print -quit) ]]
    then
        return
    fi
    echo "building $name" >&2
    (cd "$module" && go build -p 2 -ldflags=-checklinkname=0 -o "$tools/$name" "$package")
}

[[ $# -gt 0 ]] || set -- geth-1.10.26 geth-1.12.0 chaingen harness
for name in "$@"; do
    case $name in
        geth-1.10.26 | geth-1.12.0)
            build "$name" "$name" github.com/ethereum/go-ethereum/cmd/geth ;;
        chaingen)
            build chaingen geth-1.10.26 ./chaingen tests/interop/geth-1.10.26/chaingen ;;
        chaingen-merge)
            build chaingen-merge geth-1.15.11 ./chaingen tests/interop/geth-1.15.11/chaingen ;;
        genesishash-1.10.26 | genesishash-1.15.11)
            build "$name" "geth-${name#genesishash-}" ../genesishash/main.go \
                tests/interop/genesishash ;;
        ethereumjs)
            # Its client finds its own files by the first "client" in its path.
            source=tests/interop/ethereumjs target=$tools/ethereumjs
            mkdir -p "$target"
            cp "$source/preload.mjs" "$target"
            cmp -s "$source/package-lock.json" "$target/package-lock.json" &&
                [[ -d $target/node_modules ]] && continue
            echo "installing ethereumjs" >&2
            cp "$source/package.json" "$source/package-lock.json" "$target"
            npm ci --prefix "$target" --ignore-scripts --no-audit --no-fund >&2 ;;
        sectionbench)
            build sectionbench geth-1.10.26 ./sectionbench \
                tests/interop/geth-1.10.26/sectionbench ;;
        wirecompare)
            build wirecompare geth-1.10.26 ./wirecompare \
                tests/interop/geth-1.10.26/wirecompare ;;
        harness) build harness harness . tests/interop/harness ;;
        *) echo "interop-tools.sh: no tool named $name" >&2; exit 2 ;;
    esac
done
