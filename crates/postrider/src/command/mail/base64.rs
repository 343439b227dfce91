//! Octets as base64, as they come.

use std::io::{self, Write};

use data_encoding::BASE64;

/// Writes what is written to it to `out`, in base64 without line ends. RFC 4648 §4
pub(super) struct Base64<'a, W> {
    /// What stands before the first octet, until that is written.
    head: &'static str,
    out: &'a mut W,
    /// Fewer than a group of three.
    rest: Vec<u8>,
}

impl<'a, W: Write> Base64<'a, W> {
    /// `head` is written when the first octets come, or at the end when none do.
    pub(super) fn new(head: &'static str, out: &'a mut W) -> Self {
        let rest = Vec::new();
        Self { head, out, rest }
    }

    /// Writes the last group.
    pub(super) fn finish(mut self) -> io::Result<()> {
        let rest = std::mem::take(&mut self.rest);
        self.encode(&rest)
    }

    fn encode(&mut self, octets: &[u8]) -> io::Result<()> {
        let head = std::mem::take(&mut self.head);
        self.out.write_all(head.as_bytes())?;
        self.out.write_all(BASE64.encode(octets).as_bytes())
    }
}

impl<W: Write> Write for Base64<'_, W> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let mut whole = std::mem::take(&mut self.rest);
        whole.extend_from_slice(octets);
        self.rest = whole.split_off(whole.len() - whole.len() % 3);
        self.encode(&whole)?;
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_change_nothing() {
        let octets: Vec<u8> = (0..=255).collect();
        for piece in [1, 2, 3, 7, 256] {
            let mut out = Vec::new();
            let mut base64 = Base64::new("head ", &mut out);
            for chunk in octets.chunks(piece) {
                base64.write_all(chunk).unwrap();
            }
            base64.finish().unwrap();
            let whole = format!("head {}", BASE64.encode(&octets));
            assert_eq!(String::from_utf8(out).unwrap(), whole, "{piece}");
        }
        let mut out = Vec::new();
        Base64::new("head", &mut out).finish().unwrap();
        assert_eq!(out, b"head");
    }
}
