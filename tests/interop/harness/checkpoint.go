package main

import (
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"time"
)

const (
	// go-ethereum builds a section in about a second once its chain is indexed.
	sectionLimit = 2 * time.Minute
	// Of each kind: headers, bodies and logs from before the checkpoint.
	oldQuestions = 20
	// Blocks of one log filter here; the client asks for bloom bits, then for receipts.
	oldLogSpan = 2000
)

// checkpoint is what go-ethereum's les_latestCheckpoint tells: four words of hexadecimal.
type checkpoint struct {
	SectionIndex uint64 `json:"sectionIndex"`
	SectionHead  string `json:"sectionHead"`
	ChtRoot      string `json:"chtRoot"`
	BloomRoot    string `json:"bloomRoot"`
}

// checkpoint lets geth 1.10.26 start at a checkpoint of the long chain and read what came before.
func (s *session) checkpoint() error {
	c, err := s.chain("long")
	if err != nil {
		return err
	}
	from, err := s.serve("server-long", c)
	defer from.end()
	if err != nil {
		return err
	}
	oracle := from.geth
	if oracle == nil {
		// Only a LES server builds helper tries.
		if oracle, err = full(s.tools, s.folder, "full-long", "1.10.26", c, true); err != nil {
			return err
		}
		defer oracle.end()
	}
	point, err := latestCheckpoint(oracle)
	if err != nil {
		return err
	}
	fmt.Printf("checkpoint: %+v\n", *point)
	config := filepath.Join(s.folder, "checkpoint.toml")
	if err := os.WriteFile(config, []byte(point.config(c.Network)), 0o644); err != nil {
		return err
	}
	client, err := light(s.tools, s.folder, "light-long", "1.10.26", c, from.enode,
		"--config", config)
	defer client.end()
	s.check(err, "light client starts at a checkpoint")
	if err != nil {
		return nil
	}
	list, err := oldQuestionsOf(c, oracle.ipc)
	if err != nil {
		return err
	}
	compare(&s.report, "before the checkpoint", client.ipc, oracle.ipc, list)
	s.requireServed(from, "GetHelperTrieProofs", "GetBlockHeaders", "GetBlockBodies",
		"GetReceipts")
	if from.geth == nil {
		s.sameCheckpoint(from, point)
	}
	return nil
}

// sameCheckpoint compares lesd's own checkpoint, which it prints once it no longer runs.
func (s *session) sameCheckpoint(from *server, point *checkpoint) {
	err := from.stop()
	s.check(err, "lesd ends on SIGTERM")
	text, err := run(startLimit, s.lesd, "db", "stats", "--json", "--datadir",
		filepath.Join(s.folder, "server-long"))
	var stats struct{ Checkpoint *checkpoint }
	if err == nil {
		err = json.Unmarshal([]byte(text), &stats)
	}
	if err == nil && (stats.Checkpoint == nil || *stats.Checkpoint != *point) {
		err = fmt.Errorf("full node %+v, lesd %+v", *point, stats.Checkpoint)
	}
	s.check(err, "lesd's checkpoint is go-ethereum's")
}

func latestCheckpoint(oracle *node) (*checkpoint, error) {
	var words [4]string
	err := oracle.await("checkpoint", sectionLimit, func() (bool, error) {
		err := oracle.ipc.ask(&words, "les_latestCheckpoint")
		return err == nil, err
	})
	if err != nil {
		return nil, err
	}
	point := &checkpoint{SectionHead: words[1], ChtRoot: words[2], BloomRoot: words[3]}
	_, err = fmt.Sscanf(words[0], "0x%x", &point.SectionIndex)
	return point, err
}

// config is the client's configuration file.
func (p *checkpoint) config(network uint64) string {
	return fmt.Sprintf(`[Eth]
NetworkId = %d
SyncMode = "light"
SyncFromCheckpoint = true

[Eth.Checkpoint]
SectionIndex = %d
SectionHead = "%s"
CHTRoot = "%s"
BloomRoot = "%s"
`, network, p.SectionIndex, p.SectionHead, p.ChtRoot, p.BloomRoot)
}

// oldQuestionsOf asks about blocks whose headers the client does not have.
func oldQuestionsOf(c *chain, oracle *client) ([]question, error) {
	q := &inquiry{chain: c, oracle: oracle, random: rand.New(rand.NewSource(7))}
	const section = 32768
	for i := 0; i < oldQuestions; i++ {
		n := uint64(1 + q.random.Intn(section-1))
		// Every third block of this chain has a transaction.
		_, txs, err := q.block(n - n%3)
		if err != nil {
			return nil, err
		}
		q.add("old header", "eth_getHeaderByNumber", number(n))
		q.add("old body", "eth_getBlockByNumber", number(n-n%3), true)
		if len(txs) > 0 {
			q.add("old transaction", "eth_getTransactionByHash", txs[0])
			q.add("old receipts", "eth_getTransactionReceipt", txs[0])
		}
		first := n - min(n, oldLogSpan)
		q.add("old logs", "eth_getLogs", map[string]any{
			"fromBlock": number(first), "toBlock": number(n),
			"topics": []any{
				fmt.Sprintf("0x%064x", 0xe5), fmt.Sprintf("0x%064x", 3*q.random.Intn(166)),
			},
		})
		q.add("old logs", "eth_getLogs", map[string]any{
			"fromBlock": number(first), "toBlock": number(n),
			"address": c.Contracts["events"], "topics": []any{fmt.Sprintf("0x%064x", 0xe3)},
		})
	}
	return q.list, nil
}
