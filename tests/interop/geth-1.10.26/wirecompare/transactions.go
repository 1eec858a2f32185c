package main

import (
	"crypto/ecdsa"
	"encoding/json"
	"fmt"
	"math/big"
	"os"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/params"
	"github.com/ethereum/go-ethereum/rlp"
)

const sendTxCode = 0x13

// offer is a transaction that both servers are sent, in this order.
type offer struct {
	name string
	tx   *types.Transaction
	// The words of lesd, where they are others on purpose (docs/deviations.md).
	instead string
}

// compareTransactions sends the same transactions to both servers, one by one, and compares what
// they say: taken or refused, and in which words. Whether one is queued or pending is not compared:
// go-ethereum promotes later.
func compareTransactions(c *chain, urls []string) {
	offers := c.offers()
	requests := make([]request, len(offers))
	for i, offer := range offers {
		requests[i] = request{name: offer.name, code: sendTxCode,
			body: []any{[]*types.Transaction{offer.tx}}}
	}
	var replies [2][]reply
	for i, url := range urls {
		node, err := enode.ParseV4(url)
		check(err)
		replies[i], err = converse(c, node, 4, requests)
		check(err)
	}
	out := json.NewEncoder(os.Stdout)
	for i, offer := range offers {
		reference, err := verdict(replies[0][i])
		check(err)
		if offer.instead != "" {
			reference = offer.instead
		}
		subject, err := verdict(replies[1][i])
		row := line{Name: fmt.Sprintf("%s: %s", offer.name, reference)}
		if err != nil {
			row.Error = err.Error()
		} else if subject != reference {
			row.Error = fmt.Sprintf("%q instead of %q", subject, reference)
		}
		check(out.Encode(row))
	}
}

// verdict is "taken", "included", or the words of a refusal.
func verdict(r reply) (string, error) {
	if r.err != nil {
		return "", r.err
	}
	var body struct {
		ID, BV   uint64
		Statuses []struct {
			State  uint64
			Lookup rlp.RawValue
			Error  string
		}
	}
	if err := rlp.DecodeBytes(r.payload, &body); err != nil {
		return "", err
	}
	if len(body.Statuses) != 1 {
		return "", fmt.Errorf("%d statuses for one transaction", len(body.Statuses))
	}
	switch status := body.Statuses[0]; {
	case status.Error != "":
		return status.Error, nil
	case status.State == 1 || status.State == 2:
		return "taken", nil
	case status.State == 3:
		return "included", nil
	default:
		return "", fmt.Errorf("state %d without a reason", status.State)
	}
}

// maker signs the transactions of one account.
type maker struct {
	key    *ecdsa.PrivateKey
	nonce  uint64
	chain  *chain
	offers []offer
}

// fixtureKey is the key that chaingen gives to the account of a name.
func fixtureKey(name string) *ecdsa.PrivateKey {
	key, err := crypto.ToECDSA(crypto.Keccak256([]byte("lesd fixture key " + name)))
	check(err)
	return key
}

func (m *maker) add(name string, signer types.Signer, inner types.TxData, instead string) {
	tx, err := types.SignNewTx(m.key, signer, inner)
	check(err)
	m.offers = append(m.offers, offer{name, tx, instead})
}

// legacy is a transfer with so much gas; change makes it what a case needs.
func (m *maker) legacy(nonce, gas uint64, change func(*types.LegacyTx)) *types.LegacyTx {
	tx := &types.LegacyTx{Nonce: nonce, GasPrice: big.NewInt(2 * params.GWei), Gas: gas,
		To: &common.Address{1}, Value: new(big.Int)}
	if change != nil {
		change(tx)
	}
	return tx
}

func (m *maker) dynamic(nonce, gas uint64, feeCap, tip int64) *types.DynamicFeeTx {
	return &types.DynamicFeeTx{ChainID: m.chain.genesis.Config.ChainID, Nonce: nonce, Gas: gas,
		GasFeeCap: big.NewInt(feeCap), GasTipCap: big.NewInt(tip), To: &common.Address{1},
		Value: new(big.Int)}
}
