// The contract of ../README.md with the SDKs for Go: client openai|anthropic|genai|bedrock.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/types"
	"github.com/aws/smithy-go/auth/bearer"
	"github.com/openai/openai-go/v3"
	"google.golang.org/genai"
)

type call func(ctx context.Context, streamed bool) error

var errSilent = errors.New("an answer without usage")

func withOpenAI() (call, error) {
	client := openai.NewClient()
	asked := openai.ChatCompletionNewParams{
		Model:    "gpt-4o-mini",
		Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("hello")},
	}
	return func(ctx context.Context, streamed bool) error {
		if !streamed {
			_, err := client.Chat.Completions.New(ctx, asked)
			return err
		}
		wanted := asked
		wanted.StreamOptions.IncludeUsage = openai.Bool(true)
		stream := client.Chat.Completions.NewStreaming(ctx, wanted)
		defer stream.Close()
		for stream.Next() {
		}
		return stream.Err()
	}, nil
}

func withAnthropic() (call, error) {
	client := anthropic.NewClient()
	asked := anthropic.MessageNewParams{
		Model:     "claude-haiku-4-5",
		MaxTokens: 99,
		Messages:  []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock("hello"))},
	}
	return func(ctx context.Context, streamed bool) error {
		if !streamed {
			_, err := client.Messages.New(ctx, asked)
			return err
		}
		stream := client.Messages.NewStreaming(ctx, asked)
		defer stream.Close()
		for stream.Next() {
		}
		return stream.Err()
	}, nil
}

func withGenai() (call, error) {
	client, err := genai.NewClient(context.Background(), &genai.ClientConfig{Backend: genai.BackendGeminiAPI})
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, streamed bool) error {
		if !streamed {
			_, err := client.Models.GenerateContent(ctx, "gemini-2.5-flash", genai.Text("hello"), nil)
			return err
		}
		for _, err := range client.Models.GenerateContentStream(ctx, "gemini-2.5-flash", genai.Text("hello"), nil) {
			if err != nil {
				return err
			}
		}
		return nil
	}, nil
}

func withBedrock() (call, error) {
	key := bearer.Token{Value: os.Getenv("AWS_BEARER_TOKEN_BEDROCK")}
	client := bedrockruntime.New(bedrockruntime.Options{
		Region:                  "us-east-1",
		BearerAuthTokenProvider: bearer.StaticTokenProvider{Token: key},
		AuthSchemePreference:    []string{"httpBearerAuth"},
	})
	model := aws.String("anthropic.claude-3-haiku-20240307-v1:0")
	content := []types.ContentBlock{&types.ContentBlockMemberText{Value: "hello"}}
	messages := []types.Message{{Role: types.ConversationRoleUser, Content: content}}
	return func(ctx context.Context, streamed bool) error {
		if !streamed {
			_, err := client.Converse(ctx, &bedrockruntime.ConverseInput{ModelId: model, Messages: messages})
			return err
		}
		answer, err := client.ConverseStream(ctx, &bedrockruntime.ConverseStreamInput{ModelId: model, Messages: messages})
		if err != nil {
			return err
		}
		stream := answer.GetStream()
		defer stream.Close()
		told := false
		for event := range stream.Events() {
			_, last := event.(*types.ConverseStreamOutputMemberMetadata)
			told = told || last
		}
		if err := stream.Err(); err != nil || told {
			return err
		}
		return errSilent
	}, nil
}

func run() error {
	clients := map[string]func() (call, error){
		"openai": withOpenAI, "anthropic": withAnthropic, "genai": withGenai, "bedrock": withBedrock,
	}
	one, err := clients[os.Args[1]]()
	if err != nil {
		return err
	}
	fmt.Println("ready")
	input := bufio.NewReader(os.Stdin)
	var calls int
	if _, err := fmt.Fscanln(input, &calls); err != nil {
		return err
	}
	for number := range calls {
		if err := one(context.Background(), number%2 == 1); err != nil {
			return err
		}
	}
	fmt.Println("done")
	_, err = io.Copy(io.Discard, input)
	return err
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
