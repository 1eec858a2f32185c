// Frames of go-ethereum's p2p/rlpx.
//
//	go run . vectors   frames with fixed secrets, one a line, for fixtures/rlpx/frames.txt
//	go run . bench     nanoseconds to encode and decode a frame, one payload a line
package main

import (
	"bytes"
	"fmt"
	"net"
	"os"

	"github.com/ethereum/go-ethereum/p2p/rlpx"
	"golang.org/x/crypto/sha3"
	"golang.org/x/sys/unix"
)

// wire is a connection whose reader gets what its writer wrote.
type wire struct {
	net.Conn
	bytes.Buffer
}

func (w *wire) Read(p []byte) (int, error)  { return w.Buffer.Read(p) }
func (w *wire) Write(p []byte) (int, error) { return w.Buffer.Write(p) }

// ends are a writer and a reader with the secrets that the Rust side uses, too.
func ends(snappy bool) (*wire, *rlpx.Conn, *rlpx.Conn) {
	w := new(wire)
	secrets := func() rlpx.Secrets {
		egress, ingress := sha3.NewLegacyKeccak256(), sha3.NewLegacyKeccak256()
		egress.Write([]byte("one way"))
		ingress.Write([]byte("one way"))
		return rlpx.Secrets{
			AES:        bytes.Repeat([]byte{0xae}, 32),
			MAC:        bytes.Repeat([]byte{0x3a}, 32),
			EgressMAC:  egress,
			IngressMAC: ingress,
		}
	}
	writer, reader := rlpx.NewConn(w, nil), rlpx.NewConn(w, nil)
	writer.InitWithSecrets(secrets())
	reader.InitWithSecrets(secrets())
	writer.SetSnappy(snappy)
	reader.SetSnappy(snappy)
	return w, writer, reader
}

// payload is the message body of a length: bytes with some repetition, so that snappy finds work.
func payload(length int) []byte {
	body := make([]byte, length)
	for i := range body {
		body[i] = byte(i * i / 7)
	}
	return body
}

func vectors() {
	for _, snappy := range []bool{false, true} {
		w, writer, _ := ends(snappy)
		for _, length := range []int{0, 1, 14, 15, 16, 17, 100, 135, 136, 137, 600, 2000} {
			code := uint64(length % 40)
			if _, err := writer.Write(code, payload(length)); err != nil {
				panic(err)
			}
			fmt.Printf("%t %d %d %x\n", snappy, code, length, w.Next(w.Len()))
		}
	}
}

// cpu is the nanoseconds that all threads of this process have run, the collector's included.
func cpu() int64 {
	var time unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &time); err != nil {
		panic(err)
	}
	return time.Nano()
}

func bench() {
	for _, length := range []int{100, 600, 4096, 131072} {
		body := payload(length)
		_, writer, reader := ends(false)
		roundTrip := func() {
			if _, err := writer.Write(16, body); err != nil {
				panic(err)
			}
			if _, data, _, err := reader.Read(); err != nil || len(data) != length {
				panic("the frame did not come back")
			}
		}
		rounds := 30_000_000 / (1000 + 8*length)
		for i := 0; i < rounds/10; i++ {
			roundTrip()
		}
		start := cpu()
		for i := 0; i < rounds; i++ {
			roundTrip()
		}
		fmt.Println(length, (cpu()-start)/int64(rounds))
	}
}

func main() {
	switch {
	case len(os.Args) == 2 && os.Args[1] == "vectors":
		vectors()
	case len(os.Args) == 2 && os.Args[1] == "bench":
		bench()
	default:
		fmt.Fprintln(os.Stderr, "usage: go run . vectors|bench")
		os.Exit(2)
	}
}
