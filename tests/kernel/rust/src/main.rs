// GETs the URL of the command line for each line of input, and answers with ``ok``.
use std::io::{stdin, BufRead};
use ureq::tls::{TlsConfig, TlsProvider};
use ureq::Agent;

fn main() {
    let provider = if cfg!(feature = "native") { TlsProvider::NativeTls } else { TlsProvider::Rustls };
    let tls = TlsConfig::builder().provider(provider).disable_verification(true).build();
    let agent: Agent = Agent::config_builder().tls_config(tls).build().into();
    let url = std::env::args().nth(1).expect("a URL");
    for _ in stdin().lock().lines() {
        agent.get(&url).call().expect("an answer").body_mut().read_to_vec().expect("a body");
        println!("ok {}", std::process::id());
    }
}
