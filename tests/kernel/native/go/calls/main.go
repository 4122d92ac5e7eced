// OpenAI's chat API by net/http: calls ROUNDS GOROUTINES STEP...
//
// Every goroutine makes ROUNDS calls of each STEP (chat, stream) over connections that are shared and kept, while memory is collected all the time and
// goroutines change threads.  CALLS_URL names another server, whose certificate is not checked.  With no rounds it stays for two seconds, for whoever wants to look at it.
package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

var url = "https://api.openai.com/v1/chat/completions"

func ask(client *http.Client, body map[string]any) *http.Response {
	body["messages"] = []map[string]string{{"role": "user", "content": strings.Repeat("Where is parcel 4711? ", 50)}}
	text, err := json.Marshal(body)
	check(err)
	request, err := http.NewRequest("POST", url, bytes.NewReader(text))
	check(err)
	request.Header.Set("Authorization", "Bearer "+os.Getenv("OPENAI_API_KEY"))
	request.Header.Set("Content-Type", "application/json")
	answer, err := client.Do(request)
	check(err)
	if answer.StatusCode != 200 {
		check(fmt.Errorf("status %d", answer.StatusCode))
	}
	return answer
}

func chat(client *http.Client) {
	answer := ask(client, map[string]any{"model": "gpt-4o-mini"})
	defer answer.Body.Close()
	var said struct{ Usage map[string]any }
	check(json.NewDecoder(answer.Body).Decode(&said))
	_, err := io.Copy(io.Discard, answer.Body)
	check(err)
	if said.Usage == nil {
		check(fmt.Errorf("no usage"))
	}
}

func stream(client *http.Client) {
	answer := ask(client, map[string]any{
		"model": "gpt-4.1", "stream": true, "stream_options": map[string]bool{"include_usage": true},
	})
	defer answer.Body.Close()
	lines, usage := bufio.NewScanner(answer.Body), false
	for lines.Scan() {
		usage = usage || strings.Contains(lines.Text(), `"total_tokens"`)
		runtime.Gosched()
	}
	check(lines.Err())
	if !usage {
		check(fmt.Errorf("a stream without usage"))
	}
}

func main() {
	if len(os.Args) < 4 {
		check(fmt.Errorf("usage: calls ROUNDS GOROUTINES STEP..."))
	}
	rounds, err := strconv.Atoi(os.Args[1])
	check(err)
	goroutines, err := strconv.Atoi(os.Args[2])
	check(err)
	if rounds == 0 {
		time.Sleep(2 * time.Second)
		return
	}
	runtime.GOMAXPROCS(4)
	go func() {
		for {
			runtime.GC()
			runtime.Gosched()
		}
	}()
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = goroutines / 2 // so that some connections are kept and some are closed
	if other := os.Getenv("CALLS_URL"); other != "" {
		url = other
		transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
	}
	client := &http.Client{Transport: transport}
	steps := map[string]func(*http.Client){"chat": chat, "stream": stream}
	var all sync.WaitGroup
	for i := 0; i < goroutines; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			for round := 0; round < rounds; round++ {
				for _, step := range os.Args[3:] {
					steps[step](client)
				}
			}
		}()
	}
	all.Wait()
	transport.CloseIdleConnections()
}
