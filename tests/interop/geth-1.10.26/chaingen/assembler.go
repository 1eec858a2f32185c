package main

import (
	"fmt"
	"math/big"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/vm"
)

// assemble turns EVM assembly into bytecode. Words are mnemonics, numbers (the shortest PUSH),
// `name:` (a JUMPDEST) and `@name` (a PUSH2 of its position).
func assemble(source string) []byte {
	var code []byte
	labels := map[string]int{}
	uses := map[int]string{}
	for _, word := range strings.Fields(source) {
		switch {
		case strings.HasSuffix(word, ":"):
			labels[strings.TrimSuffix(word, ":")] = len(code)
			code = append(code, byte(vm.JUMPDEST))
		case strings.HasPrefix(word, "@"):
			code = append(code, byte(vm.PUSH2), 0, 0)
			uses[len(code)-2] = word[1:]
		case word[0] >= '0' && word[0] <= '9':
			number, ok := new(big.Int).SetString(word, 0)
			if !ok {
				panic("not a number: " + word)
			}
			code = append(code, push(number.Bytes())...)
		default:
			op := vm.StringToOp(word)
			if op == vm.STOP && word != "STOP" {
				panic("not an instruction: " + word)
			}
			code = append(code, byte(op))
		}
	}
	for position, label := range uses {
		target, known := labels[label]
		if !known {
			panic("no such label: " + label)
		}
		code[position], code[position+1] = byte(target>>8), byte(target)
	}
	return code
}

func push(value []byte) []byte {
	if len(value) == 0 {
		value = []byte{0}
	}
	return append([]byte{byte(vm.PUSH1) + byte(len(value)-1)}, value...)
}

// deployment is the init code that installs a contract.
func deployment(runtime []byte) []byte {
	size := len(runtime)
	const header = 13
	init := []byte{
		byte(vm.PUSH2), byte(size >> 8), byte(size), byte(vm.DUP1),
		byte(vm.PUSH2), 0, header, byte(vm.PUSH1), 0, byte(vm.CODECOPY),
		byte(vm.PUSH1), 0, byte(vm.RETURN),
	}
	return append(init, runtime...)
}

// words is call data of 32-byte numbers.
func words(numbers ...uint64) []byte {
	var data []byte
	for _, number := range numbers {
		data = append(data, common.BigToHash(new(big.Int).SetUint64(number)).Bytes()...)
	}
	return data
}

// The contracts. Each is what its name says in the fewest instructions.
var (
	// slotsCode(start, count, v) stores i*v + v in each slot i; v = 0 clears them.
	slotsCode = assemble(`
		0 CALLDATALOAD DUP1 32 CALLDATALOAD ADD
		loop: DUP1 DUP3 LT ISZERO @done JUMPI
		DUP2 64 CALLDATALOAD MUL 64 CALLDATALOAD ADD DUP3 SSTORE
		SWAP1 1 ADD SWAP1 @loop JUMP
		done: STOP`)
	// eventsCode(topic) emits one log of each number of topics, 0 to 4.
	eventsCode = assemble(`
		0 CALLDATALOAD 0 MSTORE NUMBER 32 MSTORE
		64 0 LOG0
		0xe1 64 0 LOG1
		0 CALLDATALOAD 0xe2 32 0 LOG2
		CALLER 0 CALLDATALOAD 0xe3 64 0 LOG3
		NUMBER CALLER 0 CALLDATALOAD 0xe4 0 0 LOG4
		STOP`)
	// oneEventCode(topic) emits one log with two topics.
	oneEventCode = assemble(`0 CALLDATALOAD 0xe5 32 0 LOG2 STOP`)
	// frontierEnvironmentCode stores what a block tells a contract, as far as Frontier has it.
	frontierEnvironmentCode = assemble(`
		COINBASE 0 SSTORE TIMESTAMP 1 SSTORE NUMBER 2 SSTORE DIFFICULTY 3 SSTORE
		GASLIMIT 4 SSTORE 1 NUMBER SUB BLOCKHASH 5 SSTORE GASPRICE 6 SSTORE ORIGIN 7 SSTORE STOP`)
	// londonEnvironmentCode stores what London's blocks tell, too.
	londonEnvironmentCode = assemble(`
		COINBASE 0 SSTORE TIMESTAMP 1 SSTORE NUMBER 2 SSTORE DIFFICULTY 3 SSTORE
		GASLIMIT 4 SSTORE 1 NUMBER SUB BLOCKHASH 5 SSTORE GASPRICE 6 SSTORE ORIGIN 7 SSTORE
		CHAINID 8 SSTORE SELFBALANCE 9 SSTORE BASEFEE 10 SSTORE STOP`)
	// mortalCode sends what it has to its caller and ends.
	mortalCode = assemble(`CALLER SELFDESTRUCT`)
	// failingCode(how) reverts with data (0), is invalid (1) or runs out of gas (other).
	failingCode = assemble(`
		0 CALLDATALOAD DUP1 ISZERO @revert JUMPI
		1 EQ @invalid JUMPI
		loop: @loop JUMP
		revert: 0xdead 0 MSTORE 32 0 REVERT
		invalid: INVALID`)
	childInit = assemble(`42 0 SSTORE 0x33ff 0 MSTORE 2 30 RETURN`)
	// factoryCode(salt) makes a child by CREATE and one by CREATE2 and stores their addresses.
	factoryCode = append(push(childInit), assemble(fmt.Sprintf(`0 MSTORE
		%[1]d %[2]d 0 CREATE 0 SSTORE
		0 CALLDATALOAD %[1]d %[2]d 0 CREATE2 1 SSTORE STOP`,
		len(childInit), 32-len(childInit)))...)
	// tokenCode is the heart of an ERC-20: transfer(address,uint256), and balanceOf(address) for
	// shorter call data. Balances lie at keccak(holder . 0); 0xddf2… is the Transfer event.
	tokenCode = assemble(`
		36 CALLDATASIZE EQ @balance JUMPI
		CALLER 0 MSTORE 64 0 KECCAK256 DUP1 SLOAD
		36 CALLDATALOAD DUP2 LT @poor JUMPI
		36 CALLDATALOAD SWAP1 SUB SWAP1 SSTORE
		4 CALLDATALOAD 0 MSTORE 64 0 KECCAK256 DUP1 SLOAD
		36 CALLDATALOAD ADD SWAP1 SSTORE
		36 CALLDATALOAD 0 MSTORE 4 CALLDATALOAD CALLER
		0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef 32 0 LOG3
		1 0 MSTORE 32 0 RETURN
		balance: 4 CALLDATALOAD 0 MSTORE 64 0 KECCAK256 SLOAD 0 MSTORE 32 0 RETURN
		poor: 0 0 REVERT`)
	// precompilesCode(any words) calls precompiles 1 to 9 and stores the hash of each output.
	precompilesCode = precompiles()
)

func precompiles() []byte {
	code := assemble(`CALLDATASIZE 0 0 CALLDATACOPY`)
	for address := 1; address <= 9; address++ {
		code = append(code, assemble(fmt.Sprintf(`
			64 256 213 0 %[1]d 60000 STATICCALL POP
			64 256 KECCAK256 %[1]d SSTORE`, address))...)
	}
	return append(code, byte(vm.STOP))
}
