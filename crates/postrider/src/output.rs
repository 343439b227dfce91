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
        let mut table = Table::new(head);
        table.rows(rows, self)?;
        if rows.is_empty() {
            table.head(self)?;
        }
        Ok(())
    }
}

/// A table that is printed as its rows come: a column becomes wider when it has to.
#[derive(Debug)]
pub(crate) struct Table {
    head: Vec<String>,
    widths: Vec<usize>,
    begun: bool,
}

impl Table {
    /// Nothing is printed yet.
    pub(crate) fn new(head: &[&str]) -> Self {
        Self {
            head: head.iter().map(ToString::to_string).collect(),
            widths: head.iter().map(|cell| cell.chars().count()).collect(),
            begun: false,
        }
    }

    /// Prints some rows; before the first ones the head.
    pub(crate) fn rows(&mut self, rows: &[Vec<String>], out: &mut Output) -> io::Result<()> {
        for row in rows {
            for (width, cell) in self.widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        if !rows.is_empty() {
            self.head(out)?;
        }
        rows.iter().try_for_each(|row| self.line(row, out))
    }

    fn head(&mut self, out: &mut Output) -> io::Result<()> {
        if std::mem::replace(&mut self.begun, true) {
            return Ok(());
        }
        self.line(&self.head, out)
    }

    fn line(&self, row: &[String], out: &mut Output) -> io::Result<()> {
        let cells: Vec<String> = row
            .iter()
            .zip(&self.widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        out.line(cells.join("  ").trim_end())
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
