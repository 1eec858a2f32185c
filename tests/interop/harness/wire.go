package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// wireLimit is enough for three conversations of a hundred requests with each server.
const wireLimit = 3 * time.Minute

// wire compares the replies to raw requests with go-ethereum's, byte for byte, on two chains. For
// --server geth the subject is go-ethereum 1.12.0, so that two programs are compared.
func (s *session) wire() error {
	for _, name := range []string{"small", "long"} {
		c, err := s.chain(name)
		if err != nil {
			return err
		}
		if err := s.compareReplies(c); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) compareReplies(c *chain) error {
	reference, err := full(s.tools, s.folder, "wire-reference-"+c.Chain, "1.10.26", c, true)
	if err != nil {
		return err
	}
	defer reference.end()
	subject, err := s.subject("wire-"+c.Chain, c)
	defer subject.end()
	if err != nil {
		return err
	}
	if c.Chain == "long" {
		if _, err := latestCheckpoint(reference); err != nil {
			return err
		}
		if err := subject.awaitHelperTries(); err != nil {
			return err
		}
	}
	equal, err := s.compareRows(c, subject, c.folder, reference.enode, subject.enode)
	fmt.Printf("%s: %d replies are the same bytes\n", c.Chain, equal)
	return err
}

// transactions sends the same transactions to both servers and compares what they say to each.
func (s *session) transactions() error {
	c, err := s.chain("small")
	if err != nil {
		return err
	}
	reference, err := full(s.tools, s.folder, "pool-reference", "1.10.26", c, true)
	if err != nil {
		return err
	}
	defer reference.end()
	subject, err := s.subject("pool", c)
	defer subject.end()
	if err != nil {
		return err
	}
	equal, err := s.compareRows(c, subject, "--transactions", c.folder, reference.enode,
		subject.enode)
	fmt.Printf("%d transactions have the same fate\n", equal)
	return err
}

// compareRows runs wirecompare and checks each line that it prints; says how many are equal.
func (s *session) compareRows(c *chain, subject *server, args ...string) (int, error) {
	text, err := run(wireLimit, filepath.Join(s.tools, "wirecompare"), args...)
	if err != nil {
		return 0, fmt.Errorf("%w\n%s", err, subject.tail())
	}
	equal := 0
	for _, row := range strings.Split(strings.TrimSpace(text), "\n") {
		var result struct{ Name, Error string }
		if err := json.Unmarshal([]byte(row), &result); err != nil {
			return equal, fmt.Errorf("%w: %s", err, row)
		}
		var err error
		if result.Error != "" {
			err = errors.New(result.Error)
		} else {
			equal++
		}
		s.check(err, "%s, %s", c.Chain, result.Name)
	}
	return equal, nil
}

func (s *session) subject(name string, c *chain) (*server, error) {
	if s.server != "geth" {
		return s.serve(name, c)
	}
	n, err := full(s.tools, s.folder, name, "1.12.0", c, true)
	if err != nil {
		return nil, err
	}
	return &server{process: n.process, enode: n.enode, geth: n}, nil
}
