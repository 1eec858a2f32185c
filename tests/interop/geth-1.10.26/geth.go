//go:build tools

// Package geth pins go-ethereum v1.10.26. scripts/interop-tools.sh builds its command, which the
// interop checks run as a light client and as a full node, from the versions in this go.mod.
package geth

import _ "github.com/ethereum/go-ethereum/cmd/geth"
