//! Mailboxes as readers see them.

use mailtypes::{ItemId, Timestamp};

use crate::ReadError;
use crate::embedded::Source;
use crate::spans::{Span, Spans};

/// One message in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryView {
    /// Its UID. RFC 9051 §2.3.1.1
    pub uid: u32,
    /// When it was delivered: INTERNALDATE. RFC 9051 §2.3.3
    pub received: Timestamp,
    /// Octets.
    pub size: u64,
    /// The queue id that brought it.
    pub item: ItemId,
}

/// Reads one message from front to back, in pieces, comparing each body with its checksum.
pub struct MessageReader {
    size: u64,
    spans: std::vec::IntoIter<Span>,
    now: Option<(i64, std::ops::Range<u64>)>,
    /// Where bodies are read from; a message without any needs none.
    source: Option<Source>,
}

impl MessageReader {
    pub(crate) fn new(spans: &Spans, source: Source) -> Self {
        let list: Vec<Span> = spans.iter().cloned().collect();
        Self {
            size: spans.size(),
            spans: list.into_iter(),
            now: None,
            source: Some(source),
        }
    }

    /// A message that has been read, in pieces.
    pub(crate) fn of_octets(pieces: Vec<Vec<u8>>) -> Self {
        Self {
            size: pieces.iter().map(|piece| piece.len() as u64).sum(),
            spans: pieces
                .into_iter()
                .map(Span::Text)
                .collect::<Vec<_>>()
                .into_iter(),
            now: None,
            source: None,
        }
    }

    /// Octets in all.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The next piece; `None` at the end. Damage shows at the latest with the last piece of a body:
    /// after an error nothing that was read counts.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, ReadError> {
        loop {
            if let (Some((body, range)), Some(source)) = (&mut self.now, &mut self.source) {
                let piece = source.read(*body, range.clone()).await?;
                range.start += piece.len() as u64;
                if range.start >= range.end {
                    self.now = None;
                }
                if !piece.is_empty() {
                    return Ok(Some(piece));
                }
            }
            match self.spans.next() {
                Some(Span::Text(text)) if text.is_empty() => {}
                Some(Span::Text(text)) => return Ok(Some(text)),
                Some(Span::Body { id, range }) => self.now = Some((id, range)),
                None => {
                    if let Some(source) = &mut self.source {
                        source.finish().await?;
                    }
                    return Ok(None);
                }
            }
        }
    }

    /// The whole message at once: for messages known to be small.
    pub async fn read_all(mut self) -> Result<Vec<u8>, ReadError> {
        // One that has been read already is not copied.
        let mut all = self.next().await?.unwrap_or_default();
        while let Some(piece) = self.next().await? {
            all.extend(piece);
        }
        Ok(all)
    }
}
