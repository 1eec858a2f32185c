package main

import (
	"crypto/ecdsa"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"
	"github.com/holiman/uint256"
)

var (
	depositAddress = common.HexToAddress("0xde90000000000000000000000000000000000001")
	parisAddress   = common.HexToAddress("0x9a71500000000000000000000000000000000001")
	cancunAddress  = common.HexToAddress("0xca9c000000000000000000000000000000000001")
	mortalAddress  = common.HexToAddress("0x6027a10000000000000000000000000000000001")
	feeRecipient   = common.HexToAddress("0xfee0000000000000000000000000000000000001")

	// CALLDATASIZE 0 0 CALLDATACOPY, then LOG1 of all call data with the topic DepositEvent.
	depositCode = code("36 5f 5f 37" +
		"7f 649bbc62d0e31342afea4e5cd82d4049e7e1ee912fc0889aa790803be39038c5 36 5f a1 00")
	// Stores PREVRANDAO (DIFFICULTY before Paris), BASEFEE and COINBASE in slots 0 to 2.
	parisCode = code("44 6000 55 48 6001 55 41 6002 55 00")
	// Slot 0: TSTORE and TLOAD of NUMBER; 1: BLOBHASH 0; 2: BLOBBASEFEE; 3: a word that MCOPY
	// moved; 4: the beacon root of this block's time; 5: the history contract's hash of the parent
	// (nothing before Prague).
	cancunCode = code("43 6001 5d 6001 5c 6000 55" + "5f 49 6001 55" + "4a 6002 55" +
		"43 5f 52 6020 5f 6040 5e 604051 6003 55" +
		"42 5f 52 6020 6020 6020 5f 73000F3df6D732807Ef1319fB7B8bB8522d0Beac02 5a fa 50" +
		"602051 6004 55" +
		"6001 43 03 5f 52 6020 6020 6020 5f 730000F90827F1C53a10cb7A02335B175320002935 5a fa 50" +
		"602051 6005 55" + "00")
	// CALLER SELFDESTRUCT.
	mortalCode = code("33ff")
)

// code is bytecode with spaces between instructions.
func code(text string) []byte {
	bytes, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	check(err)
	return bytes
}

// user is a key with the nonce of its next transaction.
type user struct {
	key     *ecdsa.PrivateKey
	address common.Address
	nonce   uint64
}

func newUsers(count int) []*user {
	users := make([]*user, count)
	for i := range users {
		key, err := crypto.ToECDSA(crypto.Keccak256([]byte(fmt.Sprintf("lesd fixture key merge %d", i))))
		check(err)
		users[i] = &user{key: key, address: crypto.PubkeyToAddress(key.PublicKey)}
	}
	return users
}

// fill puts into a block what its period allows; every seventh block stays empty.
func fill(config *params.ChainConfig, b *core.BlockGen, users []*user, number uint64) {
	b.SetCoinbase(feeRecipient)
	if number > lastOfWork {
		b.SetPoS()
	}
	if number > lastOfShanghai {
		b.SetParentBeaconRoot(crypto.Keccak256Hash([]byte("beacon"), be8(number)))
	}
	if number > lastOfParis && number%2 == 0 {
		for i := uint64(0); i < 1+number%3; i++ {
			b.AddWithdrawal(&types.Withdrawal{
				Validator: number + i, Amount: number * 1000,
				Address: common.BigToAddress(new(big.Int).SetUint64(0xd0000 + number%5)),
			})
		}
	}
	if number%7 == 0 {
		return
	}
	s := &sender{b: b, user: users[number%uint64(len(users))], config: config}
	s.call(common.BigToAddress(new(big.Int).SetUint64(0xf0000+number)), number, nil)
	s.call(parisAddress, 0, nil)
	if number > lastOfShanghai {
		s.call(cancunAddress, 0, nil)
		s.blobs(1 + number%6)
		s.call(mortalAddress, 3, nil)
	}
	if number > lastOfCancun {
		s.prague(users, number)
	}
}

func be8(number uint64) []byte { return binary.BigEndian.AppendUint64(nil, number) }

// sender signs one user's transactions in one block.
type sender struct {
	b      *core.BlockGen
	user   *user
	config *params.ChainConfig
}

func (s *sender) send(data types.TxData) {
	s.b.AddTx(types.MustSignNewTx(s.user.key, s.b.Signer(), data))
	s.user.nonce++
}

func (s *sender) feeCap() *big.Int {
	return new(big.Int).Add(s.b.BaseFee(), big.NewInt(params.GWei))
}

func (s *sender) call(to common.Address, value uint64, data []byte) {
	s.send(&types.DynamicFeeTx{
		ChainID: s.config.ChainID, Nonce: s.user.nonce, GasTipCap: big.NewInt(params.GWei),
		GasFeeCap: s.feeCap(), Gas: 500_000, To: &to, Value: new(big.Int).SetUint64(value),
		Data: data,
	})
}

func (s *sender) blobs(count uint64) {
	hashes := make([]common.Hash, count)
	for i := range hashes {
		hashes[i] = crypto.Keccak256Hash([]byte("blob"), be8(uint64(i)))
		hashes[i][0] = 1 // the version of a KZG commitment
	}
	s.send(&types.BlobTx{
		ChainID: uint256.MustFromBig(s.config.ChainID), Nonce: s.user.nonce,
		GasTipCap: uint256.NewInt(params.GWei), GasFeeCap: uint256.MustFromBig(s.feeCap()),
		Gas: 500_000, To: cancunAddress, Value: new(uint256.Int),
		BlobFeeCap: uint256.NewInt(params.GWei), BlobHashes: hashes,
	})
}

// prague makes one kind of consensus-layer request or a delegation, by turns.
func (s *sender) prague(users []*user, number uint64) {
	key := make([]byte, 48)
	copy(key, crypto.Keccak256(be8(number)))
	switch number % 4 {
	case 0:
		s.call(depositAddress, 0, depositEvent(number))
		s.call(depositAddress, 0, depositEvent(number+1000))
	case 1:
		s.call(params.WithdrawalQueueAddress, 1000, append(key, be8(number)...))
	case 2:
		target := make([]byte, 48)
		copy(target, crypto.Keccak256(be8(number+1)))
		s.call(params.ConsolidationQueueAddress, 1000, append(key, target...))
	case 3:
		s.delegate(users[(number+1)%uint64(len(users))], number)
	}
}

// delegate lets another user's account run the Cancun contract's code, and calls it.
func (s *sender) delegate(authority *user, number uint64) {
	target := cancunAddress
	if number%8 == 7 {
		target = common.Address{} // takes the delegation back
	}
	authorization, err := types.SignSetCode(authority.key, types.SetCodeAuthorization{
		ChainID: *uint256.MustFromBig(s.config.ChainID), Address: target, Nonce: authority.nonce,
	})
	check(err)
	s.send(&types.SetCodeTx{
		ChainID: uint256.MustFromBig(s.config.ChainID), Nonce: s.user.nonce,
		GasTipCap: uint256.NewInt(params.GWei), GasFeeCap: uint256.MustFromBig(s.feeCap()),
		Gas: 500_000, To: authority.address, Value: new(uint256.Int),
		AuthList: []types.SetCodeAuthorization{authorization},
	})
	authority.nonce++
}

// depositEvent is the ABI encoding of (bytes48, bytes32, bytes8, bytes96, bytes8) as five `bytes`.
func depositEvent(number uint64) []byte {
	word := func(n uint64) []byte { return common.LeftPadBytes(be8(n), 32) }
	var head, tail []byte
	for _, size := range []int{48, 32, 8, 96, 8} {
		head = append(head, word(uint64(5*32+len(tail)))...)
		content := make([]byte, (size+31)/32*32)
		copy(content[:size], crypto.Keccak256(be8(number), []byte{byte(size)}))
		tail = append(append(tail, word(uint64(size))...), content...)
	}
	return append(head, tail...)
}
