// Command wirecompare sends the same LES requests to two servers of one chain and compares their
// replies byte for byte, apart from the buffer value. It is a LES client of few words on top of
// go-ethereum's devp2p; it checks no proofs and keeps to no flow control, but asks little.
//
//	wirecompare [--transactions] CHAIN-FOLDER REFERENCE-ENODE SUBJECT-ENODE
//
// With --transactions it sends transactions instead, and compares what is said to each.
//
// Prints one line of JSON per request: its name, and what differs.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"

	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/rlp"
)

// line is what is printed for a request.
type line struct {
	Name  string `json:"name"`
	Error string `json:"error,omitempty"`
}

func main() {
	transactions := len(os.Args) > 1 && os.Args[1] == "--transactions"
	if transactions {
		os.Args = append(os.Args[:1], os.Args[2:]...)
	}
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: wirecompare [--transactions] CHAIN-FOLDER REFERENCE-ENODE SUBJECT-ENODE")
		os.Exit(2)
	}
	c, err := loadChain(os.Args[1])
	check(err)
	if transactions {
		compareTransactions(c, os.Args[2:])
		return
	}
	out := json.NewEncoder(os.Stdout)
	for version := uint(2); version <= 4; version++ {
		requests := c.requests()
		var replies [2][]reply
		for i, url := range os.Args[2:] {
			node, err := enode.ParseV4(url)
			check(err)
			replies[i], err = converse(c, node, version, requests)
			check(err)
		}
		for i, request := range requests {
			check(out.Encode(line{
				Name:  fmt.Sprintf("les/%d %s", version, request.name),
				Error: difference(replies[0][i], replies[1][i]),
			}))
		}
	}
}

// difference is empty if two replies carry the same data for the same request.
func difference(reference, subject reply) string {
	switch {
	case reference.err != nil:
		return fmt.Sprintf("the reference: %v", reference.err)
	case subject.err != nil:
		return subject.err.Error()
	case reference.code != subject.code:
		return fmt.Sprintf("message 0x%02x instead of 0x%02x", subject.code, reference.code)
	}
	expected, err := data(reference.payload)
	if err != nil {
		return fmt.Sprintf("the reference: %v", err)
	}
	got, err := data(subject.payload)
	if err != nil {
		return err.Error()
	}
	if bytes.Equal(expected, got) {
		return ""
	}
	return fmt.Sprintf("expected %s, got %s", abridged(expected), abridged(got))
}

// data is the third element of [request id, buffer value, data].
func data(payload []byte) (rlp.RawValue, error) {
	var envelope struct {
		RequestID, BufferValue uint64
		Data                   rlp.RawValue
	}
	err := rlp.DecodeBytes(payload, &envelope)
	return envelope.Data, err
}

// abridged shows the first bytes of a reply, and how many there are.
func abridged(reply []byte) string {
	const shown = 96
	if len(reply) <= shown {
		return fmt.Sprintf("%x", reply)
	}
	return fmt.Sprintf("%x... (%d bytes)", reply[:shown], len(reply))
}

// check ends the program: without both servers there is nothing to compare.
func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "wirecompare:", err)
		os.Exit(1)
	}
}
