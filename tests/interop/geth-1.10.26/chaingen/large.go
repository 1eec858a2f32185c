package main

import (
	"encoding/binary"
	"math/big"
	"math/rand"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"
)

const (
	// Two helper-trie sections end at 65,535; the first is served 256 blocks after 32,767.
	longBlocks = 33_100

	busyBlocks    = 300
	busyTransfers = 60
	busyTokens    = 40

	followBlocks    = 540
	followTransfers = 180
	followTokens    = 120

	benchBlocks     = 36_000
	benchFull       = 128
	benchFullTxs    = 120
	benchAccounts   = 1_000_000
	benchSlots      = 100_000
	benchCodeLength = 10_240
)

// long is sparse: one log in every third block, so that helper tries of a section have content.
func long(folder string) {
	sealer, users := newAccount("sealer"), newAccounts("user", 4)
	c := newChain(folder, londonClique(sealer, funded(users)), sealer)
	c.block(func(b *core.BlockGen) {
		c.deploy(b, users[0], "one event", 0, oneEventCode)
		c.deploy(b, users[0], "events", 0, eventsCode)
		c.deploy(b, users[0], "slots", 0, slotsCode)
	})
	c.sparse(longBlocks-1, users)
	c.finish("long")
}

// sparse appends blocks of which every third has a log and every 97th five.
func (c *chain) sparse(count int, users []*account) {
	for i := 0; i < count; i++ {
		number := c.head.NumberU64() + 1
		from := users[number%uint64(len(users))]
		switch {
		case number%97 == 0:
			c.block(func(b *core.BlockGen) {
				c.call(b, from, c.contracts["events"], 100_000, 0, words(number))
				c.call(b, from, c.contracts["slots"], 100_000, 0, words(number, 1, number))
			})
		case number%3 == 0:
			c.block(func(b *core.BlockGen) {
				c.call(b, from, c.contracts["one event"], 40_000, 0, words(number%500))
			})
		default:
			c.block(nil)
		}
	}
}

func holderAddress(i uint64) common.Address {
	return common.BytesToAddress(crypto.Keccak256(binary.BigEndian.AppendUint64(nil, i))[:20])
}

// tokenSlot is where tokenCode keeps a balance.
func tokenSlot(holder common.Address) common.Hash {
	return crypto.Keccak256Hash(common.LeftPadBytes(holder.Bytes(), 32), make([]byte, 32))
}

// tokenAccount is a token contract in the genesis block, with these holders.
func tokenAccount(holders []common.Address) core.GenesisAccount {
	storage := map[common.Hash]common.Hash{}
	for i, holder := range holders {
		storage[tokenSlot(holder)] = common.BigToHash(big.NewInt(int64(1_000_000_000 + i)))
	}
	return core.GenesisAccount{Code: tokenCode, Storage: storage, Balance: new(big.Int), Nonce: 1}
}

var tokenAddress = common.HexToAddress("0x70c3700000000000000000000000000000000001")

func addresses(accounts []*account) []common.Address {
	list := make([]common.Address, len(accounts))
	for i, account := range accounts {
		list[i] = account.address
	}
	return list
}

// busy is what an import benchmark runs: 100 transfers and token transfers in each block.
func busy(folder string) {
	full("busy", folder, busyBlocks, busyTransfers, busyTokens)
}

// follow is what a benchmark of following runs: 300 of them in each block.
func follow(folder string) {
	full("follow", folder, followBlocks, followTransfers, followTokens)
}

// full makes blocks of so many transfers and token transfers each.
func full(name, folder string, blocks, transfers, tokens int) {
	sealer, users := newAccount("sealer"), newAccounts("user", 50)
	alloc := funded(users)
	alloc[tokenAddress] = tokenAccount(addresses(users))
	c := newChain(folder, londonClique(sealer, alloc), sealer)
	random := rand.New(rand.NewSource(2))
	for i := 0; i < blocks; i++ {
		c.block(func(b *core.BlockGen) {
			for j := 0; j < transfers+tokens; j++ {
				from, to := users[random.Intn(len(users))], holderAddress(uint64(random.Intn(5000)))
				if j < transfers {
					c.call(b, from, to, params.TxGas, 1, nil)
				} else {
					c.call(b, from, tokenAddress, 100_000, 0, transferData(to, 1))
				}
			}
		})
	}
	c.finish(name)
}

// bench has a large state from its genesis block on, a helper-trie section, and full blocks at
// the head.
func bench(folder string) {
	sealer, users := newAccount("sealer"), newAccounts("user", 50)
	alloc := funded(users)
	holders := make([]common.Address, 0, benchSlots)
	for i := uint64(0); i < benchAccounts; i++ {
		address := holderAddress(i)
		alloc[address] = core.GenesisAccount{Balance: new(big.Int).SetUint64(i + 1)}
		if len(holders) < benchSlots-len(users) {
			holders = append(holders, address)
		}
	}
	alloc[tokenAddress] = tokenAccount(append(holders, addresses(users)...))
	code := common.HexToAddress("0xc0de000000000000000000000000000000000001")
	random := rand.New(rand.NewSource(3))
	alloc[code] = core.GenesisAccount{
		Code: randomBytes(random, benchCodeLength), Balance: new(big.Int), Nonce: 1,
	}
	c := newChain(folder, londonClique(sealer, alloc), sealer)
	c.contracts["token"], c.contracts["code"] = tokenAddress, code
	for i := uint64(0); i < 200; i++ {
		holder := holderAddress(i * 499)
		c.accounts[holder] = true
		c.slots[tokenAddress] = append(c.slots[tokenAddress], tokenSlot(holder))
	}
	c.block(func(b *core.BlockGen) {
		c.deploy(b, users[0], "one event", 0, oneEventCode)
		c.deploy(b, users[0], "events", 0, eventsCode)
		c.deploy(b, users[0], "slots", 0, slotsCode)
	})
	c.sparse(benchBlocks-benchFull-1, users)
	for i := 0; i < benchFull; i++ {
		c.block(func(b *core.BlockGen) { c.fullBlock(b, users, random) })
	}
	c.finish("bench")
}

func (c *chain) fullBlock(b *core.BlockGen, users []*account, random *rand.Rand) {
	for j := 0; j < benchFullTxs; j++ {
		from := users[random.Intn(len(users))]
		to := holderAddress(uint64(random.Intn(benchAccounts)))
		switch j % 3 {
		case 0:
			c.call(b, from, to, params.TxGas, 1, nil)
		case 1:
			c.call(b, from, tokenAddress, 100_000, 0, transferData(to, 1))
		case 2:
			c.call(b, from, c.contracts["events"], 100_000, 0, words(uint64(random.Intn(500))))
		}
	}
}
