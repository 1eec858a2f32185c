package main

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"fmt"
	"math/big"
	"os"
	"path/filepath"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/consensus"
	"github.com/ethereum/go-ethereum/consensus/clique"
	"github.com/ethereum/go-ethereum/consensus/ethash"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/rawdb"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethdb"
	"github.com/ethereum/go-ethereum/params"
)

const (
	// The last block of the longest chain lies two years after this moment, still in the past.
	genesisTime = 1_600_000_000
	gasLimit    = 30_000_000
	chainID     = 1337
	// Longer than any chain here, so that a client that starts at a checkpoint finds the signers
	// in the genesis block.
	longEpoch = 30_000
	vanity    = 32
	seal      = 65
)

// account is a key with the nonce of its next transaction.
type account struct {
	key     *ecdsa.PrivateKey
	address common.Address
	nonce   uint64
}

// newAccount derives a key from its name, so that a chain has the same bytes in every run.
func newAccount(name string) *account {
	key, err := crypto.ToECDSA(crypto.Keccak256([]byte("lesd fixture key " + name)))
	check(err)
	return &account{key: key, address: crypto.PubkeyToAddress(key.PublicKey)}
}

func newAccounts(prefix string, count int) []*account {
	accounts := make([]*account, count)
	for i := range accounts {
		accounts[i] = newAccount(fmt.Sprintf("%s %d", prefix, i))
	}
	return accounts
}

// vote is what a Clique signer says about another in a block it seals.
type vote struct {
	target    common.Address
	authorize bool
}

// chain grows one sealed block at a time and writes each block to chain.rlp as it is made.
type chain struct {
	genesis *core.Genesis
	engine  consensus.Engine
	db      ethdb.Database
	start   common.Hash
	head    *types.Block
	td      *big.Int
	file    *os.File
	out     *bufio.Writer
	folder  string
	// Who seals block n, with which difficulty, and what it votes; nil for proof of work.
	sealer  func(number uint64) (*account, uint64, *vote)
	signers func(number uint64) []common.Address

	accounts  map[common.Address]bool
	contracts map[string]common.Address
	slots     map[common.Address][]common.Hash
	txs       []common.Hash
	unsent    string
}

// londonClique has every fork up to London from its genesis on and one signer.
func londonClique(sealer *account, alloc core.GenesisAlloc) *core.Genesis {
	config := *params.AllCliqueProtocolChanges
	config.ChainID = big.NewInt(chainID)
	config.Clique = &params.CliqueConfig{Period: 5, Epoch: longEpoch}
	return &core.Genesis{
		Config:     &config,
		Timestamp:  genesisTime,
		ExtraData:  checkpointExtra([]common.Address{sealer.address}),
		GasLimit:   gasLimit,
		Difficulty: big.NewInt(1),
		Alloc:      alloc,
		BaseFee:    big.NewInt(params.InitialBaseFee),
	}
}

func checkpointExtra(signers []common.Address) []byte {
	extra := make([]byte, vanity)
	for _, signer := range signers {
		extra = append(extra, signer.Bytes()...)
	}
	return append(extra, make([]byte, seal)...)
}

// newChain starts a chain in a folder. With sealer it is Clique with one signer; without, it is
// ethash without proof of work.
func newChain(folder string, genesis *core.Genesis, sealer *account) *chain {
	check(os.MkdirAll(folder, 0o755))
	file, err := os.Create(filepath.Join(folder, "chain.rlp"))
	check(err)
	db := rawdb.NewMemoryDatabase()
	c := &chain{
		genesis: genesis, db: db, folder: folder, file: file, out: bufio.NewWriter(file),
		accounts: map[common.Address]bool{}, contracts: map[string]common.Address{},
		slots: map[common.Address][]common.Hash{},
	}
	if sealer == nil {
		c.engine = ethash.NewFaker()
	} else {
		c.engine = clique.New(genesis.Config.Clique, db)
		c.sealer = func(uint64) (*account, uint64, *vote) { return sealer, 2, nil }
		c.signers = func(uint64) []common.Address { return []common.Address{sealer.address} }
	}
	c.head = genesis.MustCommit(db)
	c.start = c.head.Hash()
	c.td = new(big.Int).Set(genesis.Difficulty)
	return c
}

// blocks appends blocks as the chain maker leaves them: without a seal, and with uncles, which need
// their ancestors from the same call.
func (c *chain) blocks(count int, fill func(i int, b *core.BlockGen)) {
	blocks, _ := core.GenerateChain(c.genesis.Config, c.head, c.engine, c.db, count, fill)
	for _, block := range blocks {
		c.appended(block)
	}
}

// block appends one sealed block with what fill puts into it.
func (c *chain) block(fill func(b *core.BlockGen)) {
	number := c.head.NumberU64() + 1
	blocks, _ := core.GenerateChain(c.genesis.Config, c.head, c.engine, c.db, 1,
		func(_ int, b *core.BlockGen) {
			sealer, difficulty, _ := c.sealer(number)
			// The seal names the author; until then its fees need an address.
			b.SetCoinbase(sealer.address)
			b.SetDifficulty(new(big.Int).SetUint64(difficulty))
			if fill != nil {
				fill(b)
			}
		})
	c.appended(blocks[0].WithSeal(c.sealed(blocks[0].Header(), number)))
}

func (c *chain) appended(block *types.Block) {
	for _, tx := range block.Transactions() {
		c.txs = append(c.txs, tx.Hash())
	}
	check(block.EncodeRLP(c.out))
	c.td.Add(c.td, block.Difficulty())
	c.head = block
}

// sealed completes a header as a Clique signer does.
func (c *chain) sealed(header *types.Header, number uint64) *types.Header {
	sealer, _, opinion := c.sealer(number)
	header.Coinbase, header.Nonce = common.Address{}, types.BlockNonce{}
	header.Extra = make([]byte, vanity)
	if number%c.genesis.Config.Clique.Epoch == 0 {
		for _, signer := range c.signers(number) {
			header.Extra = append(header.Extra, signer.Bytes()...)
		}
	} else if opinion != nil {
		header.Coinbase = opinion.target
		if opinion.authorize {
			copy(header.Nonce[:], bytes.Repeat([]byte{0xff}, 8))
		}
	}
	header.Extra = append(header.Extra, make([]byte, seal)...)
	signature, err := crypto.Sign(clique.SealHash(header).Bytes(), sealer.key)
	check(err)
	copy(header.Extra[len(header.Extra)-seal:], signature)
	return header
}

// send signs a transaction of any type and adds it to the block.
func (c *chain) send(b *core.BlockGen, from *account, data types.TxData) *types.Transaction {
	tx, err := types.SignNewTx(from.key, types.MakeSigner(c.genesis.Config, b.Number()), data)
	check(err)
	b.AddTx(tx)
	from.nonce++
	c.accounts[from.address] = true
	if to := tx.To(); to != nil {
		c.accounts[*to] = true
	}
	return tx
}

// gasPrice is what a legacy transaction must offer in this block.
func (c *chain) gasPrice(b *core.BlockGen) *big.Int {
	tip := big.NewInt(params.GWei)
	if !c.genesis.Config.IsLondon(b.Number()) {
		return tip
	}
	return tip.Add(tip, b.BaseFee())
}

// withhold signs a transfer for the manifest that no block contains.
func (c *chain) withhold(from *account) {
	tx, err := types.SignNewTx(from.key, types.LatestSigner(c.genesis.Config), &types.LegacyTx{
		Nonce: from.nonce, GasPrice: big.NewInt(10 * params.GWei), Gas: params.TxGas,
		To: &from.address, Value: big.NewInt(1),
	})
	check(err)
	bytes, err := tx.MarshalBinary()
	check(err)
	c.unsent = hexutil.Encode(bytes)
}

// call sends a legacy transaction.
func (c *chain) call(b *core.BlockGen, from *account, to common.Address, gas, value uint64,
	data []byte) *types.Transaction {
	return c.send(b, from, &types.LegacyTx{
		Nonce: from.nonce, GasPrice: c.gasPrice(b), Gas: gas, To: &to,
		Value: new(big.Int).SetUint64(value), Data: data,
	})
}

// deploy creates a contract and remembers it by name.
func (c *chain) deploy(b *core.BlockGen, from *account, name string, value uint64, runtime []byte) {
	address := crypto.CreateAddress(from.address, from.nonce)
	c.send(b, from, &types.LegacyTx{
		Nonce: from.nonce, GasPrice: c.gasPrice(b), Gas: 3_000_000,
		Value: new(big.Int).SetUint64(value), Data: deployment(runtime),
	})
	c.contracts[name] = address
	c.accounts[address] = true
}

// remember names slots of interest of a contract.
func (c *chain) remember(address common.Address, slots ...uint64) {
	for _, slot := range slots {
		c.slots[address] = append(c.slots[address], common.BigToHash(new(big.Int).SetUint64(slot)))
	}
}

// check ends the program: a chain is whole or not made.
func check(err error) {
	if err != nil {
		panic(err)
	}
}
