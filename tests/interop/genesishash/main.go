// Command genesishash prints the hash and state root that go-ethereum gives to genesis files, one
// JSON member per file. It knows nothing of lesd. It has no module of its own: it is built inside
// the module of the go-ethereum version whose answer is wanted.
//
//	genesishash PRODUCER FILE...
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core"
)

type answer struct {
	Hash      common.Hash `json:"hash"`
	StateRoot common.Hash `json:"stateRoot"`
	Producer  string      `json:"producer"`
}

func main() {
	if len(os.Args) < 3 {
		check(errors.New("usage: genesishash PRODUCER FILE..."))
	}
	answers := map[string]answer{}
	for _, path := range os.Args[2:] {
		text, err := os.ReadFile(path)
		check(err)
		var genesis core.Genesis
		check(json.Unmarshal(text, &genesis))
		block := genesis.ToBlock()
		answers[filepath.Base(path)] = answer{
			Hash: block.Hash(), StateRoot: block.Root(), Producer: os.Args[1],
		}
	}
	text, err := json.MarshalIndent(answers, "", " ")
	check(err)
	fmt.Println(string(text))
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "genesishash:", err)
		os.Exit(1)
	}
}
