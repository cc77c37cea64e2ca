//! What was expected, and what came instead.

use std::fmt::Debug;

use super::story::{INDENT, WIDTH, side_by_side};

/// The expectations of one scene.
#[derive(Default)]
pub(super) struct Checks {
    met: Vec<String>,
    failed: Vec<String>,
}

impl Checks {
    /// Expects `got` to be `wanted`.
    pub fn equal<G, W>(&mut self, what: &str, got: &G, wanted: &W)
    where
        G: PartialEq<W> + Debug,
        W: Debug,
    {
        if got == wanted {
            self.met.push(what.to_owned());
        } else {
            self.failed.push(format!("{what}: expected {wanted:?}, got {got:?}"));
        }
    }

    /// How many failed.
    pub fn failed(&self) -> usize {
        self.failed.len()
    }

    /// The met ones side by side, each failed one on its own.
    pub fn lines(&self) -> Vec<String> {
        let met: Vec<_> = self.met.iter().map(|m| format!("✓ {m}")).collect();
        let mut lines = side_by_side(&met, "  ", WIDTH, INDENT);
        lines.extend(self.failed.iter().map(|f| format!("{:INDENT$}✗ {f}", "")));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_as_expected_is_counted_and_told_with_both_sides() {
        let mut checks = Checks::default();
        checks.equal("one call", &1, &1);
        checks.equal("two mails", &vec!["a".to_owned()], &["a", "b"]);
        assert_eq!(checks.failed(), 1);
        let lines = checks.lines();
        assert_eq!(lines, ["   ✓ one call", "   ✗ two mails: expected [\"a\", \"b\"], got [\"a\"]"]);
    }
}
