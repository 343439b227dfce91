//! SPDX expressions as cargo writes them: `OR`, `AND`, `WITH`, brackets, and the old slash for OR.

/// True when somebody who accepts only what `allowed` says may take the code.
///
/// An expression that cannot be read is not acceptable.
pub(super) fn acceptable(expression: &str, allowed: &dyn Fn(&str) -> bool) -> bool {
    let tokens = tokens(expression);
    let mut reader = Reader {
        tokens: &tokens,
        allowed,
    };
    let verdict = reader.any_of();
    verdict == Some(true) && reader.tokens.is_empty()
}

fn tokens(expression: &str) -> Vec<String> {
    let spaced = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    spaced.split_whitespace().map(str::to_owned).collect()
}

struct Reader<'a> {
    tokens: &'a [String],
    allowed: &'a dyn Fn(&str) -> bool,
}

impl Reader<'_> {
    /// `a OR b`: AND binds more tightly.
    fn any_of(&mut self) -> Option<bool> {
        let mut verdict = self.all_of()?;
        while self.take("OR") {
            verdict |= self.all_of()?;
        }
        Some(verdict)
    }

    fn all_of(&mut self) -> Option<bool> {
        let mut verdict = self.one()?;
        while self.take("AND") {
            verdict &= self.one()?;
        }
        Some(verdict)
    }

    fn one(&mut self) -> Option<bool> {
        if self.take("(") {
            let verdict = self.any_of()?;
            return self.take(")").then_some(verdict);
        }
        let mut name = self.pop()?;
        if self.take("WITH") {
            name = format!("{name} WITH {}", self.pop()?);
        }
        Some((self.allowed)(&name))
    }

    fn take(&mut self, wanted: &str) -> bool {
        let found = self.tokens.first().is_some_and(|token| token == wanted);
        if found {
            self.tokens = &self.tokens[1..];
        }
        found
    }

    fn pop(&mut self) -> Option<String> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(first.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(expression: &str, wanted: bool) {
        let allowed = |name: &str| ["MIT", "Apache-2.0 WITH LLVM-exception", "ISC"].contains(&name);
        assert_eq!(acceptable(expression, &allowed), wanted, "{expression}");
    }

    #[test]
    fn expressions() {
        check("MIT", true);
        check("GPL-3.0-only", false);
        check("GPL-3.0-only OR MIT", true);
        check("GPL-3.0-only/MIT", true);
        check("GPL-3.0-only AND MIT", false);
        check("MIT AND ISC", true);
        check("(GPL-3.0-only OR MIT) AND ISC", true);
        check("(GPL-3.0-only AND MIT) OR ISC", true);
        check("MIT AND (GPL-3.0-only OR AGPL-3.0-only)", false);
        check("Apache-2.0 WITH LLVM-exception OR X", true);
        check("Apache-2.0", false);
        check("", false);
        check("MIT OR", false);
        check("(MIT", false);
        check("MIT MIT", false);
    }
}
