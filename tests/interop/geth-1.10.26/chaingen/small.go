package main

import (
	"math/big"
	"math/rand"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/params"
)

const smallBlocks = 430

func ether(count int64) *big.Int {
	return new(big.Int).Mul(big.NewInt(count), big.NewInt(params.Ether))
}

func funded(accounts []*account) core.GenesisAlloc {
	alloc := core.GenesisAlloc{}
	for _, account := range accounts {
		alloc[account.address] = core.GenesisAccount{Balance: ether(1_000_000)}
	}
	return alloc
}

// small has a bit of everything that a light client can ask for, up to its last block.
func small(folder string) {
	sealer, users := newAccount("sealer"), newAccounts("user", 8)
	c := newChain(folder, londonClique(sealer, funded(users)), sealer)
	random := rand.New(rand.NewSource(1))
	c.block(func(b *core.BlockGen) { c.deployAll(b, users[0]) })
	for c.head.NumberU64() < smallBlocks {
		number := c.head.NumberU64() + 1
		if number%7 == 0 {
			c.block(nil)
			continue
		}
		c.block(func(b *core.BlockGen) {
			c.mixed(b, users, random, number)
		})
	}
	c.withhold(users[0])
	c.finish("small")
}

func (c *chain) deployAll(b *core.BlockGen, from *account) {
	c.deploy(b, from, "slots", 0, slotsCode)
	c.deploy(b, from, "events", 0, eventsCode)
	c.deploy(b, from, "environment", 5, londonEnvironmentCode)
	c.deploy(b, from, "failing", 0, failingCode)
	c.deploy(b, from, "factory", 0, factoryCode)
	c.deploy(b, from, "precompiles", 0, precompilesCode)
	c.deploy(b, from, "token", 0, tokenCode)
	// The first transaction of the slots contract: 600 slots that stay for the whole chain.
	c.call(b, from, c.contracts["slots"], 15_000_000, 0, words(0, 600, 3))
	for slot := uint64(0); slot < 600; slot += 20 {
		c.remember(c.contracts["slots"], slot)
	}
	c.remember(c.contracts["environment"], 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
	c.remember(c.contracts["factory"], 0, 1)
	c.remember(c.contracts["precompiles"], 1, 2, 3, 4, 5, 6, 7, 8, 9)
}

// mixed fills a block with one to five transactions of all types and fates.
func (c *chain) mixed(b *core.BlockGen, users []*account, random *rand.Rand, number uint64) {
	from := users[random.Intn(len(users))]
	fresh := common.BigToAddress(new(big.Int).SetUint64(0xf00000 + number))
	c.call(b, from, fresh, params.TxGas, number, nil)
	switch number % 6 {
	case 0:
		c.call(b, from, c.contracts["slots"], 2_000_000, 0, words(600+number*2, 2, number))
		c.call(b, from, c.contracts["slots"], 2_000_000, 0, words(number, 3, number%4))
		c.remember(c.contracts["slots"], 600+number*2)
	case 1:
		c.dynamicFee(b, from, c.contracts["events"], 200_000, words(number))
		c.call(b, from, c.contracts["environment"], 500_000, 0, nil)
	case 2:
		c.accessList(b, from, c.contracts["slots"], number)
		c.call(b, from, c.contracts["failing"], 60_000, 0, words(number/6%3))
	case 3:
		c.call(b, from, c.contracts["factory"], 500_000, 0, words(number))
		c.dynamicFee(b, from, c.contracts["token"], 100_000, transferData(fresh, 0))
	case 4:
		name := "mortal " + big.NewInt(int64(number)).String()
		c.deploy(b, from, name, 7, mortalCode)
		if number%12 == 4 {
			c.call(b, from, c.contracts[name], 60_000, 0, nil)
		} else {
			c.call(b, from, c.contracts["precompiles"], 1_000_000, 0, randomBytes(random, 213))
		}
	case 5:
		// A creation that fails, and one without code.
		c.send(b, from, &types.LegacyTx{Nonce: from.nonce, GasPrice: c.gasPrice(b), Gas: 100_000,
			Data: assemble("INVALID")})
		c.send(b, from, &types.LegacyTx{Nonce: from.nonce, GasPrice: c.gasPrice(b), Gas: 100_000,
			Data: assemble("STOP")})
	}
}

func (c *chain) dynamicFee(b *core.BlockGen, from *account, to common.Address, gas uint64,
	data []byte) {
	c.send(b, from, &types.DynamicFeeTx{
		ChainID: c.genesis.Config.ChainID, Nonce: from.nonce, GasTipCap: big.NewInt(params.GWei / 2),
		GasFeeCap: c.gasPrice(b), Gas: gas, To: &to, Data: data,
		Value: new(big.Int),
		AccessList: types.AccessList{{
			Address: to, StorageKeys: []common.Hash{common.BigToHash(big.NewInt(1))},
		}},
	})
}

func (c *chain) accessList(b *core.BlockGen, from *account, to common.Address, number uint64) {
	c.send(b, from, &types.AccessListTx{
		ChainID: c.genesis.Config.ChainID, Nonce: from.nonce, GasPrice: c.gasPrice(b), Gas: 200_000,
		To: &to, Data: words(number, 1, number), Value: new(big.Int),
		AccessList: types.AccessList{
			{Address: to, StorageKeys: []common.Hash{
				common.BigToHash(new(big.Int).SetUint64(number)),
			}},
			{Address: from.address},
		},
	})
}

func transferData(to common.Address, amount uint64) []byte {
	data := []byte{0xa9, 0x05, 0x9c, 0xbb}
	data = append(data, common.LeftPadBytes(to.Bytes(), 32)...)
	return append(data, words(amount)...)
}

func randomBytes(random *rand.Rand, size int) []byte {
	data := make([]byte, size)
	random.Read(data)
	return data
}
