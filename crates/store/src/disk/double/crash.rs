//! What is left of a disk when its machine, or the program that used it, has come to an end.

use std::sync::Arc;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::file::{Chance, MemoryFile};
use super::{MemoryDisk, State};

impl MemoryDisk {
    /// The power fails: what was not synced is gone.
    pub fn cut_power(&self) {
        let mut state = self.state();
        let State { names, rng, .. } = &mut *state;
        names.now = names.durable.clone();
        names.pending.clear();
        for file in names.now.values() {
            let mut content = file.content();
            *content = content.after_power_cut(Chance::Nothing, rng);
        }
    }

    /// Another disk with what a power cut would leave of this one: of what was not synced nothing,
    /// all, or whatever chance picks, each block of a write for itself.
    #[must_use]
    pub fn after_power_cut(&self) -> Self {
        let mut state = self.state();
        let State { names, rng, .. } = &mut *state;
        let chance = match rng.random_range(0..4) {
            0 => Chance::Nothing,
            1 => Chance::Whole,
            _ => Chance::Torn,
        };
        let mut left = names.durable.clone();
        for change in &names.pending {
            let happened = match chance {
                Chance::Whole => true,
                Chance::Nothing => false,
                Chance::Torn => rng.random(),
            };
            if happened {
                change.make(&mut left);
            }
        }
        let after = Self::seeded(rng.random());
        for (name, file) in left {
            let content = file.content().after_power_cut(chance, rng);
            let file = Arc::new(MemoryFile::with(content));
            after.state().names.put(&name, file);
        }
        after
    }

    /// Another disk with the same content, as the next program finds it: what was not synced is
    /// there, and a power cut may still take it.
    #[must_use]
    pub fn copied(&self) -> Self {
        let (copy, mut state) = (Self::default(), self.state());
        let State { names, rng, .. } = &mut *state;
        let rng = SmallRng::from_rng(rng);
        // A file has one copy, under whatever names it is known.
        let mut copies: Vec<(Arc<MemoryFile>, Arc<MemoryFile>)> = Vec::new();
        let mut copy_of = |file: &Arc<MemoryFile>| {
            if let Some((_, copied)) = copies.iter().find(|(known, _)| Arc::ptr_eq(known, file)) {
                return Arc::clone(copied);
            }
            let content = file.content().clone();
            let copied = Arc::new(MemoryFile::with(content));
            copies.push((Arc::clone(file), Arc::clone(&copied)));
            copied
        };
        let mut made = super::Names::default();
        for (name, file) in &names.now {
            made.now.insert(name.clone(), copy_of(file));
        }
        for (name, file) in &names.durable {
            made.durable.insert(name.clone(), copy_of(file));
        }
        for change in &names.pending {
            made.pending.push(change.map(&mut copy_of));
        }
        {
            let mut copied = copy.state();
            copied.names = made;
            copied.free = state.free;
            copied.rng = rng;
        }
        drop(state);
        copy
    }
}
