// Command sectionbench measures how long go-ethereum's own indexers take for the first helper-trie
// section (32,768 blocks) of a chain: its CHT, and its bloom bits with their BloomTrie. The headers
// lie in a LevelDB on disk, as they do in geth. It prints one line of JSON with wall-clock and CPU
// milliseconds (the bloom indexer sleeps 100 ms between its eight parts, so CPU is the honest
// figure) and the roots.
//
//	sectionbench GENESIS CHAIN.rlp
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/rawdb"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/ethdb"
	"github.com/ethereum/go-ethereum/event"
	"github.com/ethereum/go-ethereum/light"
	"github.com/ethereum/go-ethereum/params"
	"github.com/ethereum/go-ethereum/rlp"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: sectionbench GENESIS CHAIN.rlp")
		os.Exit(2)
	}
	folder, err := os.MkdirTemp("", "sectionbench-")
	check(err)
	defer os.RemoveAll(folder)
	db, err := rawdb.NewLevelDBDatabase(filepath.Join(folder, "chaindata"), 256, 256, "", false)
	check(err)
	defer db.Close()
	head := fill(db, os.Args[1], os.Args[2])
	chain := &fixedChain{head: head}

	const size, part, confirmations = params.CHTFrequency, params.BloomBitsBlocks,
		params.HelperTrieProcessConfirmations
	cht := light.NewChtIndexer(db, nil, size, confirmations, true)
	chtWall, chtCPU := measure(func() { cht.Start(chain) }, cht)
	bits := core.NewBloomIndexer(db, part, confirmations)
	bloom := light.NewBloomTrieIndexer(db, nil, part, size, true)
	bits.AddChildIndexer(bloom)
	bloomWall, bloomCPU := measure(func() { bits.Start(chain) }, bloom)

	_, _, sectionHead := cht.Sections()
	text, err := json.Marshal(map[string]any{
		"chtMillis": chtWall, "chtCpuMillis": chtCPU,
		"bloomMillis": bloomWall, "bloomCpuMillis": bloomCPU,
		"sectionHead": sectionHead,
		"chtRoot":     light.GetChtRoot(db, 0, sectionHead),
		"bloomRoot":   light.GetBloomTrieRoot(db, 0, sectionHead),
	})
	check(err)
	fmt.Println(string(text))
	check(cht.Close())
	check(bits.Close())
}

// fill stores headers, canonical hashes and total difficulties, which is all that indexers read.
func fill(db ethdb.Database, genesisPath, chainPath string) *types.Header {
	text, err := os.ReadFile(genesisPath)
	check(err)
	var genesis core.Genesis
	check(json.Unmarshal(text, &genesis))
	head := genesis.ToBlock().Header()
	td := new(big.Int)
	file, err := os.Open(chainPath)
	check(err)
	defer file.Close()
	stream := rlp.NewStream(file, 0)
	for {
		td = new(big.Int).Add(td, head.Difficulty)
		rawdb.WriteHeader(db, head)
		rawdb.WriteCanonicalHash(db, head.Hash(), head.Number.Uint64())
		rawdb.WriteTd(db, head.Hash(), head.Number.Uint64(), td)
		var block types.Block
		if err := stream.Decode(&block); errors.Is(err, io.EOF) {
			return head
		} else {
			check(err)
		}
		head = block.Header()
	}
}

// measure starts an indexer and waits for its first section.
func measure(start func(), indexer *core.ChainIndexer) (wall, cpu float64) {
	begin, used := time.Now(), cpuTime()
	start()
	for {
		if sections, _, head := indexer.Sections(); sections > 0 && head != (common.Hash{}) {
			return millis(time.Since(begin)), millis(cpuTime() - used)
		}
		time.Sleep(time.Millisecond)
	}
}

func cpuTime() time.Duration {
	var usage syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// fixedChain is a chain that does not grow.
type fixedChain struct {
	head *types.Header
	feed event.Feed
}

func (c *fixedChain) CurrentHeader() *types.Header { return c.head }

func (c *fixedChain) SubscribeChainHeadEvent(to chan<- core.ChainHeadEvent) event.Subscription {
	return c.feed.Subscribe(to)
}

// check ends the program: there is no figure without all of it.
func check(err error) {
	if err != nil {
		panic(err)
	}
}
