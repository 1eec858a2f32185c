package main

import (
	"fmt"
	"time"
)

// flipVariable makes lesd flip one byte of each state proof it sends.
const flipVariable = "LESD_TEST_FLIP_PROOF_BYTE=1"

// dropLimit is how long a light client may take to part from a server that lied.
const dropLimit = 10 * time.Second

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
		balance, err := client.ipc.call("eth_getBalance", c.Accounts[0], "latest")
		if err == nil {
			err = fmt.Errorf("it believes %s", balance)
		} else {
			fmt.Printf("geth %s refuses: %v\n", version, err)
			err = nil
		}
		s.check(err, "light client %s refuses a flipped proof", version)
		err = client.await("end of the connection", dropLimit, func() (bool, error) {
			peers, err := client.peers()
			return peers == 0, err
		})
		s.check(err, "light client %s drops the server", version)
	}
	return nil
}
