//! Values that must not be shown.

use std::fmt;

use zeroize::Zeroize;

/// A password or key. Its `Debug` prints `***`; `expose` is the one way to the value. Its memory is
/// overwritten when it goes: what is freed may turn up in another buffer, or in an image of it all.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Wraps a value.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself. Whoever calls this answers for where it goes.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use super::*;

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Secret::new("hunter2".to_owned())), "***");
    }

    #[test]
    fn it_is_overwritten_when_it_goes() {
        struct Watched(Rc<Cell<bool>>);
        impl Zeroize for Watched {
            fn zeroize(&mut self) {
                self.0.set(true);
            }
        }
        let overwritten = Rc::new(Cell::new(false));
        let secret = Secret::new(Watched(Rc::clone(&overwritten)));
        assert!(!overwritten.get());
        drop(secret);
        assert!(overwritten.get());
    }
}
