//! An issuer on loopback: it signs any token and serves its keys over HTTP.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, LazyLock, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use aws_lc_rs::{
    encoding::AsDer,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair, RsaPublicKeyComponents,
    },
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

pub(crate) fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A signing key.
pub(crate) enum Signer {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
}

/// RSA keys, created once for all tests because that takes time.
pub(crate) static RSA: LazyLock<[Signer; 2]> =
    LazyLock::new(|| std::array::from_fn(|_| Signer::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap())));

pub(crate) static EC: LazyLock<Signer> =
    LazyLock::new(|| Signer::Ec(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap()));

impl Signer {
    /// Signs exactly this header and payload.
    pub(crate) fn sign(&self, header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
        let message = format!("{}.{}", b64(header), b64(payload));
        let random = SystemRandom::new();
        let signature = match self {
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message.as_bytes(), &mut signature).unwrap();
                signature
            }
            Self::Ec(key) => key.sign(&random, message.as_bytes()).unwrap().as_ref().to_vec(),
        };
        format!("{message}.{}", b64(signature))
    }

    pub(crate) fn alg(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "RS256",
            Self::Ec(_) => "ES256",
        }
    }

    /// Returns the public half in the form that an issuer publishes.
    pub(crate) fn jwk(&self, kid: &str) -> Value {
        match self {
            Self::Rsa(key) => {
                let public: RsaPublicKeyComponents<Vec<u8>> = key.public_key().into();
                json!({"kty":"RSA","alg":"RS256","use":"sig","kid":kid,"n":b64(public.n),"e":b64(public.e)})
            }
            Self::Ec(key) => {
                let point = key.public_key().as_ref();
                json!({"kty":"EC","crv":"P-256","alg":"ES256","use":"sig","kid":kid,"x":b64(&point[1..33]),"y":b64(&point[33..])})
            }
        }
    }

    /// Returns the public half as DER and as PEM, which a careless verifier uses as a shared secret.
    pub(crate) fn spki(&self) -> [Vec<u8>; 2] {
        let der = match self {
            Self::Rsa(key) => key.public_key().as_der().unwrap().as_ref().to_vec(),
            Self::Ec(key) => key.public_key().as_der().unwrap().as_ref().to_vec(),
        };
        let text = base64::engine::general_purpose::STANDARD.encode(&der);
        let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"));
        [der, pem.into_bytes()]
    }
}

/// The response of the stand-in.
#[derive(Clone)]
pub(crate) enum Answer {
    /// These bytes, with this status and these header lines.
    Bytes(u16, String, Vec<u8>),
    /// Nothing: it accepts the connection and closes it.
    Nothing,
    /// Nothing: it keeps the connection open.
    #[cfg_attr(not(feature = "oidc-http"), expect(dead_code, reason = "only a client with a timeout is asked to wait"))]
    Silence,
}

pub(crate) struct Standin {
    pub(crate) address: SocketAddr,
    answer: Arc<Mutex<Answer>>,
    fetches: Arc<AtomicUsize>,
    paths: Arc<Mutex<Vec<String>>>,
}

impl Standin {
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let standin = Self {
            address: listener.local_addr().unwrap(),
            answer: Arc::new(Mutex::new(Answer::Nothing)),
            fetches: Arc::default(),
            paths: Arc::default(),
        };
        let (answer, fetches, paths) =
            (Arc::clone(&standin.answer), Arc::clone(&standin.fetches), Arc::clone(&standin.paths));
        thread::spawn(move || {
            let mut kept = Vec::new();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                fetches.fetch_add(1, Ordering::SeqCst);
                paths.lock().unwrap().push(request_path(&mut stream));
                let answer = answer.lock().unwrap().clone();
                match answer {
                    Answer::Bytes(status, headers, body) => {
                        let head =
                            format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
                        // The client may close the connection early.
                        let _ = stream.write_all(format!("{head}{headers}\r\n").as_bytes());
                        let _ = stream.write_all(&body);
                    }
                    Answer::Nothing => drop(stream),
                    Answer::Silence => kept.push(stream),
                }
            }
        });
        standin
    }

    /// Returns the `iss`, which is also the address of the keys.
    pub(crate) fn issuer(&self) -> String {
        format!("http://{}/pool", self.address)
    }

    pub(crate) fn answer(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    pub(crate) fn serve(&self, keys: &[Value]) {
        self.serve_with("", keys);
    }

    pub(crate) fn serve_with(&self, headers: &str, keys: &[Value]) {
        self.answer(Answer::Bytes(200, headers.to_owned(), json!({ "keys": keys }).to_string().into_bytes()));
    }

    /// Returns the number of requests since the last call.
    pub(crate) fn fetches(&self) -> usize {
        self.fetches.swap(0, Ordering::SeqCst)
    }

    /// Returns the path of every request.
    pub(crate) fn paths(&self) -> Vec<String> {
        self.paths.lock().unwrap().clone()
    }
}

fn request_path(stream: &mut TcpStream) -> String {
    let (mut request, mut byte) = (Vec::new(), [0]);
    while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
        request.push(byte[0]);
        // The first byte of a TLS record. No line follows.
        if request == [0x16] {
            break;
        }
    }
    String::from_utf8_lossy(&request).split(' ').nth(1).unwrap_or_default().to_owned()
}
