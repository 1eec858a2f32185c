// Command chaingen makes the chains on which lesd and go-ethereum are compared: genesis.json,
// chain.rlp (as `geth export` writes it) and manifest.json. The same name gives the same bytes
// in every run. It knows go-ethereum's chain maker and nothing of lesd.
//
//	chaingen small|forks|pow|busy|follow|long|bench FOLDER
package main

import (
	"fmt"
	"os"
)

func main() {
	makers := map[string]func(folder string){
		"small": small, "forks": forks, "pow": proofOfWork,
		"busy": busy, "follow": follow, "long": long, "bench": bench,
	}
	if len(os.Args) != 3 || makers[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: chaingen small|forks|pow|busy|follow|long|bench FOLDER")
		os.Exit(2)
	}
	makers[os.Args[1]](os.Args[2])
}
