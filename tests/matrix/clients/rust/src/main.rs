//! The contract of ../README.md with reqwest, over native-tls (OpenSSL) or rustls, as it was built.

use std::{env, fs, io};

fn body(number: usize) -> String {
    let stream = if number % 2 == 0 { "" } else { r#","stream":true,"stream_options":{"include_usage":true}"# };
    format!(r#"{{"model":"gpt-4o-mini","messages":[{{"role":"user","content":"hello"}}]{stream}}}"#)
}

fn main() {
    let authority = fs::read(env::var("SSL_CERT_FILE").unwrap()).unwrap();
    let mut builder = reqwest::blocking::Client::builder()
        .add_root_certificate(reqwest::Certificate::from_pem(&authority).unwrap());
    if env::args().nth(1).as_deref() == Some("http1") {
        builder = builder.http1_only();
    }
    let client = builder.build().unwrap();
    let key = env::var("OPENAI_API_KEY").unwrap();
    println!("ready");
    let mut line = String::new();
    io::stdin().read_line(&mut line).unwrap();
    for number in 0..line.trim().parse().unwrap() {
        let answer = client
            .post("https://api.openai.com/v1/chat/completions")
            .bearer_auth(&key)
            .header("content-type", "application/json")
            .body(body(number))
            .send()
            .unwrap();
        assert!(answer.status().is_success());
        answer.bytes().unwrap();
    }
    println!("done");
    io::stdin().read_line(&mut line).unwrap();
}
