// Command ethvectors prints messages of the eth protocol as go-ethereum encodes them, one a line:
// version, code and name of the message, payload. It knows nothing of lesd. It has no module of
// its own: it is built inside the module of go-ethereum 1.12.0, the version that speaks eth/66 to
// eth/68:
//
//	cd tests/interop/geth-1.12.0 && go run -ldflags=-checklinkname=0 ../ethvectors/main.go
package main

import (
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/forkid"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/eth/protocols/eth"
	"github.com/ethereum/go-ethereum/rlp"
)

const id = 1111

var (
	one      = common.HexToHash("deadc0de")
	two      = common.HexToHash("feedbeef")
	receiver = common.HexToAddress("3535353535353535353535353535353535353535")
)

func main() {
	blocks := eth.NewBlockHashesPacket{{Hash: one, Number: 17}, {Hash: two, Number: 1 << 40}}
	status := eth.StatusPacket{
		NetworkID: 1337, TD: new(big.Int).Lsh(big.NewInt(3), 80), Head: one, Genesis: two,
		ForkID: forkid.ID{Hash: [4]byte{0xfc, 0x64, 0xec, 0x04}, Next: 1150000},
	}
	for version := uint32(66); version <= 68; version++ {
		status.ProtocolVersion = version
		show(version, &status)
	}
	show(66, &blocks)
	offered := eth.TransactionsPacket(transactions())
	show(66, &offered)
	show(66, &eth.NewBlockPacket{Block: block(nil), TD: big.NewInt(1 << 50)})
	show(66, &eth.NewBlockPacket{Block: block(withdrawals()), TD: big.NewInt(2)})
	show(66, &eth.NewPooledTransactionHashesPacket66{one, two})
	show(67, &eth.NewPooledTransactionHashesPacket66{})
	show(68, &eth.NewPooledTransactionHashesPacket68{
		Types: []byte{0, 2}, Sizes: []uint32{103, 200000}, Hashes: []common.Hash{one, two},
	})
	show(68, &eth.NewPooledTransactionHashesPacket68{})
	requests()
	replies()
}

func requests() {
	byHash := &eth.GetBlockHeadersPacket{Origin: eth.HashOrNumber{Hash: one}, Amount: 5, Skip: 5}
	byNumber := &eth.GetBlockHeadersPacket{
		Origin: eth.HashOrNumber{Number: 9999}, Amount: 1 << 60, Reverse: true,
	}
	show(66, &eth.GetBlockHeadersPacket66{RequestId: id, GetBlockHeadersPacket: byHash})
	show(68, &eth.GetBlockHeadersPacket66{RequestId: 1<<64 - 1, GetBlockHeadersPacket: byNumber})
	hashes := []common.Hash{one, two}
	show(66, &eth.GetBlockBodiesPacket66{RequestId: id, GetBlockBodiesPacket: hashes})
	show(66, &eth.GetPooledTransactionsPacket66{RequestId: id, GetPooledTransactionsPacket: hashes})
	show(66, &eth.GetNodeDataPacket66{RequestId: id, GetNodeDataPacket: hashes})
	show(66, &eth.GetReceiptsPacket66{RequestId: id, GetReceiptsPacket: hashes})
}

func replies() {
	headers := []*types.Header{header(), block(withdrawals()).Header()}
	show(66, &eth.BlockHeadersPacket66{RequestId: id, BlockHeadersPacket: headers})
	show(66, &eth.BlockHeadersPacket66{RequestId: 0})
	bodies := []*eth.BlockBody{
		{Transactions: transactions(), Uncles: []*types.Header{header()}},
		{Withdrawals: withdrawals()},
	}
	show(66, &eth.BlockBodiesPacket66{RequestId: id, BlockBodiesPacket: bodies})
	show(66, &eth.PooledTransactionsPacket66{
		RequestId: id, PooledTransactionsPacket: transactions(),
	})
	values := [][]byte{{0xde, 0xad, 0xc0, 0xde}, {0xfe, 0xed, 0xbe, 0xef}}
	show(66, &eth.NodeDataPacket66{RequestId: id, NodeDataPacket: values})
	show(66, &eth.NodeDataPacket66{RequestId: id})
	log := &types.Log{Address: receiver, Topics: []common.Hash{one, two}, Data: []byte{1, 0, 255}}
	legacy := &types.Receipt{CumulativeGasUsed: 1, Logs: []*types.Log{log}}
	typed := &types.Receipt{Type: types.DynamicFeeTxType, Status: 1, CumulativeGasUsed: 99}
	show(66, &eth.ReceiptsPacket66{
		RequestId: id, ReceiptsPacket: [][]*types.Receipt{{legacy, typed}, {}},
	})
}

func transactions() []*types.Transaction {
	r, s := new(big.Int).Lsh(big.NewInt(7), 250), big.NewInt(99)
	legacy := &types.LegacyTx{
		Nonce: 8, GasPrice: big.NewInt(20e9), Gas: 189000, To: &receiver, Value: big.NewInt(512),
		V: big.NewInt(37), R: r, S: s,
	}
	listed := &types.AccessListTx{
		ChainID: big.NewInt(1337), Nonce: 9, GasPrice: big.NewInt(1), Gas: 21000, Data: []byte{0x60},
		Value: new(big.Int), V: big.NewInt(1), R: r, S: s,
		AccessList: types.AccessList{{Address: receiver, StorageKeys: []common.Hash{one}}},
	}
	dynamic := &types.DynamicFeeTx{
		ChainID: big.NewInt(1337), GasTipCap: big.NewInt(1), GasFeeCap: big.NewInt(2), Gas: 21000,
		To: &receiver, Value: new(big.Int), V: new(big.Int), R: r, S: s,
	}
	return []*types.Transaction{types.NewTx(legacy), types.NewTx(listed), types.NewTx(dynamic)}
}

func header() *types.Header {
	return &types.Header{
		Difficulty: big.NewInt(2222), Number: big.NewInt(3333), GasLimit: 4444, GasUsed: 5555,
		Time: 6666, Extra: []byte{0x77, 0x88},
	}
}

func block(withdrawals []*types.Withdrawal) *types.Block {
	h := header()
	h.BaseFee = big.NewInt(7)
	plain := types.NewBlockWithHeader(h).WithBody(transactions(), []*types.Header{header()})
	if withdrawals == nil {
		return plain
	}
	return plain.WithWithdrawals(withdrawals)
}

func withdrawals() []*types.Withdrawal {
	return []*types.Withdrawal{{Index: 1, Validator: 2, Address: receiver, Amount: 3}}
}

func show(version uint32, message eth.Packet) {
	payload, err := rlp.EncodeToBytes(message)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%d %02x %s %x\n", version, message.Kind(), message.Name(), payload)
}
