module frames

go 1.21

require (
	github.com/ethereum/go-ethereum v1.10.26
	golang.org/x/crypto v0.0.0-20210921155107-089bfa567519
)

require github.com/golang/snappy v0.0.4 // indirect
