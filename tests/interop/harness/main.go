// Command harness runs real light clients against a LES server and compares what they read with
// the answers of a full node that holds the same chain. It speaks JSON-RPC with the clients and
// knows nothing of LES.
//
//	harness --tools FOLDER --server geth|lesd [--lesd PROGRAM] [--only WORD]
//	harness --tools FOLDER --bench [--lesd PROGRAM] [--les-load PROGRAM] [--rounds N]
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	tools := flag.String("tools", "build/interop", "folder of the geth programs and of chains/")
	kind := flag.String("server", "lesd", "who serves: lesd, or geth 1.10.26")
	lesd := flag.String("lesd", "target/release/lesd", "the lesd program")
	only := flag.String("only", "", "run the phases whose name has this word")
	bench := flag.Bool("bench", false, "compare the servers' CPU per request instead")
	lesLoad := flag.String("les-load", "target/release/les-load", "the load generator")
	rounds := flag.Int("rounds", 3, "how often --bench measures each server")
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
	for _, phase := range b.phases() {
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
