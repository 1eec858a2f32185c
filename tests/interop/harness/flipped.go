package main

import (
	"errors"
	"fmt"
	"time"
)

// flipVariable makes lesd flip one byte of each state proof it sends.
const flipVariable = "LESD_TEST_FLIP_PROOF_BYTE=1"

// dropLimit is how long a light client may take to part from a server that lied.
const dropLimit = 10 * time.Second

// manyReads is more than the 50 invalid replies that go-ethereum's client forgives a server
// (les/client_handler.go, maxResponseErrors).
const manyReads = 60

// flipped lets each light client read from a lesd that lies.
func (s *session) flipped() error {
	if s.server != "lesd" {
		fmt.Println("skipped: only lesd can be told to lie")
		return nil
	}
	c, err := s.chain("small")
	if err != nil {
		return err
	}
	from, err := s.serve("server-flipped", c, flipVariable)
	defer from.end()
	if err != nil {
		return err
	}
	for _, version := range []string{"1.10.26", "1.12.0"} {
		client, err := light(s.tools, s.folder, "light-flipped-"+version, version, c, from.enode,
			"--verbosity", "5")
		defer client.end()
		s.check(err, "light client %s syncs headers from a server that flips proofs", version)
		if err != nil {
			continue
		}
		refusals, err := refuse(client, c.Accounts[:manyReads])
		fmt.Printf("geth %s refuses %d of %d balances\n", version, refusals, manyReads)
		s.check(err, "light client %s refuses flipped proofs", version)
		err = client.await("end of the connection", dropLimit, func() (bool, error) {
			peers, err := client.peers()
			return peers == 0, err
		})
		s.check(err, "light client %s drops the server", version)
	}
	return nil
}

// refuse reads balances all at once, for each may cost a time limit, and counts those that the
// client refuses. A balance that it believes is an error.
func refuse(n *node, accounts []string) (int, error) {
	results := make(chan error, len(accounts))
	for _, account := range accounts {
		go func(account string) {
			ipc, err := dial(n.socket)
			if err != nil {
				results <- err
				return
			}
			defer ipc.close()
			var answer *failure
			balance, err := ipc.call("eth_getBalance", account, "latest")
			switch {
			case err == nil:
				err = fmt.Errorf("it believes %s", balance)
			case errors.As(err, &answer):
				err = nil
			}
			results <- err
		}(account)
	}
	refused := 0
	var first error
	for range accounts {
		if err := <-results; err == nil {
			refused++
		} else if first == nil {
			first = err
		}
	}
	return refused, first
}
