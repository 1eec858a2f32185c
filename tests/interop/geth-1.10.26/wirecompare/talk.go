package main

import (
	"errors"
	"fmt"
	"io"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/forkid"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

const (
	// A server answers a small request within milliseconds; go-ethereum answers some not at all.
	replyLimit = 5 * time.Second
	// From dialling to the end of the last reply.
	conversationLimit = 60 * time.Second

	statusCode   = 0x00
	announceCode = 0x01
)

// reply is what came for a request.
type reply struct {
	code    uint64
	payload []byte
	err     error
}

// entry is one key of a Status.
type entry struct {
	Key   string
	Value any
}

// converse connects with one LES version, exchanges Status and puts all requests, one by one.
func converse(c *chain, node *enode.Node, version uint, requests []request) ([]reply, error) {
	key, err := crypto.GenerateKey()
	if err != nil {
		return nil, err
	}
	lengths := map[uint]uint64{2: 22, 3: 24, 4: 24}
	var replies []reply
	done := make(chan error, 1)
	server := &p2p.Server{Config: p2p.Config{
		PrivateKey: key, MaxPeers: 1, NoDiscovery: true, Name: "wirecompare",
		Protocols: []p2p.Protocol{{
			Name: "les", Version: version, Length: lengths[version],
			Run: func(_ *p2p.Peer, rw p2p.MsgReadWriter) error {
				var err error
				replies, err = c.talk(rw, version, requests)
				done <- err
				return err
			},
		}},
	}}
	if err := server.Start(); err != nil {
		return nil, err
	}
	defer server.Stop()
	server.AddPeer(node)
	select {
	case err := <-done:
		return replies, err
	case <-time.After(conversationLimit):
		return nil, fmt.Errorf("no conversation over les/%d with %s", version, node.URLv4())
	}
}

// message is a message that was read whole.
type message struct {
	code    uint64
	payload []byte
	err     error
}

func (c *chain) talk(rw p2p.MsgReadWriter, version uint, requests []request) ([]reply, error) {
	if err := p2p.Send(rw, statusCode, c.status(version)); err != nil {
		return nil, err
	}
	// One reader for the whole conversation, so that a reply that never comes blocks nobody.
	messages := make(chan message, 16)
	go func() {
		for {
			msg, err := rw.ReadMsg()
			if err != nil {
				messages <- message{err: err}
				return
			}
			payload, err := io.ReadAll(msg.Payload)
			messages <- message{msg.Code, payload, err}
		}
	}()
	status := <-messages
	if status.err != nil || status.code != statusCode {
		return nil, fmt.Errorf("message 0x%02x (%v) instead of a Status", status.code, status.err)
	}
	replies := make([]reply, len(requests))
	var lost error
	for i, request := range requests {
		if lost != nil {
			replies[i].err = lost
			continue
		}
		body := append([]any{uint64(i + 1)}, request.body...)
		if err := p2p.Send(rw, request.code, body); err != nil {
			lost = err
		} else {
			replies[i] = await(messages)
		}
		if replies[i].err != nil && !errors.Is(replies[i].err, errSilent) {
			lost = fmt.Errorf("connection lost: %w", replies[i].err)
		}
	}
	return replies, nil
}

var errSilent = errors.New("no reply")

func await(messages <-chan message) reply {
	timeout := time.After(replyLimit)
	for {
		select {
		case m := <-messages:
			if m.err == nil && m.code == announceCode {
				continue
			}
			return reply(m)
		case <-timeout:
			return reply{err: errSilent}
		}
	}
}

// status is that of a client which knows the genesis block only and wants no announcements.
func (c *chain) status(version uint) []entry {
	list := []entry{
		{"protocolVersion", uint64(version)}, {"networkId", c.manifest.NetworkID},
		{"headTd", new(big.Int)}, {"headHash", common.Hash{}}, {"headNum", uint64(0)},
		{"genesisHash", c.manifest.GenesisHash}, {"announceType", uint64(0)},
	}
	if version >= 4 {
		list = append(list, entry{"forkID", forkid.NewID(c.genesis.Config, c.manifest.GenesisHash, 0)})
	}
	return list
}
