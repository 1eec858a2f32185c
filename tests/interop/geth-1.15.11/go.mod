module lesd.test/geth-1.15.11

go 1.23.0

require github.com/ethereum/go-ethereum v1.15.11
