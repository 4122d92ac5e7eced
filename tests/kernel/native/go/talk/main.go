// The client of client.py on Go's crypto/tls.
//
//	call SENT RECEIVED   one conversation on the open connection
//	stack SENT RECEIVED  the same with buffers on a goroutine's stack, which grows while they are in use
//	leave                forget the connection without closing it, and collect it as garbage
//	crowd COUNT ROUNDS SENT RECEIVED  so many connections at once, each a goroutine, while memory is collected and goroutines change threads
package main

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
)

var pattern = func() []byte {
	made := make([]byte, 1<<20)
	for i := range made {
		made[i] = byte(i*7 + i>>8)
	}
	return made
}()

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func dial() *tls.Conn {
	plain, err := net.Dial("tcp", "127.0.0.1:"+os.Args[1])
	check(err)
	return tls.Client(plain, &tls.Config{InsecureSkipVerify: true})
}

func head(sent, received int) []byte { return []byte(fmt.Sprintf("%08d%08d", sent, received)) }

func call(conn *tls.Conn, sent, received int, buffer []byte) {
	_, err := conn.Write(append(head(sent, received), pattern[:sent]...))
	check(err)
	for at := 0; at < received; {
		n, err := conn.Read(buffer[:min(len(buffer), received-at)])
		check(err)
		if string(buffer[:n]) != string(pattern[at:at+n]) {
			check(fmt.Errorf("a wrong byte after %d", at))
		}
		at += n
	}
}

// Reads without an interface between, so that the buffer stays on the stack.
//
//go:noinline
func readOnStack(conn *tls.Conn, received int) {
	var answer [256]byte
	for at := 0; at < received; {
		n, err := conn.Read(answer[:min(len(answer), received-at)])
		check(err)
		if string(answer[:n]) != string(pattern[at:at+n]) {
			check(fmt.Errorf("a wrong byte after %d", at))
		}
		at += n
	}
}

func min(a, b int) int {
	if a < b {
		return a
	}
	return b
}

func main() {
	var conn *tls.Conn
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var sent, received, count, rounds int
		fields := strings.SplitN(lines.Text(), " ", 2)
		switch fields[0] {
		case "open":
			conn = dial()
		case "close":
			check(conn.Close())
		case "leave":
			conn = nil
			runtime.GC()
			runtime.GC()
		case "call":
			fmt.Sscan(fields[1], &sent, &received)
			call(conn, sent, received, make([]byte, 65536))
		case "stack":
			fmt.Sscan(fields[1], &sent, &received)
			done := make(chan struct{})
			go func() { // a new goroutine's stack has 8 KiB at most
				var request [2016]byte
				copy(request[:], head(sent, received))
				copy(request[16:], pattern[:sent])
				_, err := conn.Write(request[:16+sent])
				check(err)
				readOnStack(conn, received)
				close(done)
			}()
			<-done
		case "crowd":
			fmt.Sscan(fields[1], &count, &rounds, &sent, &received)
			crowd(count, rounds, sent, received)
		}
		fmt.Printf("ok %d\n", os.Getpid())
	}
}

func crowd(count, rounds, sent, received int) {
	var all sync.WaitGroup
	stop := make(chan struct{})
	go func() {
		for {
			select {
			case <-stop:
				return
			default:
				runtime.GC()
			}
		}
	}()
	for i := 0; i < count; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			conn := dial()
			for round := 0; round < rounds; round++ {
				call(conn, sent, received, make([]byte, 1000))
				runtime.Gosched()
			}
			check(conn.Close())
		}()
	}
	all.Wait()
	close(stop)
}
