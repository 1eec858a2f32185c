package main

import (
	"bytes"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"
)

// maxTransactionBytes is the longest transaction that is relayed.
const maxTransactionBytes = 128 * 1024

// offers are transactions on either side of each rule that a pool has. Those of one account build
// on each other.
func (c *chain) offers() []offer {
	var list []offer
	latest := types.LatestSigner(c.genesis.Config)
	other := types.LatestSignerForChainID(big.NewInt(1))
	begin := func(name string) *maker {
		key := fixtureKey(name)
		address := crypto.PubkeyToAddress(key.PublicKey)
		return &maker{key: key, nonce: c.nonces[address], chain: c}
	}
	m := begin("user 0")
	c.signatures(m, latest, other)
	list = append(list, m.offers...)
	m = begin("user 1")
	c.gas(m, latest)
	list = append(list, m.offers...)
	m = begin("user 2")
	c.fees(m, latest)
	list = append(list, m.offers...)
	m = begin("user 3")
	c.nonceOrder(m, latest)
	list = append(list, m.offers...)
	m = begin("user 4")
	c.funds(m, latest)
	list = append(list, m.offers...)
	m = begin("stranger")
	m.add("a sender that has nothing", latest, m.legacy(0, 21_000, nil), "")
	m.add("one that has nothing and costs nothing", latest, m.legacy(0, 21_000,
		func(tx *types.LegacyTx) { tx.GasPrice = new(big.Int) }), "")
	return append(list, m.offers...)
}

func (c *chain) signatures(m *maker, latest, other types.Signer) {
	n := m.nonce
	m.add("a protected transaction", latest, m.legacy(n, 21_000, nil), "")
	m.add("the same again", latest, m.legacy(n, 21_000, nil), "")
	m.add("an unprotected one", types.HomesteadSigner{}, m.legacy(n+1, 21_000, nil), "")
	m.add("one for another chain", other, m.legacy(n+2, 21_000, nil), "")
	foreign := m.dynamic(n+2, 21_000, 2*params.GWei, 1)
	foreign.ChainID = big.NewInt(1)
	m.add("a dynamic fee one for another chain", other, foreign, "")
	tx, err := types.SignNewTx(m.key, latest, m.legacy(n+2, 21_000, nil))
	check(err)
	v, r, s := tx.RawSignatureValues()
	forge := func(name string, v, r, s *big.Int) {
		inner := m.legacy(n+2, 21_000, nil)
		inner.V, inner.R, inner.S = v, r, s
		m.offers = append(m.offers, offer{name: name, tx: types.NewTx(inner)})
	}
	order := crypto.S256().Params().N
	// The two values of V are 2c+35 and 2c+36 on a chain with id c (EIP-155).
	both := new(big.Int).Mul(c.genesis.Config.ChainID, big.NewInt(4))
	flipped := both.Add(both, big.NewInt(71)).Sub(both, v)
	forge("a high s", flipped, r, new(big.Int).Sub(order, s))
	forge("an r of zero", v, new(big.Int), s)
	forge("an s of zero", v, r, new(big.Int))
	forge("an r of the order", v, order, s)
	forge("a v that no signature has", big.NewInt(29), r, s)
	forge("no signature at all", new(big.Int), new(big.Int), new(big.Int))
}

func (c *chain) gas(m *maker, latest types.Signer) {
	n := m.nonce
	limit := c.genesis.GasLimit
	data := func(data []byte, create bool) func(*types.LegacyTx) {
		return func(tx *types.LegacyTx) {
			tx.Data = data
			if create {
				tx.To = nil
			}
		}
	}
	mixed := []byte{0, 1, 0, 2}
	m.add("too little gas", latest, m.legacy(n, 20_999, nil), "")
	m.add("no gas", latest, m.legacy(n, 0, nil), "")
	m.add("too little gas for data", latest, m.legacy(n, 21_039, data(mixed, false)), "")
	m.add("enough gas for data", latest, m.legacy(n, 21_040, data(mixed, false)), "")
	m.add("too little gas for a creation", latest, m.legacy(n+1, 53_039, data(mixed, true)), "")
	m.add("enough gas for a creation", latest, m.legacy(n+1, 53_040, data(mixed, true)), "")
	list := types.AccessList{{Address: common.Address{1}, StorageKeys: make([]common.Hash, 3)},
		{Address: common.Address{2}}}
	with := func(gas uint64) *types.AccessListTx {
		return &types.AccessListTx{ChainID: c.genesis.Config.ChainID, Nonce: n + 2, Gas: gas,
			GasPrice: big.NewInt(2 * params.GWei), To: &common.Address{1}, Value: new(big.Int),
			AccessList: list}
	}
	m.add("too little gas for an access list", latest, with(21_000+2*2_400+3*1_900-1), "")
	m.add("enough gas for an access list", latest, with(21_000+2*2_400+3*1_900), "")
	m.add("the gas of a block", latest, m.legacy(n+3, limit, nil), "")
	m.add("more gas than a block has", latest, m.legacy(n+4, limit+1, nil), "")
	m.add("all the gas there is", latest, m.legacy(n+4, ^uint64(0), nil), "")
	long := func(size int) *types.LegacyTx {
		return m.legacy(n+4, 2_200_000, data(bytes.Repeat([]byte{1}, size), false))
	}
	tx, err := types.SignNewTx(m.key, latest, long(100_000))
	check(err)
	most := maxTransactionBytes - (int(tx.Size()) - 100_000)
	m.add("the longest", latest, long(most), "")
	m.add("one byte longer", latest, long(most+1), "")
}

func (c *chain) fees(m *maker, latest types.Signer) {
	n := m.nonce
	m.add("a tip above the fee", latest, m.dynamic(n, 21_000, 100, 101), "")
	m.add("no tip", latest, m.dynamic(n, 21_000, 2*params.GWei, 0), "")
	free := m.legacy(n, 21_000, func(tx *types.LegacyTx) { tx.GasPrice = new(big.Int) })
	m.add("no price", latest, free, "")
	m.add("the least tip", latest, m.dynamic(n, 21_000, 2*params.GWei, 1), "")
	m.add("a fee below the base fee", latest, m.dynamic(n+1, 21_000, 1, 1), "")
	huge := m.dynamic(n+2, 21_000, 0, 0)
	huge.GasFeeCap = new(big.Int).Lsh(big.NewInt(1), 127)
	huge.GasTipCap = big.NewInt(1)
	m.add("a fee that nobody has", latest, huge, "")
	beyond := *huge
	beyond.GasFeeCap = new(big.Int).Lsh(big.NewInt(1), 128)
	m.add("a fee of 129 bits", latest, &beyond, "max fee per gas higher than 2^128-1")
	for _, r := range []struct{ cap, tip, newCap, newTip int64 }{
		{1000, 100, 1099, 110}, {1000, 100, 1100, 109}, {1000, 100, 1100, 110},
		{7, 7, 7, 8}, {7, 7, 8, 8},
	} {
		name := fmt.Sprintf("%d/%d for %d/%d", r.newCap, r.newTip, r.cap, r.tip)
		n++
		m.add("to be replaced by "+name, latest, m.dynamic(n+1, 21_000, r.cap, r.tip), "")
		m.add(name, latest, m.dynamic(n+1, 21_000, r.newCap, r.newTip), "")
	}
}

func (c *chain) nonceOrder(m *maker, latest types.Signer) {
	n := m.nonce
	m.add("a nonce that was used", latest, m.legacy(n-1, 21_000, nil), "")
	m.add("the first nonce of all", latest, m.legacy(0, 21_000, nil), "")
	m.add("a gap", latest, m.legacy(n+2, 21_000, nil), "")
	m.add("far away", latest, m.legacy(n+1_000_000, 21_000, nil), "")
	m.add("the last nonce", latest, m.legacy(^uint64(0), 21_000, nil), "")
	m.add("the gap is filled", latest, m.legacy(n, 21_000, nil), "")
}

func (c *chain) funds(m *maker, latest types.Signer) {
	n := m.nonce
	balance := c.genesis.Alloc[crypto.PubkeyToAddress(m.key.PublicKey)].Balance
	spend := func(nonce uint64, part int64) *types.LegacyTx {
		return m.legacy(nonce, 21_000, func(tx *types.LegacyTx) {
			tx.Value = new(big.Int).Div(new(big.Int).Mul(balance, big.NewInt(part)), big.NewInt(10))
		})
	}
	m.add("more than there is", latest, spend(n, 20), "")
	m.add("four tenths", latest, spend(n, 4), "")
	m.add("and seven more", latest, spend(n+1, 7), "transaction would cause overdraft")
	m.add("and one more", latest, spend(n+2, 1), "")
}
