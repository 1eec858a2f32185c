package main

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

// server is what the light clients connect to.
type server struct {
	*process
	enode string
	// The same node as the oracle, if it is a geth; else nil.
	geth *node
}

// kinds of LES requests by the message code with which go-ethereum's server logs them.
var kinds = map[string]string{
	"2": "GetBlockHeaders", "4": "GetBlockBodies", "6": "GetReceipts", "10": "GetContractCodes",
	"15": "GetProofsV2", "17": "GetHelperTrieProofs", "19": "SendTxV2", "20": "GetTxStatus",
}

var (
	gethServed = regexp.MustCompile(`Light Ethereum message arrived .*code=(\d+)`)
	lesdServed = regexp.MustCompile(`served .*kind="?(\w+)`)
)

// served counts the requests in the server's log by kind.
func (s *server) served() map[string]int {
	counts := map[string]int{}
	if s.geth != nil {
		for _, match := range gethServed.FindAllStringSubmatch(s.log(), -1) {
			counts[kinds[match[1]]]++
		}
		return counts
	}
	for _, match := range lesdServed.FindAllStringSubmatch(s.log(), -1) {
		counts[match[1]]++
	}
	return counts
}

func (s *server) end() {
	if s == nil {
		return
	}
	if s.geth != nil {
		s.geth.end()
		return
	}
	_ = s.stop()
}

// serve starts the server of this session on a chain.
func (s *session) serve(name string, c *chain, environment ...string) (*server, error) {
	if s.server == "geth" {
		n, err := full(s.tools, s.folder, name, "1.10.26", c, true)
		if err != nil {
			return nil, err
		}
		return &server{process: n.process, enode: n.enode, geth: n}, nil
	}
	data := filepath.Join(s.folder, name)
	if _, err := run(importLimit, s.lesd, "init", "--datadir", data, c.genesis()); err != nil {
		return nil, err
	}
	if _, err := run(importLimit, s.lesd, "import", "--datadir", data, c.blocks()); err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	p, err := start(s.folder, name, s.lesd, environment, "node", "--datadir", data,
		"--addr", "127.0.0.1", "--port", strconv.Itoa(port),
		"--networkid", strconv.FormatUint(c.Network, 10), "-v")
	if err != nil {
		return nil, err
	}
	enode, err := p.awaitLog(`enode://[0-9a-f]{128}@[0-9.]+:\d+`, startLimit)
	if err != nil {
		return &server{process: p}, err
	}
	return &server{process: p, enode: enode}, nil
}

// requireServed checks that each kind of request came and was answered.
func (s *session) requireServed(from *server, names ...string) {
	// The log may be a moment behind the answer.
	for _, name := range names {
		err := from.await(name+" in the log", 5*time.Second, func() (bool, error) {
			return from.served()[name] > 0, nil
		})
		s.check(err, "server log shows %s", name)
	}
	fmt.Printf("served: %v\n", from.served())
}

// awaitHelperTries waits until the first section can be served. lesd says so in its log; the
// go-ethereum that no longer has a call for it, too.
func (s *server) awaitHelperTries() error {
	pattern := `(?i)(helper.trie section|built .*section)`
	if s.geth != nil {
		pattern = "Storing bloom trie"
	}
	_, err := s.awaitLog(pattern, sectionLimit)
	return err
}
