package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	// A block comes every second, or when a transaction does; a light client hears of it at once,
	// but looks for a receipt only when it is asked.
	devLimit = 40 * time.Second
	// Blocks that a light client must follow while it is connected.
	devBlocks = 3
	// Transactions sent in one go.
	devBurst = 20
)

// devRun is one development chain with one light client, both started as lesd prints.
type devRun struct {
	*session
	version, period string
	// Kept in a data directory, else in memory.
	kept bool

	folder, data string
	server       *process
	commands     []string
	light        *process
	ipc          *client
	// The transaction of the console, and who received it.
	sent, receiver string
}

func (s *session) devPhases() []phase {
	var phases []phase
	for i, version := range []string{"1.10.26", "1.12.0"} {
		for _, period := range []string{"1", "0"} {
			// Each version is at one kept chain and at one in memory.
			kept := (period == "0") == (i == 0)
			d := &devRun{session: s, version: version, period: period, kept: kept}
			place := map[bool]string{true: "kept", false: "in memory"}[kept]
			name := fmt.Sprintf("geth %s on a chain %s with period %s", version, place, period)
			phases = append(phases, phase{name, d.run})
		}
	}
	return phases
}

func (d *devRun) run() error {
	d.folder = filepath.Join(d.session.folder, "dev-"+d.version+"-"+d.period)
	if err := os.Mkdir(d.folder, 0o755); err != nil {
		return err
	}
	defer func() { _ = d.server.stop() }()
	if err := d.start("lesd"); err != nil {
		return err
	}
	defer func() { _ = d.light.stop() }()
	if err := d.connect(); err != nil {
		return fmt.Errorf("%w\n%s", err, d.server.tail())
	}
	d.check(d.follow(), "the light client follows the head")
	d.check(d.send(), "a transaction of the console is mined, and its receipt read there")
	d.attach()
	d.check(d.burst(), "%d transactions at once are mined", devBurst)
	d.check(d.follow(), "the light client is on the head")
	d.check(d.ask(), "lesctl is answered")
	d.ipc.close()
	_ = d.light.stop()
	if d.kept {
		d.check(d.restart(), "a restart goes on with the chain")
	}
	err := d.server.stop()
	if !d.kept && err == nil {
		if _, found := os.Stat(d.data); !os.IsNotExist(found) {
			err = fmt.Errorf("%s is still there: %v", d.data, found)
		}
	}
	d.check(err, "the server ends and leaves nothing behind")
	if d.kept {
		d.check(d.accepted(), "geth 1.10.26 accepts every block as a full node")
	}
	return nil
}

// start runs the node and reads what it prints.
func (d *devRun) start(name string) error {
	port, err := freePort()
	if err != nil {
		return err
	}
	args := []string{"node", "--dev", "--dev.period", d.period, "--port", strconv.Itoa(port)}
	if d.kept {
		args = append(args, "--datadir", filepath.Join(d.folder, "my chain"))
	}
	if d.server, err = start(d.folder, name, d.lesd, nil, args...); err != nil {
		return err
	}
	if d.data, err = d.server.awaitLog(`(?m)^Data directory: (.*)$`, startLimit); err != nil {
		return err
	}
	d.commands = nil
	printed := regexp.MustCompile(`(?m)^  ((?:geth|lesctl) .*)$`)
	for _, match := range printed.FindAllStringSubmatch(d.server.log(), -1) {
		d.commands = append(d.commands, match[1])
	}
	return nil
}

// command is the printed command with this word.
func (d *devRun) command(word string) (string, error) {
	for _, command := range d.commands {
		if strings.Contains(command, word) {
			return command, nil
		}
	}
	return "", fmt.Errorf("no command with %q is printed", word)
}

// shell runs a command line, with the geth of this run and our programs at hand.
func (d *devRun) shell(command string) (string, error) {
	out, err := run(devLimit, "sh", "-c", d.path()+command)
	return strings.TrimSpace(out), err
}

func (d *devRun) path() string {
	return fmt.Sprintf("PATH='%s':'%s':$PATH; ", d.folder, filepath.Dir(d.lesd))
}

func (d *devRun) printed(word string) (string, error) {
	command, err := d.command(word)
	if err != nil {
		return "", err
	}
	return d.shell(command)
}

// connect runs the printed commands up to the one that sends, in their order.
func (d *devRun) connect() error {
	geth, err := filepath.Abs(filepath.Join(d.tools, "geth-"+d.version))
	if err != nil {
		return err
	}
	if err := os.Symlink(geth, filepath.Join(d.folder, "geth")); err != nil {
		return err
	}
	for _, word := range []string{" init ", " account import "} {
		if _, err := d.printed(word); err != nil {
			return err
		}
	}
	command, err := d.command(" --syncmode light ")
	if err != nil {
		return err
	}
	command = strings.TrimSuffix(command, " &")
	d.light, err = start(d.folder, "geth-light", "sh", nil, "-c", d.path()+"exec "+command)
	if err != nil {
		return err
	}
	err = d.light.await("IPC", startLimit, func() (bool, error) {
		d.ipc, err = dial(filepath.Join(d.data, "geth", "geth.ipc"))
		return err == nil, err
	})
	if err != nil {
		return err
	}
	// As the printed text says; the key needs a second or two.
	if _, err := d.light.awaitLog("Unlocked account", startLimit); err != nil {
		return err
	}
	if _, err := d.printed("admin.addPeer"); err != nil {
		return err
	}
	return d.light.await("a server", devLimit, func() (bool, error) {
		var peers []any
		err := d.ipc.ask(&peers, "admin_peers")
		return len(peers) == 1, err
	})
}

type devHead struct {
	number uint64
	hash   string
}

var devSealed = regexp.MustCompile(`Imported new chain segment .*number=(\d+) hash=(0x[0-9a-f]+)`)

// head is the newest block in the server's log.
func (d *devRun) head() devHead {
	found := devSealed.FindAllStringSubmatch(d.server.log(), -1)
	if len(found) == 0 {
		return devHead{}
	}
	last := found[len(found)-1]
	number, _ := strconv.ParseUint(last[1], 10, 64)
	return devHead{number, last[2]}
}

// follow waits until the light client has the server's newest block, and with a period some more.
func (d *devRun) follow() error {
	goal := d.head().number
	if d.period != "0" {
		goal += devBlocks
	}
	return d.light.await(fmt.Sprintf("block %d", goal), devLimit, func() (bool, error) {
		head := d.head()
		if head.number < goal || head.number == 0 {
			return goal == 0, fmt.Errorf("the server is at block %d", head.number)
		}
		var header *struct{ Hash string }
		err := d.ipc.ask(&header, "eth_getHeaderByNumber", fmt.Sprintf("%#x", head.number))
		if err != nil || header == nil {
			return false, fmt.Errorf("no header %d: %v", head.number, err)
		}
		if header.Hash != head.hash {
			return false, fmt.Errorf("header %d is %s, not %s", head.number, header.Hash, head.hash)
		}
		var latest struct{ Number string }
		if err := d.ipc.ask(&latest, "eth_getHeaderByNumber", "latest"); err != nil {
			return false, err
		}
		number, err := strconv.ParseUint(strings.TrimPrefix(latest.Number, "0x"), 16, 64)
		return number >= goal, err
	})
}

// devHash is a transaction's hash as the console shows it.
var devHash = regexp.MustCompile(`^"0x[0-9a-f]{64}"$`)

// console evaluates an expression in the light client's console.
func (d *devRun) console(expression string) (string, error) {
	socket := filepath.Join(d.data, "geth", "geth.ipc")
	return d.shell(fmt.Sprintf("geth attach --exec '%s' '%s'", expression, socket))
}

// send runs the printed command that sends, and reads the receipt in the console.
func (d *devRun) send() error {
	command, err := d.command("eth.sendTransaction")
	if err != nil {
		return err
	}
	to := regexp.MustCompile(`to: "(0x\w+)"`).FindStringSubmatch(command)
	if to == nil {
		return fmt.Errorf("no receiver in %s", command)
	}
	hash, err := d.shell(command)
	if err != nil || !devHash.MatchString(hash) {
		return fmt.Errorf("no hash of a transaction, but %s (%v)", hash, err)
	}
	d.sent, d.receiver = hash, to[1]
	if err := d.mined(hash); err != nil {
		return err
	}
	status, err := d.console(fmt.Sprintf("eth.getTransactionReceipt(%s).status", hash))
	if err != nil || status != `"0x1"` {
		return fmt.Errorf("the receipt's status is %s (%v)", status, err)
	}
	ether, err := d.console(fmt.Sprintf(`web3.fromWei(eth.getBalance("%s"), "ether")`, to[1]))
	if err != nil || ether != "10001" {
		return fmt.Errorf("%s has %s ether (%v)", to[1], ether, err)
	}
	return nil
}

// mined waits until the console knows a receipt.
func (d *devRun) mined(hash string) error {
	return d.light.await("a receipt of "+hash, devLimit, func() (bool, error) {
		block, err := d.console(fmt.Sprintf("(eth.getTransactionReceipt(%s)||{}).blockNumber", hash))
		_, none := strconv.ParseUint(block, 10, 64)
		return none == nil, fmt.Errorf("%s %v", block, err)
	})
}

// burst sends many transactions at once and waits for the last one's receipt.
func (d *devRun) burst() error {
	loop := fmt.Sprintf(`(function(){var last; for (var i = 0; i < %d; i++) { `+
		`last = eth.sendTransaction({from: eth.accounts[0], to: eth.accounts[0], value: i}) } `+
		`return last})()`, devBurst)
	hash, err := d.console(loop)
	if err != nil || !devHash.MatchString(hash) {
		return fmt.Errorf("no hash of a transaction, but %s (%v)", hash, err)
	}
	return d.mined(hash)
}

// ask runs the printed lesctl commands.
func (d *devRun) ask() error {
	if _, err := d.printed("lesctl probe"); err != nil {
		return err
	}
	answer, err := d.printed("lesctl get")
	if err == nil && !regexp.MustCompile(`\d{20}`).MatchString(answer) {
		err = fmt.Errorf("no balance in %s", answer)
	}
	return err
}

// restart ends the server, starts it again, and compares its head.
func (d *devRun) restart() error {
	if err := d.server.stop(); err != nil {
		return err
	}
	before := d.head()
	if err := d.start("lesd-again"); err != nil {
		return err
	}
	found, err := d.server.awaitLog(`Loaded the chain .*hash=(0x[0-9a-f]+)`, startLimit)
	if err == nil && found != before.hash {
		err = fmt.Errorf("loaded %s, not %s", found, before.hash)
	}
	if err != nil || d.period == "0" {
		return err
	}
	return d.server.await("another block", devLimit, func() (bool, error) {
		return d.head().number > before.number, nil
	})
}

// accepted exports the chain and imports it into a full node.
func (d *devRun) accepted() error {
	genesis, err := run(startLimit, d.lesd, "genesis", "--dev")
	if err != nil {
		return err
	}
	c := &chain{folder: d.folder, Chain: "dev", Network: 1337}
	if err := os.WriteFile(c.genesis(), []byte(genesis), 0o644); err != nil {
		return err
	}
	if _, err := run(importLimit, d.lesd, "export", "--datadir", d.data, c.blocks(), "1"); err != nil {
		return err
	}
	stats, err := run(startLimit, d.lesd, "db", "stats", "--datadir", d.data)
	if err != nil {
		return err
	}
	head := regexp.MustCompile(`(?m)^head +(\d+) (0x[0-9a-f]+)`).FindStringSubmatch(stats)
	if head == nil {
		return fmt.Errorf("no head in %s", stats)
	}
	n, err := full(d.tools, d.folder, "geth-full", "1.10.26", c, false)
	if err != nil {
		return err
	}
	defer n.end()
	var latest struct{ Hash, Number string }
	if err := n.ipc.ask(&latest, "eth_getHeaderByNumber", "latest"); err != nil {
		return err
	}
	if latest.Hash != head[2] {
		return fmt.Errorf("geth is at block %s, %s, lesd at %s", latest.Number, latest.Hash, head[1])
	}
	fmt.Printf("geth 1.10.26 imported %s blocks\n", head[1])
	return nil
}
