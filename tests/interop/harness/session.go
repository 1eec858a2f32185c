package main

import (
	"fmt"
	"path/filepath"
	"time"
)

// session is one run of the harness: its counts, and where things are.
type session struct {
	report
	tools, lesd, server, folder string
}

type phase struct {
	name string
	run  func() error
}

func (s *session) phases() []phase {
	return []phase{
		{"light clients read what a full node reads", s.readSmall},
		{"light clients follow all forks from Frontier to London", s.readForks},
		{"old headers by CHT, logs by BloomTrie", s.checkpoint},
		{"replies are go-ethereum's, byte for byte", s.wire},
		{"transactions are taken and refused in go-ethereum's words", s.transactions},
		{"a flipped byte in a proof is refused", s.flipped},
		{"lesd and full nodes sync from each other", s.fullNodes},
		{"ethereumjs syncs headers", s.ethereumjs},
	}
}

func (s *session) chain(name string) (*chain, error) {
	return loadChain(filepath.Join(s.tools, "chains", name))
}

// readSmall lets the light clients ask for everything, and checks that they did.
func (s *session) readSmall() error {
	return s.readAll("small", "GetBlockHeaders", "GetBlockBodies", "GetReceipts",
		"GetContractCodes", "GetProofsV2", "GetTxStatus", "SendTxV2")
}

// readForks covers what is encoded otherwise in old blocks: headers and receipts.
func (s *session) readForks() error {
	return s.readAll("forks", "GetBlockHeaders", "GetReceipts", "GetProofsV2")
}

// readAll lets both light clients sync a chain and compares their answers.
func (s *session) readAll(name string, requests ...string) error {
	c, err := s.chain(name)
	if err != nil {
		return err
	}
	from, err := s.serve("server-"+name, c)
	defer from.end()
	if err != nil {
		return err
	}
	for _, version := range []string{"1.10.26", "1.12.0"} {
		if err := s.read(version, c, from); err != nil {
			s.check(fmt.Errorf("%w\n%s", err, from.tail()), "light client %s", version)
		}
	}
	s.requireServed(from, requests...)
	return nil
}

// read compares one light client with a full node of its own version.
func (s *session) read(version string, c *chain, from *server) error {
	oracle := from.geth
	if oracle == nil || oracle.version != version {
		var err error
		if oracle, err = full(s.tools, s.folder, c.Chain+"-full-"+version, version, c,
			false); err != nil {
			return err
		}
		defer oracle.end()
	}
	begin := time.Now()
	client, err := light(s.tools, s.folder, c.Chain+"-light-"+version, version, c, from.enode)
	defer client.end()
	s.check(err, "light client %s syncs %d headers", version, c.Blocks)
	if err != nil {
		return nil
	}
	fmt.Printf("geth %s: synced %d headers in %.1f s\n", version, c.Blocks,
		time.Since(begin).Seconds())
	list, err := questions(c, oracle.ipc, int64(len(version)))
	if err != nil {
		return err
	}
	compare(&s.report, "geth "+version+", "+c.Chain, client.ipc, oracle.ipc, list)
	if c.Unsent != "" {
		var hash string
		err = client.ipc.ask(&hash, "eth_sendRawTransaction", c.Unsent)
		s.check(err, "geth %s sends a transaction", version)
	}
	peers, err := client.peers()
	if err == nil && peers != 1 {
		err = fmt.Errorf("%d peers", peers)
	}
	s.check(err, "geth %s keeps its server to the end", version)
	return nil
}
