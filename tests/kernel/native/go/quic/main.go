// Speaks TLS, and has quic-go in it.
package main

import (
	"crypto/tls"
	"fmt"

	"github.com/quic-go/quic-go"
)

func main() {
	(&quic.Transport{}).Dial()
	conn, err := tls.Dial("tcp", "127.0.0.1:443", nil)
	if err != nil {
		return
	}
	defer conn.Close()
	conn.Write([]byte("x"))
	n, _ := conn.Read(make([]byte, 1))
	fmt.Println(n)
}
