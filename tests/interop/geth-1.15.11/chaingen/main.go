// Command chaingen makes one chain that go-ethereum 1.10.26 is too old for: ten blocks of proof of
// work (without work), then Paris, Shanghai, Cancun and Prague, with withdrawals, blobs, the beacon
// root, the block hash history, deposits, withdrawal and consolidation requests, and set-code
// transactions. It writes genesis.json, chain.rlp and manifest.json, the same bytes in every run,
// after go-ethereum's own chain has accepted all blocks.
//
//	chaingen merge FOLDER
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"path/filepath"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/consensus"
	"github.com/ethereum/go-ethereum/consensus/beacon"
	"github.com/ethereum/go-ethereum/consensus/ethash"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/rawdb"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/params"
)

const (
	chainID     = 1337
	genesisTime = 1_600_000_000
	blockTime   = 10
	gasLimit    = 30_000_000
	// Last block of each period.
	lastOfWork     = 10
	lastOfParis    = 20
	lastOfShanghai = 30
	lastOfCancun   = 50
	lastOfPrague   = 80
)

func main() {
	if len(os.Args) != 3 || os.Args[1] != "merge" {
		fmt.Fprintln(os.Stderr, "usage: chaingen merge FOLDER")
		os.Exit(2)
	}
	users := newUsers(3)
	genesis := newGenesis(users)
	engine := func() consensus.Engine { return beacon.New(ethash.NewFaker()) }
	_, blocks, receipts := core.GenerateChainWithGenesis(genesis, engine(), lastOfPrague,
		func(i int, b *core.BlockGen) { fill(genesis.Config, b, users, uint64(i+1)) })

	for i, receipts := range receipts {
		for j, receipt := range receipts {
			if receipt.Status != types.ReceiptStatusSuccessful {
				panic(fmt.Sprintf("block %d, transaction %d fails", i+1, j))
			}
		}
	}

	td := new(big.Int).Set(genesis.Difficulty)
	for _, block := range blocks[:lastOfWork] {
		td.Add(td, block.Difficulty())
	}
	// The chain maker goes by number; a chain goes by the difficulty that its work has reached.
	genesis.Config.TerminalTotalDifficulty = td
	verify(genesis, engine(), blocks)
	write(os.Args[2], genesis, blocks, td)
}

func newGenesis(users []*user) *core.Genesis {
	at := func(block uint64) *uint64 {
		time := genesisTime + block*blockTime
		return &time
	}
	config := *params.AllEthashProtocolChanges
	config.ChainID = big.NewInt(chainID)
	config.TerminalTotalDifficulty = new(big.Int).Lsh(big.NewInt(1), 200)
	config.MergeNetsplitBlock = big.NewInt(lastOfWork + 1)
	config.ShanghaiTime = at(lastOfParis + 1)
	config.CancunTime = at(lastOfShanghai + 1)
	config.PragueTime = at(lastOfCancun + 1)
	config.DepositContractAddress = depositAddress
	config.BlobScheduleConfig = &params.BlobScheduleConfig{
		Cancun: params.DefaultCancunBlobConfig, Prague: params.DefaultPragueBlobConfig,
	}
	system := func(code []byte) types.Account {
		return types.Account{Code: code, Nonce: 1, Balance: new(big.Int)}
	}
	alloc := types.GenesisAlloc{
		params.BeaconRootsAddress:        system(params.BeaconRootsCode),
		params.HistoryStorageAddress:     system(params.HistoryStorageCode),
		params.WithdrawalQueueAddress:    system(params.WithdrawalQueueCode),
		params.ConsolidationQueueAddress: system(params.ConsolidationQueueCode),
		depositAddress:                   system(depositCode),
		parisAddress:                     system(parisCode),
		cancunAddress:                    system(cancunCode),
		mortalAddress:                    system(mortalCode),
	}
	for _, user := range users {
		alloc[user.address] = types.Account{
			Balance: new(big.Int).Mul(big.NewInt(1_000_000), big.NewInt(params.Ether)),
		}
	}
	return &core.Genesis{
		Config: &config, Timestamp: genesisTime, GasLimit: gasLimit, Alloc: alloc,
		Difficulty: big.NewInt(131_072), BaseFee: big.NewInt(params.InitialBaseFee),
	}
}

// verify lets a full chain execute every block.
func verify(genesis *core.Genesis, engine consensus.Engine, blocks []*types.Block) {
	chain, err := core.NewBlockChain(rawdb.NewMemoryDatabase(), nil, genesis, nil, engine,
		vm.Config{}, nil)
	check(err)
	defer chain.Stop()
	_, err = chain.InsertChain(blocks)
	check(err)
	if chain.CurrentBlock().Hash() != blocks[len(blocks)-1].Hash() {
		panic("the chain has another head")
	}
}

func write(folder string, genesis *core.Genesis, blocks []*types.Block, td *big.Int) {
	check(os.MkdirAll(folder, 0o755))
	file, err := os.Create(filepath.Join(folder, "chain.rlp"))
	check(err)
	out := bufio.NewWriter(file)
	for _, block := range blocks {
		check(block.EncodeRLP(out))
	}
	check(out.Flush())
	check(file.Close())
	head := blocks[len(blocks)-1]
	for name, value := range map[string]any{
		"genesis.json": genesis,
		"manifest.json": map[string]any{
			"chain": "merge", "networkId": chainID, "blocks": len(blocks),
			"genesisHash": genesis.ToBlock().Hash(), "headHash": head.Hash(),
			"stateRoot": head.Root(), "totalDifficulty": td.String(),
			"contracts": map[string]common.Address{
				"deposit": depositAddress, "paris": parisAddress, "cancun": cancunAddress,
			},
		},
	} {
		text, err := json.MarshalIndent(value, "", " ")
		check(err)
		check(os.WriteFile(filepath.Join(folder, name), append(text, '\n'), 0o644))
	}
	fmt.Printf("merge: %d blocks, head %x\n", len(blocks), head.Hash())
}

// check ends the program: a chain is whole or not made.
func check(err error) {
	if err != nil {
		panic(err)
	}
}
