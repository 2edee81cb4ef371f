//! An HTTP/2 client that sends the frames that a test demands. A library would send only valid ones.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

/// A connection.
pub(crate) struct Http2 {
    stream: TcpStream,
}

/// A frame.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// Returns the status in a HEADERS frame of the server: the first field, which is indexed or literal.
    pub(crate) fn status(&self) -> u16 {
        // An update of the table's size precedes the first field.
        let fields = self.payload.iter().position(|byte| byte >> 5 != 1).unwrap();
        let block = &self.payload[fields..];
        match block[0] {
            0x88 => 200,
            0x89 => 204,
            0x8c => 400,
            0x8d => 404,
            0x8e => 500,
            // A literal with the indexed name `:status`. The value may be Huffman coded.
            _ => {
                let value = &block[2..];
                let length = usize::from(block[1] & 0x7f);
                match block[1] & 0x80 {
                    0 => std::str::from_utf8(&value[..length]).unwrap().parse().unwrap(),
                    _ => huffman_digits(&value[..length]),
                }
            }
        }
    }
}

/// Decodes three digits in the Huffman code of RFC 7541: 0 to 2 take five bits, 3 to 9 six.
fn huffman_digits(bytes: &[u8]) -> u16 {
    let bits: Vec<u8> = bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect();
    let number = |bits: &[u8]| bits.iter().fold(0_u16, |number, bit| number << 1 | u16::from(*bit));
    let (mut at, mut value) = (0, 0);
    for _ in 0..3 {
        let (digit, length) = match number(&bits[at..at + 5]) {
            short @ 0..=2 => (short, 5),
            _ => (number(&bits[at..at + 6]) - 0b01_1001 + 3, 6),
        };
        (value, at) = (value * 10 + digit, at + length);
    }
    value
}

impl Http2 {
    /// Opens a connection. Each of its streams has a window of `window` bytes for the server's data.
    pub(crate) async fn open(address: SocketAddr, window: u32) -> Self {
        Self::over(TcpStream::connect(address).await.unwrap(), window).await
    }

    /// As [`Self::open`], on a socket that is connected already.
    pub(crate) async fn over(stream: TcpStream, window: u32) -> Self {
        let mut connection = Self { stream };
        connection.stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        // There is no dynamic table, so that every response contains its status.
        let mut settings = vec![0, 1, 0, 0, 0, 0, 0, 4];
        settings.extend(window.to_be_bytes());
        connection.send(SETTINGS, 0, 0, &settings).await;
        connection
    }

    pub(crate) async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut frame = vec![length[1], length[2], length[3], kind, flags];
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        // The server may have closed already.
        let _ = self.stream.write_all(&frame).await;
    }

    /// Starts a request.
    pub(crate) async fn request(&mut self, stream: u32, method: &str, path: &str, headers: &[(&str, &str)], flags: u8) {
        let mut block = Vec::new();
        let fixed = [(":method", method), (":path", path), (":scheme", "http"), (":authority", "test")];
        for (name, value) in fixed.iter().chain(headers) {
            // A literal without indexing (RFC 7541 section 6.2.2). A length over 126 needs a second byte.
            block.push(0);
            for text in [name, value] {
                match text.len() {
                    short @ ..127 => block.push(u8::try_from(short).unwrap()),
                    long => {
                        block.push(127);
                        let mut rest = long - 127;
                        while rest >= 128 {
                            block.push(u8::try_from(rest % 128).unwrap() | 128);
                            rest /= 128;
                        }
                        block.push(u8::try_from(rest).unwrap());
                    }
                }
                block.extend(text.as_bytes());
            }
        }
        self.send(HEADERS, END_HEADERS | flags, stream, &block).await;
    }

    /// Sets the window of all streams, including open ones.
    pub(crate) async fn set_window(&mut self, window: u32) {
        let mut setting = vec![0, 4];
        setting.extend(window.to_be_bytes());
        self.send(SETTINGS, 0, 0, &setting).await;
    }

    /// Waits until the server has processed all frames that were sent before.
    pub(crate) async fn pinged(&mut self) {
        self.send(PING, 0, 0, b"all seen").await;
        loop {
            let (kind, flags, _, _) = self.read().await.unwrap();
            if kind == PING && flags & ACK != 0 {
                return;
            }
        }
    }

    /// Returns the next frame, or `None` when the server has closed. Acknowledges settings and pings.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        loop {
            let (kind, flags, stream, payload) = self.read().await?;
            match kind {
                SETTINGS | PING if flags & ACK == 0 => {
                    let answer = if kind == PING { payload } else { Vec::new() };
                    self.send(kind, ACK, 0, &answer).await;
                }
                SETTINGS | PING | WINDOW_UPDATE => {}
                _ => return Some(Frame { kind, stream, payload }),
            }
        }
    }

    /// Reads the kind, flags, stream and payload of the next frame.
    async fn read(&mut self) -> Option<(u8, u8, u32, Vec<u8>)> {
        let mut head = [0; 9];
        self.stream.read_exact(&mut head).await.ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        self.stream.read_exact(&mut payload).await.ok()?;
        Some((head[3], head[4], u32::from_be_bytes([head[5], head[6], head[7], head[8]]), payload))
    }

    /// Returns the next frame of a kind.
    pub(crate) async fn until(&mut self, kind: u8) -> Frame {
        loop {
            let frame = self.next().await.unwrap();
            if frame.kind == kind {
                return frame;
            }
        }
    }
}
