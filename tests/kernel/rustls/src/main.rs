// A TLS client that does what it is told, line by line: ../../client.py has the contract, beside the port may stand ``tls12`` and ``vectored``.
// ``drop`` leaves a connection without a word to its peer; ``threads N M``: M connections with one call each, one after the other, on each of N threads;
// ``ask NAME PORT…``: an HTTP server at each port, three times each in turn on connections that are kept, by a server's name of the test's choice.
use std::io::{stdin, BufRead, IoSlice, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

#[cfg(feature = "old")]
mod version {
    pub use rustls_old as rustls;
    use rustls::client::{ServerCertVerified, ServerCertVerifier};
    use rustls::{Certificate, ClientConfig, Error, ServerName, SupportedProtocolVersion};

    struct Anyone;
    impl ServerCertVerifier for Anyone {
        fn verify_server_cert(
            &self, _: &Certificate, _: &[Certificate], _: &ServerName, _: &mut dyn Iterator<Item = &[u8]>, _: &[u8], _: std::time::SystemTime,
        ) -> Result<ServerCertVerified, Error> {
            Ok(ServerCertVerified::assertion())
        }
    }

    pub fn config(versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
        let builder = ClientConfig::builder().with_safe_default_cipher_suites().with_safe_default_kx_groups();
        let builder = builder.with_protocol_versions(versions).unwrap();
        builder.with_custom_certificate_verifier(super::Arc::new(Anyone)).with_no_client_auth()
    }

    pub fn name(name: &str) -> ServerName {
        name.try_into().unwrap()
    }
}

#[cfg(feature = "new")]
mod version {
    pub use rustls_new as rustls;
    use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
    use rustls::crypto::ring::default_provider;
    use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
    use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme, SupportedProtocolVersion};

    #[derive(Debug)]
    struct Anyone;
    impl ServerCertVerifier for Anyone {
        fn verify_server_cert(
            &self, _: &CertificateDer<'_>, _: &[CertificateDer<'_>], _: &ServerName<'_>, _: &[u8], _: UnixTime,
        ) -> Result<ServerCertVerified, Error> {
            Ok(ServerCertVerified::assertion())
        }
        fn verify_tls12_signature(&self, _: &[u8], _: &CertificateDer<'_>, _: &DigitallySignedStruct) -> Result<HandshakeSignatureValid, Error> {
            Ok(HandshakeSignatureValid::assertion())
        }
        fn verify_tls13_signature(&self, _: &[u8], _: &CertificateDer<'_>, _: &DigitallySignedStruct) -> Result<HandshakeSignatureValid, Error> {
            Ok(HandshakeSignatureValid::assertion())
        }
        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            default_provider().signature_verification_algorithms.supported_schemes()
        }
    }

    pub fn config(versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
        let builder = ClientConfig::builder_with_provider(default_provider().into()).with_protocol_versions(versions).unwrap();
        builder.dangerous().with_custom_certificate_verifier(super::Arc::new(Anyone)).with_no_client_auth()
    }

    pub fn name(name: &str) -> ServerName<'static> {
        name.to_owned().try_into().unwrap()
    }
}

use version::rustls::{version as tls, ClientConfig, ClientConnection, StreamOwned};

const NAME: &str = "localhost";

type Connection = StreamOwned<ClientConnection, TcpStream>;

struct Client {
    config: Arc<ClientConfig>,
    port: u16,
    vectored: bool,
    pattern: Vec<u8>,
}

impl Client {
    fn open(&self, name: &str, port: u16) -> Connection {
        let plain = TcpStream::connect(("127.0.0.1", port)).unwrap();
        plain.set_nodelay(true).unwrap();
        StreamOwned::new(ClientConnection::new(self.config.clone(), version::name(name)).unwrap(), plain)
    }

    fn call(&self, connection: &mut Connection, sent: usize, received: usize) {
        let head = format!("{sent:08}{received:08}");
        let whole = [head.as_bytes(), &self.pattern[..sent]].concat();
        let mut at = 0;
        while at < whole.len() {
            // Uneven slices, an empty one among them, as many as hyper has at most.
            let step = (whole.len() - at) / 62 + 1;
            let mut slices: Vec<IoSlice> = whole[at..].chunks(step).map(IoSlice::new).collect();
            slices.insert(slices.len() / 2, IoSlice::new(&[]));
            at += if self.vectored { connection.write_vectored(&slices).unwrap() } else { connection.write(&whole[at..]).unwrap() };
        }
        connection.flush().unwrap();
        let (mut left, mut buffer) = (received, vec![0; 65536]);
        while left > 0 {
            let room = left.min(buffer.len());
            let count = connection.read(&mut buffer[..room]).unwrap();
            assert!(count > 0);
            left -= count;
        }
    }
}

// Asks a model whose name is the port, so that a call says where it went; of the host the request says no more than the address.
fn ask(connection: &mut Connection, port: u16) {
    let body = format!("{{\"model\": \"port-{port}\", \"messages\": []}}");
    let head = format!("POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
    connection.write_all((head + &body).as_bytes()).unwrap();
    connection.flush().unwrap();
    let (mut heard, mut buffer) = (Vec::new(), [0; 4096]);
    while !heard.ends_with(b"}}") {
        let count = connection.read(&mut buffer).unwrap();
        assert!(count > 0);
        heard.extend_from_slice(&buffer[..count]);
    }
}

fn close(mut connection: Connection) {
    connection.conn.send_close_notify();
    connection.conn.complete_io(&mut connection.sock).unwrap();
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let said = |word: &str| words.iter().any(|one| one == word);
    let versions: &[_] = if said("tls12") { &[&tls::TLS12] } else { &[&tls::TLS13] };
    let client = Client {
        config: version::config(versions).into(),
        port: words.last().unwrap().parse().unwrap(),
        vectored: said("vectored"),
        pattern: (0..1usize << 20).map(|i| (i * 7 + (i >> 8)) as u8).collect(),
    };
    let mut connection = None;
    for line in stdin().lock().lines() {
        let line = line.unwrap();
        let words: Vec<&str> = line.split(' ').collect();
        let numbers: Vec<usize> = words[1..].iter().filter_map(|word| word.parse().ok()).collect();
        match words[0] {
            "open" => connection = Some(client.open(NAME, client.port)),
            "call" => client.call(connection.as_mut().unwrap(), numbers[0], numbers[1]),
            "close" => close(connection.take().unwrap()),
            "drop" => drop(connection.take()),
            "threads" => std::thread::scope(|scope| {
                let (client, rounds) = (&client, numbers[1]);
                for thread in 0..numbers[0] {
                    scope.spawn(move || {
                        for round in 0..rounds {
                            client.call(&mut client.open(NAME, client.port), thread * 1000 + round, 2000);
                        }
                    });
                }
            }),
            "ask" => {
                let mut all: Vec<_> = numbers.iter().map(|&port| (client.open(words[1], port as u16), port as u16)).collect();
                for _ in 0..3 {
                    all.iter_mut().for_each(|(connection, port)| ask(connection, *port));
                }
            }
            _ => panic!("what?"),
        }
        println!("ok {}", std::process::id());
    }
}
