package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

const (
	startLimit  = 60 * time.Second
	importLimit = 10 * time.Minute
	syncLimit   = 3 * time.Minute
)

// chain is a folder that scripts/make-chain.sh made.
type chain struct {
	folder  string
	Chain   string `json:"chain"`
	Network uint64 `json:"networkId"`
	Blocks  uint64 `json:"blocks"`

	HeadHash  string              `json:"headHash"`
	Accounts  []string            `json:"accounts"`
	Contracts map[string]string   `json:"contracts"`
	Slots     map[string][]string `json:"slots"`
	Txs       []string            `json:"transactions"`
	Unsent    string              `json:"unsentTransaction"`
}

func loadChain(folder string) (*chain, error) {
	text, err := os.ReadFile(filepath.Join(folder, "manifest.json"))
	if err != nil {
		return nil, err
	}
	c := &chain{folder: folder}
	return c, json.Unmarshal(text, c)
}

func (c *chain) genesis() string { return filepath.Join(c.folder, "genesis.json") }
func (c *chain) blocks() string  { return filepath.Join(c.folder, "chain.rlp") }

// node is a running geth, full or light.
type node struct {
	*process
	version string
	socket  string
	ipc     *client
	enode   string
}

// geth starts a go-ethereum node on an initialised data directory and waits for its IPC.
func geth(tools, folder, name, version string, network uint64, args ...string) (*node, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	engine, err := freePort()
	if err != nil {
		return nil, err
	}
	data := filepath.Join(folder, name)
	args = append([]string{
		"--datadir", data, "--networkid", strconv.FormatUint(network, 10),
		"--port", strconv.Itoa(port), "--authrpc.port", strconv.Itoa(engine),
		"--nat", "none", "--nousb", "--cache", "256",
	}, args...)
	p, err := start(folder, name, filepath.Join(tools, "geth-"+version), nil, args...)
	if err != nil {
		return nil, err
	}
	n := &node{process: p, version: version, socket: filepath.Join(data, "geth.ipc")}
	err = p.await("IPC", startLimit, func() (bool, error) {
		n.ipc, err = dial(n.socket)
		return err == nil, err
	})
	if err != nil {
		_ = p.stop()
		return nil, err
	}
	var full struct{ Enode string }
	if err := n.ipc.ask(&full, "admin_nodeInfo"); err != nil {
		return nil, err
	}
	key := full.Enode[len("enode://"):][:128]
	n.enode = fmt.Sprintf("enode://%s@127.0.0.1:%d", key, port)
	return n, nil
}

func (n *node) end() {
	if n != nil {
		n.ipc.close()
		_ = n.stop()
	}
}

func gethInit(tools, folder, name, version string, c *chain) error {
	_, err := run(importLimit, filepath.Join(tools, "geth-"+version),
		"--datadir", filepath.Join(folder, name), "init", c.genesis())
	return err
}

// full imports a chain and runs a node that keeps all states. With serve it is a LES server, which
// also builds helper tries, and it writes down each LES message that comes.
func full(tools, folder, name, version string, c *chain, serve bool) (*node, error) {
	if err := gethInit(tools, folder, name, version, c); err != nil {
		return nil, err
	}
	_, err := run(importLimit, filepath.Join(tools, "geth-"+version),
		"--datadir", filepath.Join(folder, name), "--gcmode", "archive", "--snapshot=false",
		"--txlookuplimit", "0", "import", c.blocks())
	if err != nil {
		return nil, err
	}
	args := []string{
		"--syncmode", "full", "--gcmode", "archive", "--snapshot=false", "--txlookuplimit", "0",
	}
	if serve {
		// Nobody but this machine; the node is its own bootstrap node.
		args = append(args, "--light.serve", "100", "--light.maxpeers", "20",
			"--light.nosyncserve", "--maxpeers", "30", "--netrestrict", "127.0.0.0/8",
			"--bootnodes", "", "--vmodule", "les/*=5")
	} else {
		args = append(args, "--maxpeers", "0", "--nodiscover")
	}
	return geth(tools, folder, name, version, c.Network, args...)
}

// light starts a light client that knows the server and waits until it has the whole chain.
func light(tools, folder, name, version string, c *chain, server string,
	args ...string) (*node, error) {
	if err := gethInit(tools, folder, name, version, c); err != nil {
		return nil, err
	}
	args = append([]string{"--syncmode", "light", "--nodiscover"}, args...)
	n, err := geth(tools, folder, name, version, c.Network, args...)
	if err != nil {
		return nil, err
	}
	var added bool
	if err := n.ipc.ask(&added, "admin_addPeer", server); err != nil {
		return n, err
	}
	return n, n.await("head of the chain", syncLimit, func() (bool, error) {
		var head struct{ Hash, Number string }
		if err := n.ipc.ask(&head, "eth_getHeaderByNumber", "latest"); err != nil {
			return false, err
		}
		return head.Hash == c.HeadHash, fmt.Errorf("at block %s", head.Number)
	})
}

func (n *node) peers() (int, error) {
	var peers []json.RawMessage
	err := n.ipc.ask(&peers, "admin_peers")
	return len(peers), err
}
