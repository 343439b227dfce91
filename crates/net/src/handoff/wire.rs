//! The packets in octets: one of version, one of kind, four that number the request, then text.

use std::net::SocketAddr;

use super::{HandoffError, Request};

/// An answer without its file descriptor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The listener comes beside the packet.
    Listener,
    /// A listener that the child has already serves this address too.
    Served,
    Refused(String),
}

pub(super) fn write_request(number: u32, request: Request) -> Vec<u8> {
    match request {
        Request::Bind(addr) => packet(KIND_BIND, number, &addr.to_string()),
    }
}

pub(super) fn parse_request(octets: &[u8]) -> Result<(u32, Request), HandoffError> {
    let (kind, number, text) = split(octets)?;
    match kind {
        KIND_BIND => {
            let addr: SocketAddr = text
                .parse()
                .map_err(|_| HandoffError::Malformed("no address to bind"))?;
            Ok((number, Request::Bind(addr)))
        }
        _ => Err(HandoffError::Malformed("unknown kind of request")),
    }
}

pub(super) fn write_answer(number: u32, answer: &Answer) -> Vec<u8> {
    match answer {
        Answer::Listener => packet(KIND_LISTENER, number, ""),
        Answer::Served => packet(KIND_SERVED, number, ""),
        Answer::Refused(why) => {
            let end = why.floor_char_boundary(PACKET_LEN_MAX - HEAD_LEN);
            packet(KIND_REFUSED, number, &why[..end])
        }
    }
}

pub(super) fn parse_answer(octets: &[u8]) -> Result<(u32, Answer), HandoffError> {
    let (kind, number, text) = split(octets)?;
    match kind {
        KIND_LISTENER if text.is_empty() => Ok((number, Answer::Listener)),
        KIND_SERVED if text.is_empty() => Ok((number, Answer::Served)),
        KIND_REFUSED => Ok((number, Answer::Refused(text.to_owned()))),
        _ => Err(HandoffError::Malformed("unknown kind of answer")),
    }
}

fn packet(kind: u8, number: u32, text: &str) -> Vec<u8> {
    let mut octets = vec![VERSION, kind];
    octets.extend(number.to_be_bytes());
    octets.extend(text.as_bytes());
    octets
}

fn split(octets: &[u8]) -> Result<(u8, u32, &str), HandoffError> {
    let [VERSION, kind, a, b, c, d, text @ ..] = octets else {
        return Err(HandoffError::Malformed("wrong version or too short"));
    };
    let text = str::from_utf8(text).map_err(|_| HandoffError::Malformed("text is not UTF-8"))?;
    Ok((*kind, u32::from_be_bytes([*a, *b, *c, *d]), text))
}

/// Octets of a packet, both ways.
pub(super) const PACKET_LEN_MAX: usize = 1024;
const HEAD_LEN: usize = 6;
const VERSION: u8 = 1;
const KIND_BIND: u8 = 1;
const KIND_LISTENER: u8 = 1;
const KIND_REFUSED: u8 = 2;
const KIND_SERVED: u8 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_read_as_they_are_written() {
        for addr in ["127.0.0.1:25", "[::]:587", "[fe80::1%2]:25"] {
            let request = Request::Bind(addr.parse().unwrap());
            let (number, read) = parse_request(&write_request(7, request)).unwrap();
            assert_eq!((number, read), (7, request));
        }
        for answer in [
            Answer::Listener,
            Answer::Served,
            Answer::Refused("no".to_owned()),
        ] {
            let (number, read) = parse_answer(&write_answer(u32::MAX, &answer)).unwrap();
            assert_eq!((number, read), (u32::MAX, answer));
        }
    }

    #[test]
    fn long_refusals_are_cut_between_characters() {
        let octets = write_answer(1, &Answer::Refused("\u{e4}".repeat(2000)));
        assert!(octets.len() <= PACKET_LEN_MAX && parse_answer(&octets).is_ok());
    }

    #[test]
    fn anything_else_is_malformed() {
        for octets in [
            &b""[..],
            b"\x01\x01\0\0\0",
            b"\x02\x01\0\0\0\x01127.0.0.1:25",
            b"\x01\x02\0\0\0\x01127.0.0.1:25",
            b"\x01\x01\0\0\0\x01127.0.0.1:25\n",
            b"\x01\x01\0\0\0\x01example.org:25",
            b"\x01\x01\0\0\0\x01\xff",
        ] {
            assert!(parse_request(octets).is_err(), "{octets:?}");
        }
        assert!(parse_answer(b"\x01\x01\0\0\0\x01text").is_err());
        assert!(parse_answer(b"\x01\x03\0\0\0\x01text").is_err());
        assert!(parse_answer(b"\x01\x04\0\0\0\x01").is_err());
    }
}
