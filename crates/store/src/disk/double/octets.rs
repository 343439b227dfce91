//! What a file holds.

/// Octets, and room behind them that reads as zeros.
#[derive(Clone, Default)]
pub(super) struct Octets {
    written: Vec<u8>,
    /// At least as long as what was written.
    len: usize,
}

impl Octets {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn put(&mut self, offset: usize, bytes: &[u8]) {
        let end = offset + bytes.len();
        if self.written.len() < end {
            self.written.resize(end, 0);
        }
        self.written[offset..end].copy_from_slice(bytes);
        self.reserve(end);
    }

    pub(super) fn reserve(&mut self, len: usize) {
        self.len = self.len.max(len);
    }

    pub(super) fn cut(&mut self, len: usize) {
        self.written.truncate(len);
        self.len = self.len.min(len);
    }

    /// Fills `bytes` from an offset; false when the file ends before.
    pub(super) fn get(&self, bytes: &mut [u8], offset: usize) -> bool {
        if offset + bytes.len() > self.len {
            return false;
        }
        let from = offset.min(self.written.len());
        let till = (offset + bytes.len()).min(self.written.len());
        let (there, room) = bytes.split_at_mut(till - from);
        there.copy_from_slice(&self.written[from..till]);
        room.fill(0);
        true
    }

    pub(super) fn flip_bit(&mut self, offset: usize) {
        if let Some(octet) = self.written.get_mut(offset) {
            *octet ^= 1;
        }
    }
}
