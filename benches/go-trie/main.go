// Account proofs of go-ethereum's trie, as its LES server makes them: the trie is opened for each
// request, nodes come from LevelDB through a clean cache that holds all of them.
//
//	go run . ACCOUNTS TURNS   nanoseconds a proof, one turn a line, after the state root
package main

import (
	"encoding/binary"
	"fmt"
	"math/big"
	"os"
	"strconv"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/rawdb"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/light"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/ethereum/go-ethereum/trie"
	"golang.org/x/sys/unix"
)

const proofs = 20_000

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// key is the hashed address of the n-th account, which has n+1 wei.
func key(n uint64) []byte {
	var number [8]byte
	binary.BigEndian.PutUint64(number[:], n)
	address := crypto.Keccak256(number[:])[12:]
	return crypto.Keccak256(address)
}

func build(db *trie.Database, accounts uint64) common.Hash {
	tr := trie.NewEmpty(db)
	for n := uint64(0); n < accounts; n++ {
		account, err := rlp.EncodeToBytes(&types.StateAccount{
			Balance:  new(big.Int).SetUint64(n + 1),
			Root:     types.EmptyRootHash,
			CodeHash: crypto.Keccak256(nil),
		})
		must(err)
		tr.Update(key(n), account)
	}
	root, nodes, err := tr.Commit(false)
	must(err)
	must(db.Update(trie.NewWithNodeSet(nodes)))
	must(db.Commit(root, false, nil))
	return root
}

// cpu is the nanoseconds that all threads of this process have run, the collector's included.
func cpu() int64 {
	var time unix.Timespec
	must(unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &time))
	return time.Nano()
}

func main() {
	accounts, err := strconv.ParseUint(os.Args[1], 10, 64)
	must(err)
	turns, err := strconv.Atoi(os.Args[2])
	must(err)
	directory, err := os.MkdirTemp("", "go-trie")
	must(err)
	defer os.RemoveAll(directory)
	disk, err := rawdb.NewLevelDBDatabase(directory, 512, 64, "", false)
	must(err)
	root := build(trie.NewDatabase(disk), accounts)
	fmt.Printf("%x\n", root)

	db := trie.NewDatabaseWithConfig(disk, &trie.Config{Cache: 1024})
	keys := make([][]byte, proofs)
	for i := range keys {
		keys[i] = key(uint64(i) * 7919 % accounts)
	}
	// The first turn warms the cache and is not shown.
	for turn := 0; turn <= turns; turn++ {
		start := cpu()
		for _, key := range keys {
			tr, err := trie.New(common.Hash{}, root, db)
			must(err)
			nodes := light.NewNodeSet()
			must(tr.Prove(key, 0, nodes))
			if nodes.KeyCount() < 2 {
				panic("a proof has more nodes")
			}
		}
		if turn > 0 {
			fmt.Println((cpu() - start) / proofs)
		}
	}
}
