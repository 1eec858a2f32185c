package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"
)

// request is a LES message without its request id.
type request struct {
	name string
	code uint64
	body []any
}

// chain is what both servers serve.
type chain struct {
	manifest struct {
		NetworkID   uint64                           `json:"networkId"`
		GenesisHash common.Hash                      `json:"genesisHash"`
		Accounts    []common.Address                 `json:"accounts"`
		Contracts   map[string]common.Address        `json:"contracts"`
		Slots       map[common.Address][]common.Hash `json:"slots"`
		Txs         []common.Hash                    `json:"transactions"`
	}
	genesis core.Genesis
	hashes  []common.Hash
	// Transactions that each account sent.
	nonces map[common.Address]uint64
	list   []request
}

func loadChain(folder string) (*chain, error) {
	c := new(chain)
	for name, value := range map[string]any{
		"manifest.json": &c.manifest, "genesis.json": &c.genesis,
	} {
		text, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(text, value); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	file, err := os.Open(filepath.Join(folder, "chain.rlp"))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	c.nonces = map[common.Address]uint64{}
	c.hashes = append(c.hashes, c.manifest.GenesisHash)
	stream := rlp.NewStream(file, 0)
	for {
		var block types.Block
		if err := stream.Decode(&block); errors.Is(err, io.EOF) {
			return c, nil
		} else if err != nil {
			return nil, err
		}
		c.hashes = append(c.hashes, block.Hash())
		for _, tx := range block.Transactions() {
			sender, err := types.Sender(types.LatestSigner(c.genesis.Config), tx)
			if err != nil {
				return nil, err
			}
			c.nonces[sender] = tx.Nonce() + 1
		}
	}
}

func (c *chain) head() uint64              { return uint64(len(c.hashes) - 1) }
func (c *chain) headHash() common.Hash     { return c.hashes[c.head()] }
func unknown(n uint64) common.Hash         { return crypto.Keccak256Hash([]byte("unknown"), be8(n)) }
func be8(n uint64) []byte                  { return binary.BigEndian.AppendUint64(nil, n) }
func hashed(address common.Address) []byte { return crypto.Keccak256(address.Bytes()) }

func (c *chain) add(name string, code uint64, body ...any) {
	c.list = append(c.list, request{name, code, body})
}

// requests are all kinds with their edge cases, of which go-ethereum leaves none unanswered, and
// at most 20 that it counts as invalid.
func (c *chain) requests() []request {
	c.list = nil
	c.headers()
	c.blocks()
	c.codes()
	c.proofs()
	if c.head() >= 33_023 {
		c.helperTries()
	}
	c.add("status of transactions", 0x14, append(c.manifest.Txs[:min(len(c.manifest.Txs), 50):50],
		unknown(1), unknown(2)))
	c.add("status of an unknown transaction", 0x14, []common.Hash{unknown(3)})
	return c.list
}

func (c *chain) headers() {
	head, hash := c.head(), c.hashes
	for _, query := range []struct {
		name         string
		origin       any
		amount, skip uint64
		reverse      bool
	}{
		{"first 192", uint64(0), 192, 0, false},
		{"up to the head and beyond", head - 20, 192, 0, false},
		{"beyond the head", head + 1, 10, 0, false},
		{"far beyond the head", uint64(1) << 63, 10, 0, false},
		{"skeleton", uint64(1), 128, 191, false},
		{"back to the genesis block", uint64(30), 192, 0, true},
		{"back with skips", head, 192, 6, true},
		{"back with a skip too far", uint64(5), 10, 100, true},
		{"forward with an overflowing skip", hash[10], 10, ^uint64(0) - 5, false},
		{"by hash", hash[head], 1, 0, false},
		{"by hash with a skip, as a sync begins", hash[head], 1, 63, true},
		{"by hash forward", hash[5], 192, 0, false},
		{"by hash forward with skips", hash[5], 192, 2, false},
		{"by hash back", hash[head], 192, 0, true},
		{"by hash back with skips", hash[head], 192, 10, true},
		{"by hash back past the genesis block", hash[3], 192, 1, true},
		{"by hash back with an endless skip", hash[50], 5, ^uint64(0), true},
		{"by an unknown hash", unknown(0), 10, 0, false},
		{"by the zero hash", common.Hash{}, 3, 0, false},
	} {
		c.add("headers "+query.name, 0x02, []any{
			query.origin, query.amount, query.skip, query.reverse,
		})
	}
}

func (c *chain) blocks() {
	last := c.hashes[c.head()-9:]
	c.add("bodies of the last blocks", 0x04, last)
	c.add("body of the genesis block", 0x04, c.hashes[:1])
	c.add("bodies with unknown ones between", 0x04, []common.Hash{
		unknown(4), c.hashes[1], unknown(5), c.headHash(), c.headHash(),
	})
	c.add("receipts of the last blocks", 0x06, last)
	c.add("receipts of the genesis block", 0x06, c.hashes[:1])
	c.add("receipts with unknown ones between", 0x06, []common.Hash{
		unknown(6), c.hashes[1], unknown(7), c.headHash(),
	})
	for first := uint64(1); first+10 < min(c.head(), 400); first += 40 {
		c.add(fmt.Sprintf("receipts from block %d", first), 0x06, c.hashes[first:first+10])
		c.add(fmt.Sprintf("bodies from block %d", first), 0x04, c.hashes[first:first+10])
	}
}

// contracts are those that stay, in the order of their names: go-ethereum counts a request for a
// destroyed one as invalid.
func (c *chain) contracts() []common.Address {
	names := make([]string, 0, len(c.manifest.Contracts))
	for name := range c.manifest.Contracts {
		if !strings.HasPrefix(name, "mortal") {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	list := make([]common.Address, 0, len(names))
	for _, name := range names {
		list = append(list, c.manifest.Contracts[name])
	}
	return list
}

type codeQuery struct {
	Block   common.Hash
	Account []byte
}

func (c *chain) codes() {
	var all []codeQuery
	for _, contract := range c.contracts() {
		all = append(all, codeQuery{c.headHash(), hashed(contract)})
	}
	c.add("one code", 0x0a, all[:1])
	c.add("codes", 0x0a, all)
	c.add("code of an account without code", 0x0a,
		[]codeQuery{{c.headHash(), hashed(c.manifest.Accounts[0])}})
	c.add("code of nobody", 0x0a, []codeQuery{{c.headHash(), unknown(8).Bytes()}})
	c.add("code in an unknown block", 0x0a, []codeQuery{{unknown(9), hashed(c.contracts()[0])}})
}

type proofQuery struct {
	Block        common.Hash
	Account, Key []byte
	FromLevel    uint64
}

func (c *chain) proofs() {
	accounts := c.manifest.Accounts
	for behind := uint64(0); behind < 128; behind += 25 {
		block := c.hashes[c.head()-behind]
		for i := uint64(0); i < 4; i++ {
			account := accounts[(behind+i*7)%uint64(len(accounts))]
			c.add(fmt.Sprintf("proof of %x, %d behind", account[16:], behind), 0x0f,
				[]proofQuery{{block, nil, hashed(account), 0}})
		}
		c.add(fmt.Sprintf("proof of nobody, %d behind", behind), 0x0f,
			[]proofQuery{{block, nil, unknown(behind).Bytes(), 0}})
	}
	var many []proofQuery
	for i := 0; i < min(len(accounts), 40); i++ {
		many = append(many, proofQuery{c.headHash(), nil, hashed(accounts[i]), 0})
	}
	c.add("proofs of many accounts", 0x0f, many)
	c.add("proof without its first node", 0x0f,
		[]proofQuery{{c.headHash(), nil, hashed(accounts[1]), 1}})
	c.add("proof without any node", 0x0f,
		[]proofQuery{{c.headHash(), nil, hashed(accounts[1]), 64}})
	c.add("proof of a short key", 0x0f, []proofQuery{{c.headHash(), nil, []byte{0x12}, 0}})
	c.add("proof of an empty key", 0x0f, []proofQuery{{c.headHash(), nil, nil, 0}})
	c.add("proof in an unknown block", 0x0f, []proofQuery{
		{unknown(10), nil, hashed(accounts[0]), 0}, {c.headHash(), nil, hashed(accounts[0]), 0},
	})
	c.add("proof in an absent storage", 0x0f,
		[]proofQuery{{c.headHash(), unknown(11).Bytes(), unknown(12).Bytes(), 0}})
	c.add("proof in an empty storage", 0x0f,
		[]proofQuery{{c.headHash(), hashed(accounts[0]), unknown(12).Bytes(), 0}})
	var slots []proofQuery
	for _, contract := range c.contracts() {
		for _, slot := range c.manifest.Slots[contract] {
			query := proofQuery{c.headHash(), hashed(contract), crypto.Keccak256(slot[:]), 0}
			if len(slots) < 40 {
				slots = append(slots, query)
			}
		}
	}
	if len(slots) == 0 {
		return
	}
	c.add("proof of a slot", 0x0f, slots[:1])
	c.add("proofs of slots", 0x0f, slots)
	c.add("proof of an absent slot", 0x0f,
		[]proofQuery{{c.headHash(), slots[0].Account, unknown(13).Bytes(), 0}})
	c.add("proofs of an account and its slots", 0x0f,
		append([]proofQuery{{c.headHash(), nil, slots[0].Account, 0}}, slots[:3]...))
}

type helperQuery struct {
	Type           uint
	Section        uint64
	Key            []byte
	FromLevel, Aux uint
}

func (c *chain) helperTries() {
	bloomKey := func(bit uint16) []byte {
		return append(binary.BigEndian.AppendUint16(nil, bit), be8(0)...)
	}
	for _, number := range []uint64{0, 1, 255, 256, 12_345, 32_767} {
		c.add(fmt.Sprintf("CHT proof of %d with its header", number), 0x11,
			[]helperQuery{{0, 0, be8(number), 0, 2}})
	}
	c.add("CHT proof without a header", 0x11, []helperQuery{{0, 0, be8(7), 0, 0}})
	c.add("CHT proof without its first nodes", 0x11, []helperQuery{{0, 0, be8(7), 2, 0}})
	c.add("CHT proof beyond the section", 0x11, []helperQuery{{0, 0, be8(33_000), 0, 2}})
	c.add("CHT proofs", 0x11, []helperQuery{
		{0, 0, be8(1000), 0, 2}, {0, 0, be8(1001), 0, 2}, {0, 0, be8(31_000), 0, 0},
	})
	var bits []helperQuery
	for bit := uint16(0); bit < 2048; bit += 130 {
		bits = append(bits, helperQuery{1, 0, bloomKey(bit), 0, 0})
	}
	c.add("bloom bits", 0x11, bits)
	for i, query := range bits {
		c.add(fmt.Sprintf("bloom bit %d", i*130), 0x11, []helperQuery{query})
	}
	c.add("CHT and bloom bits", 0x11, []helperQuery{{0, 0, be8(9), 0, 2}, bits[3]})
}
