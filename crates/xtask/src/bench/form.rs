//! How a bench is to run: at full length or not, and with which build.

use crate::rigs::Build;

/// What the options say.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Form {
    /// Shorter, once: to see that it works.
    pub(super) quick: bool,
    /// Of Postrider.
    pub(super) build: Build,
}

impl Form {
    /// The short form with the build that is there already: what CI runs.
    pub(crate) const SHORTEST: Self = Self {
        quick: true,
        build: Build::Debug,
    };

    pub(super) fn parse(options: &[&str]) -> anyhow::Result<Self> {
        let mut form = Self {
            quick: false,
            build: Build::Dist,
        };
        for option in options {
            match *option {
                "--quick" => form.quick = true,
                "--release" => form.build = Build::Release,
                "--debug" => form.build = Build::Debug,
                other => anyhow::bail!("unknown option {other}; there are {KNOWN}"),
            }
        }
        Ok(form)
    }

    /// One of two, by the length of the run.
    pub(super) fn choose<T>(self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }
}

/// For people.
pub(super) const KNOWN: &str =
    "--quick (shorter), --release and --debug (that build instead of dist)";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_in_any_order() {
        let form = Form::parse(&["--release", "--quick"]).unwrap();
        assert!(form.quick);
        assert!(matches!(form.build, Build::Release));
        assert!(matches!(Form::parse(&[]).unwrap().build, Build::Dist));
        assert!(Form::parse(&["--slow"]).is_err());
    }
}
