//! Everything that goes to stdout. Whoever reads may stop reading (`| head`): that is no error.

use std::io::{self, Write};

use serde::Serialize;

/// Locked stdout that ends quietly when nobody reads any more.
#[derive(Debug)]
pub(crate) struct Output {
    out: io::BufWriter<io::StdoutLock<'static>>,
    gone: bool,
}

impl Output {
    /// Takes stdout.
    pub(crate) fn stdout() -> Self {
        Self {
            out: io::BufWriter::new(io::stdout().lock()),
            gone: false,
        }
    }

    /// One line of text.
    pub(crate) fn line(&mut self, text: impl AsRef<str>) -> io::Result<()> {
        writeln!(self, "{}", text.as_ref())
    }

    /// One line of JSON.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        let text = serde_json::to_string(value)?;
        self.line(text)
    }

    /// Rows under a head, each column as wide as its widest cell.
    pub(crate) fn table(&mut self, head: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
        let width = |column: usize| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            let widest = cells.map(|cell| cell.chars().count()).max().unwrap_or(0);
            widest.max(head[column].chars().count())
        };
        let widths: Vec<usize> = (0..head.len()).map(width).collect();
        let head: Vec<String> = head.iter().map(ToString::to_string).collect();
        for row in std::iter::once(&head).chain(rows) {
            let cells: Vec<String> = row
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{cell:width$}"))
                .collect();
            self.line(cells.join("  ").trim_end())?;
        }
        Ok(())
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.gone {
            return Ok(bytes.len());
        }
        match self.out.write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.gone = true;
                Ok(bytes.len())
            }
            result => result,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.out.flush() {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.gone = true;
                Ok(())
            }
            _ if self.gone => Ok(()),
            result => result,
        }
    }
}

/// One line on stderr, beside what goes to stdout.
pub(crate) fn note(text: impl AsRef<str>) {
    // Nobody is left to tell when stderr is gone.
    let _ = writeln!(io::stderr().lock(), "postrider: {}", text.as_ref());
}
