package main

import (
	"fmt"
	"math/rand"
	"time"
)

const (
	// A killed lesd runs at most this long, so that kills hit its start, its catching up and its
	// following.
	longestLife = 3 * time.Second
	verifyLimit = time.Minute
	catchUp     = 60 * time.Second
)

// victim is a lesd that follows the loser and is killed again and again.
type victim struct {
	*lesdNode
	kills  int
	errors []error
	done   chan struct{}
}

func newVictim(n *network, kills int) *victim {
	v := &victim{kills: kills, done: make(chan struct{})}
	go func() {
		defer close(v.done)
		if kills > 0 {
			v.errors = v.run(n)
		}
	}()
	return v
}

// run kills and verifies; after the last kill the victim lives on.
func (v *victim) run(n *network) []error {
	var errors []error
	var err error
	if v.lesdNode, err = n.lesd("victim", n.loser.enode); err != nil {
		return []error{err}
	}
	random := rand.New(rand.NewSource(int64(v.kills)))
	for kill := 1; kill <= v.kills; kill++ {
		time.Sleep(time.Duration(random.Int63n(int64(longestLife))))
		_ = v.command.Process.Kill()
		<-v.ended
		if _, err := run(verifyLimit, n.session.lesd, "db", "verify", "--datadir", v.data); err != nil {
			errors = append(errors, fmt.Errorf("after kill %d: %w", kill, err))
		}
		if err := n.startLesd(v.lesdNode); err != nil {
			return append(errors, fmt.Errorf("start after kill %d: %w", kill, err))
		}
	}
	return errors
}

// finish waits until every kill is done.
func (v *victim) finish() { <-v.done }

// verdict says whether every restart was consistent, and whether the victim has caught up: the
// winner must know its head, near the end of the chain.
func (v *victim) verdict(n *network) error {
	if len(v.errors) > 0 {
		return fmt.Errorf("%d errors, the first: %w", len(v.errors), v.errors[0])
	}
	name := "light-of-victim"
	if err := n.init(name, "1.10.26"); err != nil {
		return err
	}
	client, err := geth(n.tools, n.folder, name, "1.10.26", testNetwork,
		"--syncmode", "light", "--nodiscover")
	defer client.end()
	if err != nil {
		return err
	}
	if err := n.connect(client, v.enode); err != nil {
		return err
	}
	return client.await("the victim's head", catchUp, func() (bool, error) {
		return n.isCurrent(client)
	})
}

func (v *victim) end() {
	if v == nil {
		return
	}
	<-v.done
	if v.lesdNode != nil {
		_ = v.lesdNode.process.stop()
	}
}
