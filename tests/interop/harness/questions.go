package main

import (
	"encoding/json"
	"fmt"
	"math/rand"
	"sort"
	"strings"
)

const (
	// Of each kind of answer that the checks compare.
	perKind = 30
	// A third of them are about blocks up to this far behind the head: a light server has the last
	// 128 states.
	recentBlocks = 127
	// A request for a log spans this many blocks: each costs one receipts request if it has the
	// topic.
	logSpan = 25
)

// question is one JSON-RPC call whose answer the light client and the full node must share.
type question struct {
	kind   string
	method string
	params []any
	// What must come back: an answer, null, or an error (of any wording).
	expects expectation
}

type expectation int

const (
	anAnswer expectation = iota
	nothing
	anError
)

// inquiry draws questions about a chain. It is seeded, so a failing run can be repeated.
type inquiry struct {
	chain  *chain
	oracle *client
	random *rand.Rand
	list   []question
}

func number(n uint64) string { return fmt.Sprintf("0x%x", n) }

func (q *inquiry) add(kind, method string, params ...any) {
	q.list = append(q.list, question{kind, method, params, anAnswer})
}

func (q *inquiry) expect(expects expectation, kind, method string, params ...any) {
	q.list = append(q.list, question{kind, method, params, expects})
}

func pick[T any](random *rand.Rand, from []T) T { return from[random.Intn(len(from))] }

// recent is a block whose state a light server has: every third time the head itself.
func (q *inquiry) recent(i int) uint64 {
	if i%3 == 0 {
		return q.chain.Blocks
	}
	return q.chain.Blocks - 1 - uint64(q.random.Int63n(int64(min(recentBlocks, q.chain.Blocks-1))))
}

// any is a block of the chain: every second time a recent one.
func (q *inquiry) any(i int) uint64 {
	if i%2 == 0 {
		return q.recent(i/2 + 1)
	}
	return 1 + uint64(q.random.Int63n(int64(q.chain.Blocks)))
}

func (q *inquiry) contract(name string) string { return q.chain.Contracts[name] }

// named are the contracts that stay, in the order of their names.
func (q *inquiry) named() []string {
	names := make([]string, 0, len(q.chain.Contracts))
	for name := range q.chain.Contracts {
		if !strings.HasPrefix(name, "mortal") {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	for i, name := range names {
		names[i] = q.chain.Contracts[name]
	}
	return names
}

// state asks for balances, nonces, code, slots and the results of calls.
func (q *inquiry) state() {
	contracts, holders := q.named(), []string{}
	for _, address := range contracts {
		if len(q.chain.Slots[address]) > 0 {
			holders = append(holders, address)
		}
	}
	for i := 0; i < perKind; i++ {
		block := number(q.recent(i))
		q.add("balance", "eth_getBalance", pick(q.random, q.chain.Accounts), block)
		q.add("nonce", "eth_getTransactionCount", pick(q.random, q.chain.Accounts), block)
		q.add("code", "eth_getCode", contracts[i%len(contracts)], block)
		holder := holders[i%len(holders)]
		q.add("slot", "eth_getStorageAt", holder, pick(q.random, q.chain.Slots[holder]), block)
		q.add("call", "eth_call", map[string]string{
			"data": survey(pick(q.random, q.chain.Accounts), contracts[i%len(contracts)]),
		}, block)
	}
}

// survey is init code that returns the balance of an account and the code size of a contract: one
// call that needs several proofs, in instructions that every fork has.
func survey(account, contract string) string {
	return "0x73" + account[2:] + "31600052" + // BALANCE 0 MSTORE
		"73" + contract[2:] + "3b602052" + // EXTCODESIZE 32 MSTORE
		"60406000f3" // 64 0 RETURN
}

// absent asks for accounts and slots that do not exist.
func (q *inquiry) absent() {
	for i := 0; i < perKind; i++ {
		block := number(q.recent(i))
		var address [20]byte
		q.random.Read(address[:])
		nobody := fmt.Sprintf("0x%x", address)
		switch i % 4 {
		case 0:
			q.add("absent", "eth_getBalance", nobody, block)
		case 1:
			q.add("absent", "eth_getTransactionCount", nobody, block)
		case 2:
			q.add("absent", "eth_getStorageAt", q.contract("slots"),
				fmt.Sprintf("0x%x00000000", address), block)
		case 3:
			q.add("absent", "eth_getCode", nobody, block)
		}
	}
}

// history asks for headers, bodies, transactions, receipts and logs.
func (q *inquiry) history() error {
	for i := 0; i < perKind; i++ {
		n := q.any(i)
		hash, txs, err := q.block(n)
		if err != nil {
			return err
		}
		q.add("header by number", "eth_getHeaderByNumber", number(n))
		q.add("header by hash", "eth_getHeaderByHash", hash)
		q.add("body", "eth_getBlockByHash", hash, true)
		for step := uint64(1); len(txs) == 0; step++ {
			if _, txs, err = q.block(n - step); err != nil {
				return err
			}
		}
		q.add("transaction by hash", "eth_getTransactionByHash", pick(q.random, txs))
		q.add("receipts", "eth_getTransactionReceipt", pick(q.random, txs))
		q.logs(i, n)
	}
	return nil
}

// block is the hash of a block and of its transactions, as the full node tells.
func (q *inquiry) block(n uint64) (string, []string, error) {
	var block struct {
		Hash         string
		Transactions []string
	}
	err := q.oracle.ask(&block, "eth_getBlockByNumber", number(n), false)
	return block.Hash, block.Transactions, err
}

func (q *inquiry) logs(i int, n uint64) {
	first := n - min(n, logSpan)
	filter := map[string]any{
		"fromBlock": number(first), "toBlock": number(n), "address": q.contract("events"),
	}
	switch i % 3 {
	case 1:
		filter["topics"] = []any{fmt.Sprintf("0x%064x", 0xe3)}
	case 2:
		delete(filter, "address")
		filter["topics"] = []any{[]string{
			fmt.Sprintf("0x%064x", 0xe2), fmt.Sprintf("0x%064x", 0xe4),
		}}
	}
	q.add("logs", "eth_getLogs", filter)
}

// failing asks for what does not exist or cannot be done.
func (q *inquiry) failing() {
	var hash [32]byte
	for i := uint64(0); i < 5; i++ {
		q.random.Read(hash[:])
		unknown := fmt.Sprintf("0x%x", hash)
		beyond := number(q.chain.Blocks + 1 + i*1000)
		q.expect(nothing, "unknown", "eth_getBlockByHash", unknown, false)
		q.expect(nothing, "unknown", "eth_getHeaderByNumber", beyond)
		q.expect(nothing, "unknown", "eth_getTransactionReceipt", unknown)
		q.expect(anError, "failing", "eth_getBalance", q.chain.Accounts[0], beyond)
		q.expect(anError, "failing", "eth_call", map[string]string{
			"to": q.contract("failing"), "gas": "0x10000",
			"data": fmt.Sprintf("0x%064x", i%3),
		}, number(q.recent(int(i))))
	}
	q.random.Read(hash[:])
	q.expect(nothing, "unknown", "eth_getTransactionByHash", fmt.Sprintf("0x%x", hash))
}

// questions is the whole list for a chain with the contracts of "small" or "forks".
func questions(c *chain, oracle *client, seed int64) ([]question, error) {
	q := &inquiry{chain: c, oracle: oracle, random: rand.New(rand.NewSource(seed))}
	q.state()
	q.absent()
	if err := q.history(); err != nil {
		return nil, err
	}
	q.failing()
	return q.list, nil
}

func (q question) String() string {
	params, err := json.Marshal(q.params)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%s %s", q.method, params)
}
