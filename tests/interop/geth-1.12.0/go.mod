module lesd.test/geth-1.12.0

go 1.21

require github.com/ethereum/go-ethereum v1.12.0
