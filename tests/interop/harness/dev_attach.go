package main

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// attach uses the server's own socket as a go-ethereum console does.
func (d *devRun) attach() {
	enode := regexp.MustCompile(`(?m)^enode://\S+`).FindString(d.server.log())
	address := d.receiver
	for _, question := range []struct{ expression, answer string }{
		{`admin.nodeInfo.enode`, strconv.Quote(enode)},
		{`admin.nodeInfo.protocols.les.network`, `1337`},
		{`admin.peers.length`, `1`},
		{`admin.peers[0].name.indexOf("Geth/v` + d.version + `")`, `0`},
		{`net.version`, `"1337"`},
		{`net.peerCount`, `1`},
		{`web3.version.node.indexOf("lesd/")`, `0`},
		{`eth.getTransactionReceipt(` + d.sent + `).status`, `"0x1"`},
		{`eth.getTransaction(` + d.sent + `).to`, strconv.Quote(strings.ToLower(address))},
		{`eth.syncing`, `false`},
		// The console hashes by itself: the proof's first node is what the header commits to.
		{`web3.sha3(eth.getProof("` + address + `", [], 1).accountProof[0], {encoding: "hex"})` +
			` == eth.getBlock(1).stateRoot`, `true`},
		{`web3.toBigNumber(eth.getProof("` + address + `", [], 1).balance)` +
			`.equals(eth.getBalance("` + address + `", 1))`, `true`},
	} {
		answer, err := d.attached(question.expression)
		if err == nil && answer != question.answer {
			err = fmt.Errorf("%s is %s, not %s", question.expression, answer, question.answer)
		}
		d.check(err, "geth attach lesd.ipc: %s", question.expression)
	}
	d.check(d.attachedBlock(), "geth attach lesd.ipc: eth.blockNumber")
	d.check(d.greeting(), "geth attach lesd.ipc: the console greets")
	if d.period != "0" {
		d.check(d.poll(), "geth attach lesd.ipc: a filter is polled")
	}
}

func (d *devRun) socket() string { return filepath.Join(d.data, "lesd.ipc") }

// attached evaluates an expression in a console at the server.
func (d *devRun) attached(expression string) (string, error) {
	return d.shell(fmt.Sprintf("geth attach --exec '%s' '%s'", expression, d.socket()))
}

// attachedBlock compares the console's block number with the log's.
func (d *devRun) attachedBlock() error {
	least := d.head().number
	answer, err := d.attached("eth.blockNumber")
	if err != nil {
		return err
	}
	number, err := strconv.ParseUint(answer, 10, 64)
	if err == nil && (number < least || number == 0) {
		err = fmt.Errorf("block %d, but %d was sealed before", number, least)
	}
	return err
}

// greeting starts the console as a person does, and reads what it says first.
func (d *devRun) greeting() error {
	text, err := d.shell(fmt.Sprintf("echo exit | geth attach '%s'", d.socket()))
	if err != nil {
		return err
	}
	for _, word := range []string{"instance: lesd/", "at block: ", "modules: admin:1.0 eth:1.0 net:1.0"} {
		if !strings.Contains(text, word) {
			return fmt.Errorf("no %q in\n%s", word, text)
		}
	}
	return nil
}

// poll sets a filter on blocks, waits until it has some, and removes it.
func (d *devRun) poll() error {
	send := func(method, params string) (string, error) {
		return d.attached(fmt.Sprintf(`web3.currentProvider.send({jsonrpc: "2.0", id: 1, `+
			`method: "eth_%s", params: [%s]}).result`, method, params))
	}
	id, err := send("newBlockFilter", "")
	if err != nil || !strings.HasPrefix(id, `"0x`) {
		return fmt.Errorf("no filter, but %s (%v)", id, err)
	}
	err = d.server.await("a block in the filter", devLimit, func() (bool, error) {
		changes, err := send("getFilterChanges", id)
		return strings.Contains(changes, "0x"), err
	})
	if err != nil {
		return err
	}
	for _, expected := range []string{"true", "false"} {
		removed, err := send("uninstallFilter", id)
		if err != nil || removed != expected {
			return fmt.Errorf("uninstallFilter says %s (%v), not %s", removed, err, expected)
		}
	}
	return nil
}
