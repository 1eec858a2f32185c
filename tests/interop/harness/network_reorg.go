package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// header is what is compared of a head.
type header struct {
	Hash   string `json:"hash"`
	Number string `json:"number"`
}

func (h header) height() uint64 {
	height, _ := strconv.ParseUint(strings.TrimPrefix(h.Number, "0x"), 16, 64)
	return height
}

func (n *node) header(block string) (header, error) {
	var found header
	return found, n.ipc.ask(&found, "eth_getHeaderByNumber", block)
}

// reorganise cuts the miners apart, lets the loser mine so many blocks that only it and its
// followers know, the winner more, and joins them again.
func (n *network) reorganise(depth int) error {
	if err := n.awaitEverybody(); err != nil {
		return err
	}
	common, err := n.awaitSame()
	if err != nil {
		return err
	}
	for _, pair := range [][2]*node{{n.loser, n.winner}, {n.winner, n.loser}} {
		if err := pair[0].ipc.ask(new(bool), "admin_removePeer", pair[1].enode); err != nil {
			return err
		}
	}
	if err := n.loser.ipc.ask(new(json.RawMessage), "miner_start"); err != nil {
		return err
	}
	begin := time.Now()
	limit := time.Duration(depth)*4*blockPeriod + startLimit
	err = n.loser.await("its own blocks", limit, func() (bool, error) {
		head, err := n.loser.header("latest")
		return head.height() >= common.height()+uint64(depth), err
	})
	if err != nil {
		return err
	}
	if err := n.loser.ipc.ask(new(json.RawMessage), "miner_stop"); err != nil {
		return err
	}
	lost, err := n.loser.header("latest")
	if err != nil {
		return err
	}
	// Everybody behind the loser is to be on the chain that will be left.
	for _, light := range n.lights {
		light := light
		err := light.await("the chain that will be left", healLimit, func() (bool, error) {
			found, err := light.header(lost.Number)
			return found.Hash == lost.Hash, fmt.Errorf("there %s: %v", found.Hash, err)
		})
		n.check(err, "%s follows %d blocks to %s", light.name, depth, lost.Number)
	}
	// A block that was being sealed as the miner stopped may have come since.
	if lost, err = n.loser.header("latest"); err != nil {
		return err
	}
	err = n.winner.await("a heavier chain", limit, func() (bool, error) {
		head, err := n.winner.header("latest")
		return head.height() > lost.height(), err
	})
	if err != nil {
		return err
	}
	if err := n.connect(n.loser, n.winner.enode); err != nil {
		return err
	}
	healed, err := n.awaitSame()
	if err != nil {
		return err
	}
	fmt.Printf("reorganised %d blocks from %s, healed at %s after %.0f s\n",
		lost.height()-common.height(), common.Number, healed.Number, time.Since(begin).Seconds())
	return nil
}

// awaitSame waits until loser and winner have one head again.
func (n *network) awaitSame() (header, error) {
	var head header
	err := n.loser.await("the winner's head", healLimit, func() (bool, error) {
		var err error
		if head, err = n.loser.header("latest"); err != nil {
			return false, err
		}
		same, err := n.winner.header(head.Number)
		return same.Hash == head.Hash && head.height() > 0, err
	})
	return head, err
}

// awaitEverybody waits until all full nodes and clients follow one chain. go-ethereum tells of the
// blocks that it fetched to heal only when the next one is mined, and then only some of its peers.
func (n *network) awaitEverybody() error {
	everybody := []*node{n.loser, n.follower}
	for _, light := range n.lights {
		everybody = append(everybody, light.node)
	}
	for _, one := range everybody {
		one := one
		err := one.await("the winner's chain", healLimit, func() (bool, error) {
			return n.isCurrent(one)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// isCurrent says whether a client's head is canonical on the winner and near its head.
func (n *network) isCurrent(client *node) (bool, error) {
	head, err := client.header("latest")
	if err != nil {
		return false, err
	}
	latest, err := n.winner.header("latest")
	if err != nil {
		return false, err
	}
	same, err := n.winner.header(head.Number)
	if err != nil {
		return false, err
	}
	current := same.Hash == head.Hash && head.height()+allowedLag >= latest.height()
	return current, fmt.Errorf("at %s %s, the winner at %s, there %s", head.Number, head.Hash,
		latest.Number, same.Hash)
}

func (n *network) compareHeads() {
	for _, client := range n.lights {
		current, err := n.isCurrent(client.node)
		if current {
			err = nil
		}
		n.check(err, "%s is on the winner's head", client.name)
	}
}

// nobodyLeft checks both ends: clients still have their servers, and lesd let none go.
func (n *network) nobodyLeft() {
	for _, client := range n.lights {
		peers, err := client.peers()
		if err == nil && peers != client.servers {
			err = fmt.Errorf("%d of %d servers are left\n%s", peers, client.servers, client.tail())
		}
		n.check(err, "%s kept its servers", client.name)
	}
	for _, l := range n.lesds {
		var gone []string
		for _, line := range strings.Split(l.log(), "\n") {
			if strings.Contains(line, "Light client gone") ||
				strings.Contains(line, "Light client dropped") {
				gone = append(gone, line)
			}
		}
		var err error
		if len(gone) > 0 {
			err = fmt.Errorf("%s", strings.Join(gone, "\n"))
		}
		n.check(err, "%s kept its clients", l.name)
	}
}
