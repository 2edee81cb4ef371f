//! The target of a ticket: a path, and the streams that its query names.

use std::collections::BTreeSet;

use percent_encoding::percent_decode_str;

/// The longest path with its query, in bytes.
pub(super) const MAX_PATH: usize = 4096;
/// The query parameter that may follow the path.
const STREAMS_PREFIX: &str = "streams=";

/// A path as a ticket stores it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TicketTarget {
    pub(super) path: String,
    /// The names in `?streams=`. Their order and repetition do not matter.
    pub(super) streams: Option<BTreeSet<String>>,
}

impl TicketTarget {
    /// Parses `/path` or `/path?streams=a,b`. Returns `None` for anything else.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let plain = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
        if !text.starts_with('/') || text.len() > MAX_PATH || !plain {
            return None;
        }
        let Some((path, query)) = text.split_once('?') else {
            return Some(Self { path: text.to_owned(), streams: None });
        };
        let list = query.strip_prefix(STREAMS_PREFIX).filter(|list| !list.contains(['&', '?']))?;
        let list = percent_decode_str(list).decode_utf8().ok()?;
        Some(Self { path: path.to_owned(), streams: Some(parse_streams(&list)?) })
    }
}

/// Returns the names of a decoded list, or `None` for an empty list or an empty name.
pub(super) fn parse_streams(list: &str) -> Option<BTreeSet<String>> {
    list.split(',').map(|name| (!name.is_empty()).then(|| name.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_path_or_a_path_with_streams() {
        let names = |all: &[&str]| Some(all.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>());
        for (text, path, streams) in [
            ("/sse/chat/t", "/sse/chat/t", None),
            ("/sse?streams=chat/t,canvas/c", "/sse", names(&["canvas/c", "chat/t"])),
            ("/sse?streams=canvas%2Fc%2Cchat%2Ft", "/sse", names(&["canvas/c", "chat/t"])),
            ("/sse?streams=chat/*", "/sse", names(&["chat/*"])),
        ] {
            let target = TicketTarget::parse(text);
            assert_eq!(target, Some(TicketTarget { path: path.into(), streams }), "{text}");
        }
        let long = format!("/{}", "x".repeat(MAX_PATH));
        for bad in
            ["", "sse", "/a b", "/ä", "/a?b=c", "/a#b", "/a?streams=", "/a?streams=x&y=z", "/a?streams=x,,y", &long]
        {
            assert_eq!(TicketTarget::parse(bad), None, "{bad:.20}");
        }
    }
}
