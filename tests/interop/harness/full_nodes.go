package main

import (
	"fmt"
	"path/filepath"
	"strconv"
)

// fullNodes lets lesd sync a chain from go-ethereum over eth, and go-ethereum from lesd: eth/67 with
// 1.10.26, eth/68 with 1.12.0.
func (s *session) fullNodes() error {
	c, err := s.chain("small")
	if err != nil {
		return err
	}
	for _, version := range []string{"1.10.26", "1.12.0"} {
		if err := s.syncBothWays(version, c); err != nil {
			return fmt.Errorf("%s: %w", version, err)
		}
	}
	return nil
}

// syncBothWays has a lesd without blocks sync from a geth that imported them, and then another geth
// without blocks from that lesd: it executes every block, so the head that it arrives at is proof
// of what lesd stored and sends.
func (s *session) syncBothWays(version string, c *chain) error {
	source := "eth-source-" + version
	if err := gethInit(s.tools, s.folder, source, version, c); err != nil {
		return err
	}
	if _, err := run(importLimit, filepath.Join(s.tools, "geth-"+version), "--datadir",
		filepath.Join(s.folder, source), "import", c.blocks()); err != nil {
		return err
	}
	args := []string{"--syncmode", "full", "--nodiscover", "--maxpeers", "5"}
	from, err := geth(s.tools, s.folder, source, version, c.Network, args...)
	if err != nil {
		return err
	}
	defer from.end()
	data := filepath.Join(s.folder, "eth-lesd-"+version)
	if _, err := run(importLimit, s.lesd, "init", "--datadir", data, c.genesis()); err != nil {
		return err
	}
	follower, err := start(s.folder, "eth-lesd-"+version, s.lesd, nil, "node", "--datadir", data,
		"--addr", "127.0.0.1", "--port", "0", "--nodiscover",
		"--networkid", strconv.FormatUint(c.Network, 10), "--staticpeers", from.enode)
	if err != nil {
		return err
	}
	defer follower.stop()
	enode, err := follower.awaitLog(`enode://[0-9a-f]{128}@[0-9.]+:\d+`, startLimit)
	if err != nil {
		return err
	}
	_, err = follower.awaitLog(fmt.Sprintf(`Imported new chain segment .*number=%d `, c.Blocks),
		syncLimit)
	s.check(err, "lesd syncs %d blocks from geth %s", c.Blocks, version)
	if err != nil {
		return nil
	}
	target := "eth-target-" + version
	if err := gethInit(s.tools, s.folder, target, version, c); err != nil {
		return err
	}
	to, err := geth(s.tools, s.folder, target, version, c.Network, args...)
	if err != nil {
		return err
	}
	defer to.end()
	if err := to.ipc.ask(new(bool), "admin_addPeer", enode); err != nil {
		return err
	}
	err = to.await("head of the chain", syncLimit, func() (bool, error) {
		head, err := to.header("latest")
		return head.Hash == c.HeadHash, fmt.Errorf("at block %s: %v", head.Number, err)
	})
	s.check(err, "geth %s syncs %d blocks from lesd", version, c.Blocks)
	for _, peer := range []*node{from, to} {
		peers, err := peer.peers()
		if err == nil && peers != 1 {
			err = fmt.Errorf("%d peers\n%s\n%s", peers, peer.tail(), follower.tail())
		}
		s.check(err, "%s keeps lesd to the end", peer.name)
	}
	return nil
}
