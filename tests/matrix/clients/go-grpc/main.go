// google.golang.org/grpc on Go's own TLS, for the coverage matrix (the contract of ../README.md) and for tests/kernel/test_grpc.py: with the argument
// PORT it is told words on its standard input, those of tests/kernel/grpc_client.py.  Serializers there are none: a message is its bytes.
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const (
	host    = "us-central1-aiplatform.googleapis.com"
	service = "/google.cloud.aiplatform.v1.PredictionService/"
	model   = "projects/acme/locations/us-central1/publishers/google/models/gemini-2.5-flash"
	// content: {role: "user", parts: {text: "hello"}}, model
	asked = "\x12\x0f\x0a\x04user\x12\x07\x0a\x05hello\x2a" + string(rune(len(model))) + model
	// More than a loaded machine needs, and far less than the provider stalls.
	deadline = 300 * time.Millisecond
)

type asIs struct{}

func (asIs) Marshal(message any) ([]byte, error) { return *message.(*[]byte), nil }
func (asIs) Unmarshal(data []byte, message any) error {
	*message.(*[]byte) = append([]byte{}, data...)
	return nil
}
func (asIs) Name() string { return "proto" }

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func expect(code codes.Code, err error) {
	if status.Code(err) != code {
		fail(fmt.Errorf("%v where %v should be", err, code))
	}
}

func connect(target string) *grpc.ClientConn {
	pem, err := os.ReadFile(os.Getenv("SSL_CERT_FILE"))
	fail(err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	secure := credentials.NewTLS(&tls.Config{RootCAs: roots, ServerName: host})
	connection, err := grpc.NewClient(
		"passthrough:///"+target,
		grpc.WithTransportCredentials(secure),
		grpc.WithAuthority(host),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(asIs{})),
	)
	fail(err)
	return connection
}

func said(trouble string) context.Context {
	key := os.Getenv("OPENAI_API_KEY")
	if key == "" {
		key = "sk-demo-grpc"
	}
	pairs := []string{"authorization", "Bearer " + key}
	if trouble != "" {
		pairs = append(pairs, "x-trouble", trouble)
	}
	return metadata.AppendToOutgoingContext(context.Background(), pairs...)
}

func unary(connection *grpc.ClientConn, ctx context.Context, options ...grpc.CallOption) error {
	in, out := []byte(asked), []byte{}
	return connection.Invoke(ctx, service+"GenerateContent", &in, &out, options...)
}

func begin(connection *grpc.ClientConn, ctx context.Context, options ...grpc.CallOption) grpc.ClientStream {
	stream, err := connection.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, service+"StreamGenerateContent", options...)
	fail(err)
	in := []byte(asked)
	fail(stream.SendMsg(&in))
	fail(stream.CloseSend())
	return stream
}

func drain(stream grpc.ClientStream) error {
	for {
		out := []byte{}
		if err := stream.RecvMsg(&out); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func calls(connection *grpc.ClientConn, count int, options ...grpc.CallOption) {
	for number := 0; number < count; number++ {
		if number%2 == 1 {
			fail(drain(begin(connection, said(""), options...)))
		} else {
			fail(unary(connection, said(""), options...))
		}
	}
}

func many(connection *grpc.ClientConn, count int) {
	var group sync.WaitGroup
	for range count {
		group.Go(func() { fail(drain(begin(connection, said("")))) })
	}
	group.Wait()
}

func raw(connection *grpc.ClientConn) {
	both := &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}
	stream, err := connection.NewStream(said(""), both, service+"StreamRawPredict")
	fail(err)
	for range 2 {
		in := []byte("a")
		fail(stream.SendMsg(&in))
	}
	fail(stream.CloseSend())
	fail(drain(stream))
}

func obey(connection *grpc.ClientConn, word string, count int) {
	switch word {
	case "gemini":
		calls(connection, count)
	case "zipped":
		calls(connection, count, grpc.UseCompressor(gzip.Name))
	case "many":
		many(connection, count)
	case "raw":
		raw(connection)
	case "refuse":
		expect(codes.ResourceExhausted, unary(connection, said("refuse")))
	case "break":
		expect(codes.Unavailable, drain(begin(connection, said("break"))))
	case "cancel":
		ctx, cancel := context.WithCancel(said("stall"))
		stream := begin(connection, ctx)
		out := []byte{}
		fail(stream.RecvMsg(&out))
		cancel()
		expect(codes.Canceled, drain(stream))
	case "deadline":
		ctx, cancel := context.WithTimeout(said("stall"), deadline)
		defer cancel()
		expect(codes.DeadlineExceeded, unary(connection, ctx))
	case "close":
		fail(connection.Close())
	default:
		fail(fmt.Errorf("no such word: %s", word))
	}
}

func main() {
	if len(os.Args) == 1 {
		fmt.Println("ready")
		var count int
		fmt.Scan(&count)
		calls(connect(host+":443"), count)
		fmt.Println("done")
		io.Copy(io.Discard, os.Stdin)
		return
	}
	var connection *grpc.ClientConn
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		words := strings.Fields(lines.Text())
		count := 0
		if len(words) > 1 {
			count, _ = strconv.Atoi(words[1])
		}
		if words[0] == "open" {
			connection = connect("127.0.0.1:" + os.Args[1])
		} else {
			obey(connection, words[0], count)
		}
		fmt.Println("ok", os.Getpid())
	}
}
