package main

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// scriptLimit is for a client that needs 20 s on an idle machine, in a single thread.
const scriptLimit = 8 * time.Minute

// ethereumjs lets the EthereumJS client sync the headers of the small chain; it asks for nothing
// else. It finds its server as a discv4 bootstrap node.
func (s *session) ethereumjs() error {
	c, err := s.chain("small")
	if err != nil {
		return err
	}
	from, err := s.serve("server-ethereumjs", c)
	defer from.end()
	if err != nil {
		return err
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	installed := filepath.Join(s.tools, "ethereumjs")
	p, err := start(s.folder, "ethereumjs", "node", nil,
		"--import", filepath.Join(installed, "preload.mjs"),
		filepath.Join(installed, "node_modules/@ethereumjs/client/dist/esm/bin/cli.js"),
		"--sync=light", "--gethGenesis="+c.genesis(), "--dataDir="+filepath.Join(s.folder, "js"),
		"--bootnodes="+from.enode, "--port="+strconv.Itoa(port), "--minPeers=1",
		"--discDns=false", "--discV4=true", "--rpc=false", "--rpcEngine=false",
		"--logLevel=debug", "--logRotate=false", "--logFile="+filepath.Join(s.folder, "js.log"))
	if err != nil {
		return err
	}
	defer func() { _ = p.stop() }()
	head := fmt.Sprintf("stored header %d %s", c.Blocks, c.HeadHash)
	err = p.await("head of the chain", scriptLimit, func() (bool, error) {
		return strings.Contains(p.log(), head), nil
	})
	s.check(err, "EthereumJS syncs %d headers", c.Blocks)
	s.requireServed(from, "GetBlockHeaders")
	return nil
}
