// Answers OpenAI's chat API over HTTP/2, or whatever the client offers: prints its port, and at the end of its input what it counted.
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func certificate() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	check(err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

const usage = `{"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 40, "total_tokens": 43}}`

func main() {
	var calls, received, sent int64
	say := func(to http.ResponseWriter, text string) {
		n, err := io.WriteString(to, text)
		check(err)
		atomic.AddInt64(&sent, int64(n))
	}
	answer := func(to http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		check(err)
		atomic.AddInt64(&received, int64(len(body)))
		if request.ProtoMajor != 2 {
			check(fmt.Errorf("%s instead of HTTP/2", request.Proto))
		}
		if !strings.Contains(string(body), `"stream":true`) {
			to.Header().Set("Content-Type", "application/json")
			say(to, usage+strings.Repeat(" ", 3000))
		} else {
			to.Header().Set("Content-Type", "text/event-stream")
			for i := 0; i < 40; i++ {
				say(to, `data: {"choices": [{"index": 0, "delta": {"content": "parcel "}}]}`+"\n\n")
				to.(http.Flusher).Flush()
			}
			say(to, "data: "+usage+"\n\ndata: [DONE]\n\n")
		}
		atomic.AddInt64(&calls, 1)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	server := &http.Server{
		Handler:   http.HandlerFunc(answer),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate()}, NextProtos: []string{"h2", "http/1.1"}},
	}
	go server.ServeTLS(listener, "", "")
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	_, err = io.Copy(io.Discard, os.Stdin)
	check(err)
	check(json.NewEncoder(os.Stdout).Encode(map[string]int64{"calls": calls, "received": received, "sent": sent}))
}
