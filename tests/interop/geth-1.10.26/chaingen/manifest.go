package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"

	"github.com/ethereum/go-ethereum/common"
)

// manifest tells a test what the chain holds.
type manifest struct {
	Chain           string                           `json:"chain"`
	NetworkID       uint64                           `json:"networkId"`
	Blocks          uint64                           `json:"blocks"`
	GenesisHash     common.Hash                      `json:"genesisHash"`
	HeadHash        common.Hash                      `json:"headHash"`
	StateRoot       common.Hash                      `json:"stateRoot"`
	TotalDifficulty string                           `json:"totalDifficulty"`
	Accounts        []common.Address                 `json:"accounts"`
	Contracts       map[string]common.Address        `json:"contracts"`
	Slots           map[common.Address][]common.Hash `json:"slots"`
	Transactions    []common.Hash                    `json:"transactions"`
	// Valid on top of the head and in no block.
	UnsentTransaction string `json:"unsentTransaction,omitempty"`
}

// sample keeps at most limit members, spread evenly and with the last one.
func sample[T any](all []T, limit int) []T {
	if len(all) <= limit {
		return all
	}
	kept := make([]T, 0, limit)
	for i := 1; i <= limit; i++ {
		kept = append(kept, all[i*len(all)/limit-1])
	}
	return kept
}

// finish writes what belongs to chain.rlp: genesis.json and manifest.json.
func (c *chain) finish(name string) {
	check(c.out.Flush())
	check(c.file.Close())
	accounts := make([]common.Address, 0, len(c.accounts))
	for address := range c.accounts {
		accounts = append(accounts, address)
	}
	sort.Slice(accounts, func(i, j int) bool {
		return bytes.Compare(accounts[i][:], accounts[j][:]) < 0
	})
	c.write("genesis.json", c.genesis)
	c.write("manifest.json", manifest{
		Chain: name, NetworkID: c.genesis.Config.ChainID.Uint64(), Blocks: c.head.NumberU64(),
		GenesisHash: c.start, HeadHash: c.head.Hash(),
		StateRoot: c.head.Root(), TotalDifficulty: c.td.String(),
		Accounts: sample(accounts, 400), Contracts: c.contracts, Slots: c.slots,
		Transactions: sample(c.txs, 400), UnsentTransaction: c.unsent,
	})
	fmt.Printf("%s: %d blocks, head %x\n", name, c.head.NumberU64(), c.head.Hash())
}

func (c *chain) write(name string, value any) {
	text, err := json.MarshalIndent(value, "", " ")
	check(err)
	check(os.WriteFile(filepath.Join(c.folder, name), append(text, '\n'), 0o644))
}
