//! Where a message reader gets the octets of bodies from.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use mailtypes::ItemId;
use rusqlite::{Connection, OptionalExtension};

use super::{queries, rows};
use crate::body_log::{BodyReader, OpenBody, Place, PlaceOf, buffer};
use crate::pool::Pool;
use crate::spans::{Span, Spans};
use crate::{ReadError, StoreError};

/// Reads bodies in order and keeps their checksum on the way.
pub(crate) struct Source {
    readers: Pool<Connection>,
    bodies: BodyReader,
    /// Where bodies lie that the last commit may not have.
    places: Vec<(i64, Place)>,
    open: Option<Reading>,
}

struct Reading {
    id: i64,
    body: Arc<OpenBody>,
    /// The checksum of the octets before `at`.
    crc: u32,
    at: u64,
}

impl Source {
    pub(crate) fn new(
        readers: Pool<Connection>,
        bodies: BodyReader,
        places: Vec<(i64, Place)>,
    ) -> Self {
        Self {
            readers,
            bodies,
            places,
            open: None,
        }
    }

    /// Octets from the front of `range`, at most a chunk. What lies before it in the body is read
    /// all the same, for the checksum.
    pub(crate) async fn read(&mut self, id: i64, range: Range<u64>) -> Result<Vec<u8>, ReadError> {
        if self
            .open
            .as_ref()
            .is_none_or(|open| open.id != id || open.at > range.start)
        {
            self.finish().await?;
            self.open = Some(self.open(id).await?);
        }
        while self.open.as_ref().is_some_and(|open| open.at < range.start) {
            self.advance(range.start).await?;
        }
        self.advance(range.end).await
    }

    /// Reads what is left of the open body, so that its checksum is compared.
    pub(crate) async fn finish(&mut self) -> Result<(), ReadError> {
        while self
            .open
            .as_ref()
            .is_some_and(|open| open.at < open.body.place.length)
        {
            self.advance(u64::MAX).await?;
        }
        self.open = None;
        Ok(())
    }

    /// Reads on towards `until`, at most a chunk. The last octets of a body come only after its
    /// checksum was found right.
    async fn advance(&mut self, until: u64) -> Result<Vec<u8>, ReadError> {
        let Some(open) = &mut self.open else {
            return Ok(Vec::new());
        };
        let (at, place) = (open.at, open.body.place);
        let len = until.min(place.length).saturating_sub(at);
        let mut octets = buffer(len);
        let body = Arc::clone(&open.body);
        let octets = self
            .readers
            .run(move |_| {
                body.file
                    .read_exact_at(&mut octets, place.at + at)
                    .map(|()| octets)
            })
            .await?;
        let octets = octets.map_err(|e| match e.kind() {
            io::ErrorKind::UnexpectedEof => damaged(open.id, place),
            _ => StoreError::from_io(&e).into(),
        })?;
        let crc = crc32c::crc32c_append(open.crc, &octets);
        let end = at + octets.len() as u64;
        if end == place.length && crc != place.crc {
            return Err(damaged(open.id, place));
        }
        (open.crc, open.at) = (crc, end);
        Ok(octets)
    }

    async fn open(&self, id: i64) -> Result<Reading, ReadError> {
        let bodies = self.bodies.clone();
        let promised = self.places.iter().find(|(body, _)| *body == id);
        let promised = promised.map(|(_, place)| *place);
        let opened = self
            .readers
            .run(move |db| bodies.open(&RowsOr(Rows(db), promised), id))
            .await?;
        match opened {
            Ok(Some(body)) => Ok(Reading {
                id,
                body: Arc::new(body),
                crc: 0,
                at: 0,
            }),
            Ok(None) => Err(StoreError::Disk("the body is gone".to_owned()).into()),
            Err(e) => Err(StoreError::from_io(&e).into()),
        }
    }
}

/// Where the bodies of a message lie.
pub(crate) fn places(db: &Connection, spans: &Spans) -> rusqlite::Result<Vec<(i64, Place)>> {
    let mut places = Vec::new();
    for body in spans.bodies() {
        places.extend(place_of(db, body)?.map(|place| (body, place)));
    }
    Ok(places)
}

/// A message as far as it has been opened.
pub(crate) enum Opened {
    Whole(Vec<u8>),
    Spans(Spans),
}

/// Opens the message of an item, and reads it when that is asked for. `None`: the queue has it no
/// more.
pub(crate) fn open(
    db: &Connection,
    bodies: &BodyReader,
    item: ItemId,
    at_once: bool,
) -> Result<Option<Opened>, ReadError> {
    let spans = queries::mailbox::item_spans(db, item).map_err(StoreError::from)?;
    let Some(spans) = spans else {
        return Ok(None);
    };
    if !at_once {
        return Ok(Some(Opened::Spans(spans)));
    }
    let mut octets = Vec::with_capacity(usize::try_from(spans.size()).unwrap_or_default());
    for span in spans.iter() {
        match span {
            Span::Text(text) => octets.extend(text),
            Span::Body { id, range } => add_body(&mut octets, db, bodies, *id, range)?,
        }
    }
    Ok(Some(Opened::Whole(octets)))
}

/// Reads a body behind `octets`, whole for its checksum, and keeps `range` of it.
fn add_body(
    octets: &mut Vec<u8>,
    db: &Connection,
    bodies: &BodyReader,
    id: i64,
    range: &Range<u64>,
) -> Result<(), ReadError> {
    let from_io = |e: &io::Error| ReadError::from(StoreError::from_io(e));
    let open = bodies.open(&Rows(db), id).map_err(|e| from_io(&e))?;
    let gone = || StoreError::Disk("the body is gone".to_owned());
    let OpenBody { place, file } = open.ok_or_else(gone)?;
    let len = |octets: u64| usize::try_from(octets.min(place.length)).unwrap_or_default();
    let front = octets.len();
    octets.resize(front + len(place.length), 0);
    match file.read_exact_at(&mut octets[front..], place.at) {
        Ok(()) if crc32c::crc32c(&octets[front..]) == place.crc => {}
        Err(e) if e.kind() != io::ErrorKind::UnexpectedEof => return Err(from_io(&e)),
        Ok(()) | Err(_) => return Err(damaged(id, place)),
    }
    octets.truncate(front + len(range.end));
    octets.drain(front..front + len(range.start.min(range.end)));
    Ok(())
}

fn damaged(body: i64, place: Place) -> ReadError {
    ReadError::Damaged {
        item: ItemId::from_i64(body).map_or_else(String::new, |id| id.to_string()),
        segment: place.segment,
        offset: place.at,
    }
}

/// Looks places up in the database.
pub(crate) struct Rows<'a>(pub(crate) &'a Connection);

impl PlaceOf for Rows<'_> {
    fn place_of(&self, body: i64) -> io::Result<Option<Place>> {
        place_of(self.0, body).map_err(io::Error::other)
    }
}

/// The same, and the place that was promised while no commit has named it.
struct RowsOr<'a>(Rows<'a>, Option<Place>);

impl PlaceOf for RowsOr<'_> {
    fn place_of(&self, body: i64) -> io::Result<Option<Place>> {
        Ok(self.0.place_of(body)?.or(self.1))
    }
}

fn place_of(db: &Connection, body: i64) -> rusqlite::Result<Option<Place>> {
    db.prepare_cached("SELECT segment, at, length, crc FROM body WHERE id = ?")?
        .query_row([body], |row| rows::place(row, 0))
        .optional()
}
