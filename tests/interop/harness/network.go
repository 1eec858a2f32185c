package main

import (
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	// The one signer of the network, on both miners: its key is the number 1.
	signerKey     = "0000000000000000000000000000000000000000000000000000000000000001"
	signerAddress = "7e5f4552091a69125d5dfcb7b8c2659029395bdf"
	testNetwork   = 15661
	blockPeriod   = time.Second
	// go-ethereum looks for a heavier peer every 10 s.
	healLimit = 90 * time.Second
	// Heads are compared so long after the last reorganisation.
	settleTime = 20 * time.Second
	// Blocks that a client may be behind the miner when heads are compared.
	allowedLag = 3
)

// network is a Clique network on this machine: two miners, of which the first can be cut off, a
// follower, two lesd, and four light clients. Only the first miner knows the second, so that
// nobody else joins their chains while they are apart.
type network struct {
	*session
	genesis       string
	loser, winner *node
	follower      *node
	lesds         []*lesdNode
	lights        []*lightNode
	victim        *victim
}

// lesdNode is a lesd that follows full nodes.
type lesdNode struct {
	*process
	data, enode, peers string
	port               int
}

// lightNode is a light client with the number of servers that it must keep.
type lightNode struct {
	*node
	servers int
}

func (s *session) network(reorgs, kills int, seed int64) error {
	n := &network{session: s}
	defer n.end()
	if err := n.build(kills); err != nil {
		return err
	}
	random := rand.New(rand.NewSource(seed))
	for round, depth := range depths(reorgs, random) {
		if err := n.reorganise(depth); err != nil {
			return fmt.Errorf("reorganisation %d of depth %d: %w", round+1, depth, err)
		}
	}
	n.victim.finish()
	time.Sleep(settleTime)
	n.compareHeads()
	n.nobodyLeft()
	if kills > 0 {
		n.check(n.victim.verdict(n), "a lesd killed %d times catches up", n.victim.kills)
	}
	return nil
}

// depths are from 1 to 30, at least three of them 20 or more if there are so many.
func depths(count int, random *rand.Rand) []int {
	list := make([]int, count)
	for i := range list {
		list[i] = 1 + random.Intn(30)
		if i < 3 && count >= 20 {
			list[i] = 20 + random.Intn(11)
		} else if count < 20 {
			list[i] = 1 + random.Intn(12)
		}
	}
	random.Shuffle(count, func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

func (n *network) build(kills int) error {
	if err := n.writeGenesis(); err != nil {
		return err
	}
	var err error
	if n.winner, err = n.fullNode("winner", "1.10.26", true); err != nil {
		return err
	}
	if n.loser, err = n.fullNode("loser", "1.10.26", true); err != nil {
		return err
	}
	if n.follower, err = n.fullNode("follower", "1.12.0", false); err != nil {
		return err
	}
	if err := n.winner.ipc.ask(new(json.RawMessage), "miner_start"); err != nil {
		return err
	}
	if err := n.connect(n.loser, n.winner.enode); err != nil {
		return err
	}
	if err := n.connect(n.follower, n.loser.enode); err != nil {
		return err
	}
	// The second follows the first one, too.
	peers := n.loser.enode
	for i := 1; i <= 2; i++ {
		started, err := n.lesd(fmt.Sprintf("lesd-%d", i), peers)
		if err != nil {
			return err
		}
		n.lesds = append(n.lesds, started)
		peers = n.follower.enode + "," + started.enode
	}
	n.victim = newVictim(n, kills)
	return n.lightClients()
}

// lightClients starts, for each version, one client that trusts one server at its word about its
// chain's difficulty, and one that believes only heads that both servers signed.
func (n *network) lightClients() error {
	servers := []string{n.lesds[0].enode, n.lesds[1].enode}
	for i, version := range []string{"1.10.26", "1.12.0"} {
		if err := n.lightClient(version, "simple", servers[i:i+1]); err != nil {
			return err
		}
		if err := n.lightClient(version, "signed", servers, "--ulc.servers",
			strings.Join(servers, ","), "--ulc.fraction", "100"); err != nil {
			return err
		}
	}
	return nil
}

func (n *network) lightClient(version, kind string, servers []string, args ...string) error {
	name := "light-" + kind + "-" + version
	if err := n.init(name, version); err != nil {
		return err
	}
	args = append([]string{"--syncmode", "light", "--nodiscover", "--verbosity", "4"}, args...)
	client, err := geth(n.tools, n.folder, name, version, testNetwork, args...)
	if err != nil {
		return err
	}
	n.lights = append(n.lights, &lightNode{node: client, servers: len(servers)})
	for _, server := range servers {
		if err := n.connect(client, server); err != nil {
			return err
		}
	}
	return client.await("the head", syncLimit, func() (bool, error) { return n.isCurrent(client) })
}

func (n *network) writeGenesis() error {
	genesis := map[string]any{
		"config": map[string]any{
			"chainId": testNetwork, "homesteadBlock": 0, "eip150Block": 0, "eip155Block": 0,
			"eip158Block": 0, "byzantiumBlock": 0, "constantinopleBlock": 0,
			"petersburgBlock": 0, "istanbulBlock": 0, "berlinBlock": 0, "londonBlock": 0,
			"clique": map[string]any{"period": int(blockPeriod.Seconds()), "epoch": 30000},
		},
		"difficulty": "0x1", "gasLimit": "0x1c9c380",
		"extradata": "0x" + strings.Repeat("0", 64) + signerAddress + strings.Repeat("0", 130),
		"alloc":     map[string]any{signerAddress: map[string]string{"balance": "0xffffffffffffffffffff"}},
	}
	text, err := json.Marshal(genesis)
	if err != nil {
		return err
	}
	n.genesis = filepath.Join(n.folder, "genesis.json")
	for name, content := range map[string]string{
		"genesis.json": string(text), "key": signerKey, "password": "",
	} {
		if err := os.WriteFile(filepath.Join(n.folder, name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (n *network) init(name, version string) error {
	_, err := run(importLimit, filepath.Join(n.tools, "geth-"+version),
		"--datadir", filepath.Join(n.folder, name), "init", n.genesis)
	return err
}

// fullNode starts a full node; a miner holds the signer's key and waits for miner_start.
func (n *network) fullNode(name, version string, mines bool) (*node, error) {
	if err := n.init(name, version); err != nil {
		return nil, err
	}
	args := []string{"--syncmode", "full", "--nodiscover", "--maxpeers", "20"}
	if mines {
		password := filepath.Join(n.folder, "password")
		if _, err := run(importLimit, filepath.Join(n.tools, "geth-"+version), "account", "import",
			"--datadir", filepath.Join(n.folder, name), "--lightkdf", "--password", password,
			filepath.Join(n.folder, "key")); err != nil {
			return nil, err
		}
		// Blocks of two miners with one key would be the same but for these words.
		args = append(args, "--unlock", "0x"+signerAddress, "--password", password,
			"--miner.etherbase", "0x"+signerAddress, "--miner.extradata", name)
	}
	return geth(n.tools, n.folder, name, version, testNetwork, args...)
}

// lesd starts a lesd that follows the given full nodes, on a port that it keeps.
func (n *network) lesd(name, peers string) (*lesdNode, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	l := &lesdNode{data: filepath.Join(n.folder, name), peers: peers, port: port}
	if _, err := run(importLimit, n.session.lesd, "init", "--datadir", l.data, n.genesis); err != nil {
		return nil, err
	}
	return l, n.startLesd(l)
}

func (n *network) startLesd(l *lesdNode) error {
	var err error
	l.process, err = start(n.folder, filepath.Base(l.data), n.session.lesd, nil, "node",
		"--datadir", l.data, "--addr", "127.0.0.1", "--port", strconv.Itoa(l.port),
		"--networkid", strconv.Itoa(testNetwork), "--nodiscover", "--staticpeers", l.peers)
	if err != nil {
		return err
	}
	l.enode, err = l.awaitLog(`enode://[0-9a-f]{128}@[0-9.]+:\d+`, startLimit)
	return err
}

func (n *network) connect(from *node, enode string) error {
	return from.ipc.ask(new(bool), "admin_addPeer", enode)
}

func (n *network) end() {
	for _, light := range n.lights {
		light.end()
	}
	for _, l := range n.lesds {
		_ = l.stop()
	}
	n.victim.end()
	for _, full := range []*node{n.follower, n.loser, n.winner} {
		full.end()
	}
}
