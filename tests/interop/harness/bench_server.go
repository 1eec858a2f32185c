package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"time"
)

const (
	// go-ethereum's proofs cost twice as much until its trie cache is warm.
	warmUp = 15 * time.Second
	// One measurement; noise is handled by rounds, not by length.
	measurement = 4 * time.Second
	// Connections, each with one request in flight: no flow control comes into play.
	connections = 50
	loadLimit   = 2 * time.Minute
)

// goal is the least ratio of go-ethereum's server CPU per request to lesd's.
type goal struct {
	kind  string
	ratio float64
}

// goals has the ten kinds of request and the wallet mix.
var goals = []goal{
	{"tx-status", 1.5}, {"header", 1.5}, {"account-proof", 1.5}, {"storage-proof", 1.5},
	{"cht-proof", 1.5}, {"code", 1.5}, {"body", 1.5}, {"receipts", 12}, {"headers-192", 8},
	{"bloom-16", 1.5}, {"wallet", 4},
}

// benchServer compares the CPU that each server burns for a request.
type benchServer struct {
	tools, lesd, lesLoad string
	rounds               int
	servers              [2]*server // go-ethereum, lesd
	chain                *chain
}

func (b *benchServer) run() error {
	var err error
	if b.chain, err = loadChain(filepath.Join(b.tools, "chains", "bench")); err != nil {
		return err
	}
	data := filepath.Join(b.tools, "bench-data")
	if err := os.MkdirAll(data, 0o755); err != nil {
		return err
	}
	defer func() {
		for _, server := range b.servers {
			server.end()
		}
	}()
	if b.servers[0], err = b.startGeth(data); err != nil {
		return err
	}
	if b.servers[1], err = b.startLesd(data); err != nil {
		return err
	}
	for _, server := range b.servers {
		if _, err := b.load(server, "wallet", warmUp); err != nil {
			return fmt.Errorf("warming up %s: %w", server.name, err)
		}
	}
	return b.measure()
}

// once runs an import unless it was completed before.
func once(data, name string, imports func() error) error {
	done := filepath.Join(data, name+".done")
	if _, err := os.Stat(done); err == nil {
		return nil
	}
	if err := os.RemoveAll(filepath.Join(data, name)); err != nil {
		return err
	}
	fmt.Println("importing the chain into", name)
	if err := imports(); err != nil {
		return err
	}
	return os.WriteFile(done, nil, 0o644)
}

// startGeth runs go-ethereum as its operators do, without the limits that would slow it.
func (b *benchServer) startGeth(data string) (*server, error) {
	err := once(data, "geth", func() error {
		if err := gethInit(b.tools, data, "geth", "1.10.26", b.chain); err != nil {
			return err
		}
		_, err := run(3*importLimit, filepath.Join(b.tools, "geth-1.10.26"),
			"--datadir", filepath.Join(data, "geth"), "--snapshot=false", "--txlookuplimit", "0",
			"--cache", "1024", "import", b.chain.blocks())
		return err
	})
	if err != nil {
		return nil, err
	}
	n, err := geth(b.tools, data, "geth", "1.10.26", b.chain.Network, "--cache", "1024",
		"--syncmode", "full", "--gcmode", "full", "--snapshot=false", "--txlookuplimit", "0",
		"--light.serve", "1000", "--light.maxpeers", "1000", "--maxpeers", "2000",
		"--maxpendpeers", "200", "--light.nosyncserve", "--nodiscover")
	if err != nil {
		return nil, err
	}
	if _, err := latestCheckpoint(n); err != nil {
		return nil, err
	}
	return &server{process: n.process, enode: n.enode, geth: n}, nil
}

func (b *benchServer) startLesd(data string) (*server, error) {
	err := once(data, "lesd", func() error {
		folder := filepath.Join(data, "lesd")
		_, err := run(importLimit, b.lesd, "init", "--datadir", folder, b.chain.genesis())
		if err != nil {
			return err
		}
		_, err = run(importLimit, b.lesd, "import", "--datadir", folder, b.chain.blocks())
		if err != nil {
			return err
		}
		// Its first run builds the helper tries, which must not count.
		first, err := b.runLesd(data)
		defer first.end()
		if err != nil {
			return err
		}
		return first.awaitHelperTries()
	})
	if err != nil {
		return nil, err
	}
	return b.runLesd(data)
}

func (b *benchServer) runLesd(data string) (*server, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	p, err := start(data, "lesd", b.lesd, nil, "node", "--datadir", filepath.Join(data, "lesd"),
		"--addr", "127.0.0.1", "--port", strconv.Itoa(port), "--nodiscover",
		"--networkid", strconv.FormatUint(b.chain.Network, 10))
	if err != nil {
		return nil, err
	}
	enode, err := p.awaitLog(`enode://[0-9a-f]{128}@[0-9.]+:\d+`, startLimit)
	return &server{process: p, enode: enode}, err
}

// measure alternates the servers and prints a row per kind.
func (b *benchServer) measure() error {
	fmt.Printf("%-14s %10s %10s %8s %15s %6s\n", "request", "geth us", "lesd us", "ratio",
		"extremes", "goal")
	missed := 0
	for _, goal := range goals {
		var cost [2][]float64
		var ratios []float64
		for round := 0; round < b.rounds; round++ {
			for i, server := range b.servers {
				micros, err := b.load(server, goal.kind, measurement)
				if err != nil {
					return fmt.Errorf("%s, %s: %w", server.name, goal.kind, err)
				}
				cost[i] = append(cost[i], micros)
			}
			ratios = append(ratios, cost[0][round]/cost[1][round])
		}
		sort.Float64s(ratios)
		ratio, verdict := median(ratios), ""
		if ratio < goal.ratio {
			missed++
			verdict = "  missed"
		}
		fmt.Printf("%-14s %10.1f %10.1f %7.1fx %6.1f to %5.1f %5.1fx%s\n", goal.kind,
			median(cost[0]), median(cost[1]), ratio, ratios[0], ratios[len(ratios)-1],
			goal.ratio, verdict)
	}
	if missed > 0 {
		return fmt.Errorf("%d goals missed", missed)
	}
	return nil
}

func median(values []float64) float64 {
	sorted := append([]float64(nil), values...)
	sort.Float64s(sorted)
	return sorted[len(sorted)/2]
}

// load puts one kind of request to a server and returns its CPU microseconds per request.
func (b *benchServer) load(server *server, kind string, span time.Duration) (float64, error) {
	text, err := run(loadLimit, b.lesLoad, "--json", "--connections", strconv.Itoa(connections),
		"--window", "1", "--seconds", strconv.Itoa(int(span.Seconds())), "--kind", kind,
		"--manifest", filepath.Join(b.chain.folder, "manifest.json"),
		"--server-pid", strconv.Itoa(server.command.Process.Pid), server.enode)
	if err != nil {
		return 0, err
	}
	var figures struct {
		CPUMicros float64 `json:"cpuMicrosPerRequest"`
	}
	if err := json.Unmarshal([]byte(text), &figures); err != nil {
		return 0, fmt.Errorf("%w: %s", err, text)
	}
	if figures.CPUMicros <= 0 {
		return 0, fmt.Errorf("no CPU figure: %s", text)
	}
	return figures.CPUMicros, nil
}
