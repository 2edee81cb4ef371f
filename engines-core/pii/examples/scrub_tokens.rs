//! Scrubs a model's answer token by token: `cargo run -p engines-pii --example scrub_tokens`.
#![expect(clippy::print_stdout, reason = "an example speaks to people")]

use std::{convert::Infallible, error::Error};

use engines_pii::Scrubber;
use futures_util::{AsyncReadExt as _, StreamExt as _, io::Cursor, stream};

fn main() -> Result<(), Box<dyn Error>> {
    futures_executor::block_on(async {
        // Tokens as a model sends them: an address arrives in five pieces.
        let answer = "You can write to Ana at ana.silva@example.org, or call her: +44 20 7946 0958. ".repeat(12);
        let tokens: Vec<String> =
            answer.as_bytes().chunks(5).map(|piece| String::from_utf8_lossy(piece).into()).collect();
        let mut clean = Scrubber::default().scrub_chunks(stream::iter(tokens.into_iter().map(Ok::<_, Infallible>)))?;
        while let Some(chunk) = clean.next().await {
            print!("{}", chunk?);
        }
        println!("\n{:?}", clean.receipt());

        // The same for any reader; `tokio_util::compat` makes one of these from a reader of tokio.
        let mut text = String::new();
        let file = Cursor::new("card 4111 1111 1111 1111");
        Scrubber::default().scrub_async_read(file)?.read_to_string(&mut text).await?;
        println!("{text}");
        Ok(())
    })
}
