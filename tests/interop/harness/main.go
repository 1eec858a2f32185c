// Command harness runs real light clients against a LES server and compares what they read with
// the answers of a full node that holds the same chain. It speaks JSON-RPC with the clients and
// knows nothing of LES.
//
//	harness --tools FOLDER --server geth|lesd [--lesd PROGRAM] [--only WORD]
//	harness --tools FOLDER --dev [--lesd PROGRAM] [--only WORD]
//	harness --tools FOLDER --bench [--lesd PROGRAM] [--les-load PROGRAM] [--rounds N]
//	harness --tools FOLDER --network N [--kills N] [--seed N] [--lesd PROGRAM]
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

func main() {
	tools := flag.String("tools", "build/interop", "folder of the geth programs and of chains/")
	kind := flag.String("server", "lesd", "who serves: lesd, or geth 1.10.26")
	lesd := flag.String("lesd", "target/release/lesd", "the lesd program")
	only := flag.String("only", "", "run the phases whose name has this word")
	dev := flag.Bool("dev", false, "connect to development chains as lesd prints it instead")
	bench := flag.Bool("bench", false, "compare the servers' CPU per request instead")
	lesLoad := flag.String("les-load", "target/release/les-load", "the load generator")
	rounds := flag.Int("rounds", 3, "how often --bench measures each server")
	reorgs := flag.Int("network", 0, "run a test network with so many reorganisations instead")
	kills := flag.Int("kills", 0, "how often --network kills a lesd that follows it")
	seed := flag.Int64("seed", time.Now().UnixNano(), "what --network draws depths from")
	flag.Parse()
	if *bench {
		b := &benchServer{tools: *tools, lesd: *lesd, lesLoad: *lesLoad, rounds: *rounds}
		if err := b.run(); err != nil {
			fmt.Fprintln(os.Stderr, "harness:", err)
			os.Exit(1)
		}
		return
	}
	folder, err := os.MkdirTemp("", "interop-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "harness:", err)
		os.Exit(2)
	}
	b := &session{tools: *tools, lesd: *lesd, server: *kind, folder: folder}
	phases := b.phases()
	switch {
	case *reorgs > 0:
		fmt.Println("seed", *seed)
		phases = []phase{{"a test network", func() error { return b.network(*reorgs, *kills, *seed) }}}
	case *dev:
		phases = b.devPhases()
	}
	for _, phase := range phases {
		if !strings.Contains(phase.name, *only) {
			continue
		}
		fmt.Printf("== %s\n", phase.name)
		if err := phase.run(); err != nil {
			b.check(err, "%s", phase.name)
		}
	}
	if b.failed == 0 {
		os.RemoveAll(folder)
	} else {
		fmt.Println("data and logs are kept in", filepath.Clean(folder))
	}
	fmt.Printf("%d passed, %d failed\n", b.passed, b.failed)
	if b.failed > 0 {
		os.Exit(1)
	}
}
