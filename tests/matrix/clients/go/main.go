// The contract of ../README.md with net/http; HTTP/2 where the server offers it, but not with the argument http1.
package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
)

func body(number int) []byte {
	stream := ""
	if number%2 == 1 {
		stream = `,"stream":true,"stream_options":{"include_usage":true}`
	}
	return []byte(`{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hello"}]` + stream + `}`)
}

func call(client *http.Client, number int) error {
	request, err := http.NewRequest("POST", "https://api.openai.com/v1/chat/completions", bytes.NewReader(body(number)))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+os.Getenv("OPENAI_API_KEY"))
	request.Header.Set("Content-Type", "application/json")
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != 200 {
		return fmt.Errorf("status %d", answer.StatusCode)
	}
	_, err = io.Copy(io.Discard, answer.Body)
	return err
}

func main() {
	client := http.DefaultClient
	if len(os.Args) > 1 && os.Args[1] == "http1" {
		none := map[string]func(string, *tls.Conn) http.RoundTripper{}
		client = &http.Client{Transport: &http.Transport{TLSNextProto: none}}
	}
	fmt.Println("ready")
	input := bufio.NewReader(os.Stdin)
	var calls int
	line, _ := input.ReadString('\n')
	fmt.Sscan(line, &calls)
	for number := 0; number < calls; number++ {
		if err := call(client, number); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	fmt.Println("done")
	io.Copy(io.Discard, input)
}
