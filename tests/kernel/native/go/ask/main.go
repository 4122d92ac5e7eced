// Asks a model over plain HTTP: ask URL BODY TIMES.  Its connection is read and written by two goroutines, so perhaps by two threads.
package main

import (
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
)

func main() {
	times, err := strconv.Atoi(os.Args[3])
	if err != nil {
		panic(err)
	}
	for done := 0; done < times; done++ {
		answer, err := http.Post(os.Args[1], "application/json", strings.NewReader(os.Args[2]))
		if err != nil {
			panic(err)
		}
		if _, err := io.Copy(io.Discard, answer.Body); err != nil {
			panic(err)
		}
		answer.Body.Close()
	}
}
