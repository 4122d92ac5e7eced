//! The contract of ../README.md with async-openai over native-tls.

use async_openai::types::chat::{
    ChatCompletionRequestUserMessageArgs, ChatCompletionStreamOptions, CreateChatCompletionRequest, CreateChatCompletionRequestArgs,
};
use async_openai::{config::OpenAIConfig, error::OpenAIError, Client};
use futures::StreamExt;
use std::io;

fn request(streamed: bool) -> Result<CreateChatCompletionRequest, OpenAIError> {
    let message = ChatCompletionRequestUserMessageArgs::default().content("hello").build()?;
    let mut wanted = CreateChatCompletionRequestArgs::default();
    wanted.model("gpt-4o-mini").messages([message.into()]);
    if streamed {
        wanted.stream_options(ChatCompletionStreamOptions { include_usage: Some(true), include_obfuscation: None });
    }
    wanted.build()
}

async fn call(client: &Client<OpenAIConfig>, number: usize) -> Result<(), OpenAIError> {
    if number % 2 == 0 {
        assert!(client.chat().create(request(false)?).await?.usage.is_some());
        return Ok(());
    }
    let mut stream = client.chat().create_stream(request(true)?).await?;
    let mut told = false;
    while let Some(chunk) = stream.next().await {
        told |= chunk?.usage.is_some();
    }
    assert!(told);
    Ok(())
}

fn main() -> Result<(), OpenAIError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = Client::new();
    println!("ready");
    let mut line = String::new();
    io::stdin().read_line(&mut line).unwrap();
    for number in 0..line.trim().parse().unwrap() {
        runtime.block_on(call(&client, number))?;
    }
    println!("done");
    io::stdin().read_line(&mut line).unwrap();
    Ok(())
}
