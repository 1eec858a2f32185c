package main

import (
	"bytes"
	"math/big"
	"sort"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/params"
)

const (
	forkBlocks = 100
	forkEpoch  = 20
)

// forkConfig passes every fork from Frontier to London within 46 blocks.
func forkConfig() *params.ChainConfig {
	at := func(number int64) *big.Int { return big.NewInt(number) }
	return &params.ChainConfig{
		ChainID: big.NewInt(chainID), HomesteadBlock: at(5), EIP150Block: at(10),
		EIP155Block: at(15), EIP158Block: at(15), ByzantiumBlock: at(20),
		ConstantinopleBlock: at(25), PetersburgBlock: at(25), IstanbulBlock: at(30),
		MuirGlacierBlock: at(35), BerlinBlock: at(40), LondonBlock: at(45),
	}
}

// forks is Clique with signers that vote each other in and out, through all forks.
func forks(folder string) {
	signers, users := newAccounts("signer", 3), newAccounts("user", 4)
	sort.Slice(signers, func(i, j int) bool {
		return bytes.Compare(signers[i].address[:], signers[j].address[:]) < 0
	})
	config := forkConfig()
	config.Clique = &params.CliqueConfig{Period: 5, Epoch: forkEpoch}
	council := &council{signers: []*account{signers[0], signers[1]}, newcomer: signers[2]}
	c := newChain(folder, &core.Genesis{
		Config: config, Timestamp: genesisTime, GasLimit: gasLimit, Difficulty: big.NewInt(1),
		ExtraData: checkpointExtra(council.addresses()), Alloc: funded(users),
	}, signers[0])
	c.sealer = func(uint64) (*account, uint64, *vote) { return council.chosen() }
	c.signers = func(uint64) []common.Address { return council.addresses() }
	for number := uint64(1); number <= forkBlocks; number++ {
		council.open(number)
		c.block(func(b *core.BlockGen) { c.frontierMix(b, users, number) })
		council.close()
	}
	c.finish("forks")
}

// council is who may seal the next block. Two votes of the same content, one by each of two
// signers in turn, let the newcomer in at block 25 and put the second signer out at block 65.
type council struct {
	signers  []*account
	newcomer *account
	last     *account
	number   uint64
	sealer   *account
	inTurn   uint64
}

func (c *council) addresses() []common.Address {
	addresses := make([]common.Address, len(c.signers))
	for i, signer := range c.signers {
		addresses[i] = signer.address
	}
	return addresses
}

// open picks the sealer: mostly the one in turn, at times the next who has not just sealed.
func (c *council) open(number uint64) {
	c.number = number
	turn := int(number % uint64(len(c.signers)))
	choice := turn
	if number%5 == 3 {
		choice++
	}
	for c.signers[choice%len(c.signers)] == c.last {
		choice++
	}
	c.sealer, c.inTurn = c.signers[choice%len(c.signers)], 1
	if choice%len(c.signers) == turn {
		c.inTurn = 2
	}
}

func (c *council) chosen() (*account, uint64, *vote) {
	switch c.number {
	case 23, 24:
		return c.sealer, c.inTurn, &vote{target: c.newcomer.address, authorize: true}
	case 63, 64:
		return c.sealer, c.inTurn, &vote{target: c.signers[1].address}
	}
	return c.sealer, c.inTurn, nil
}

func (c *council) close() {
	c.last = c.sealer
	switch c.number {
	case 24:
		c.signers = append(c.signers, c.newcomer)
	case 64:
		c.signers = []*account{c.signers[0], c.signers[2]}
	}
}

// frontierMix is one to four transactions that every fork since Frontier knows.
func (c *chain) frontierMix(b *core.BlockGen, users []*account, number uint64) {
	from := users[number%uint64(len(users))]
	if number == 1 {
		c.deploy(b, from, "slots", 0, slotsCode)
		c.deploy(b, from, "events", 0, eventsCode)
		c.deploy(b, from, "environment", 0, frontierEnvironmentCode)
		c.deploy(b, from, "failing", 0, failingCode)
		c.remember(c.contracts["environment"], 0, 1, 2, 3, 4, 5, 6, 7)
		return
	}
	fresh := common.BigToAddress(new(big.Int).SetUint64(0xe00000 + number))
	switch number % 5 {
	case 0:
		// Touches an account that does not exist: before EIP-158 this leaves an empty one.
		c.call(b, from, fresh, 50_000, 0, nil)
		c.call(b, from, common.BigToAddress(big.NewInt(0xe00000+5)), 50_000, 0, nil)
		c.call(b, from, c.contracts["environment"], 500_000, 0, nil)
	case 1:
		c.call(b, from, c.contracts["slots"], 500_000, 0, words(number, 4, number%3))
		c.call(b, from, c.contracts["slots"], 500_000, 0, words(number-5, 4, 0))
		c.remember(c.contracts["slots"], number, number-5)
	case 2:
		c.call(b, from, c.contracts["events"], 200_000, 0, words(number))
		c.call(b, from, c.contracts["failing"], 60_000, 0, words(number/5%3))
	case 3:
		name := "mortal " + big.NewInt(int64(number)).String()
		c.deploy(b, from, name, 7, mortalCode)
		c.call(b, from, c.contracts[name], 60_000, 11, nil)
		if number%2 == 0 {
			// A creation without the gas to store its code: it succeeds only in Frontier.
			c.send(b, from, &types.LegacyTx{Nonce: from.nonce, GasPrice: c.gasPrice(b),
				Gas: 60_000, Data: deployment(slotsCode)})
		}
	case 4:
		c.call(b, from, fresh, params.TxGas, number, nil)
	}
}

// proofOfWork is a short ethash chain without work (for --fakepow), with uncles.
func proofOfWork(folder string) {
	users, miner, second := newAccounts("user", 4), newAccount("miner"), newAccount("second miner")
	config := forkConfig()
	config.Ethash = new(params.EthashConfig)
	c := newChain(folder, &core.Genesis{
		Config: config, Timestamp: genesisTime, GasLimit: gasLimit,
		Difficulty: big.NewInt(131_072), Alloc: funded(users),
	}, nil)
	c.blocks(forkBlocks, func(i int, b *core.BlockGen) {
		number := uint64(i + 1)
		b.SetCoinbase(miner.address)
		c.frontierMix(b, users, number)
		if number%9 == 0 {
			b.AddUncle(&types.Header{
				ParentHash: b.PrevBlock(i - 2).Hash(), Number: big.NewInt(int64(number - 1)),
				Coinbase: second.address, GasLimit: gasLimit, Extra: []byte("an uncle"),
			})
		}
	})
	c.accounts[miner.address], c.accounts[second.address] = true, true
	c.finish("pow")
}
