//! The faults of a list: the first ones with their messages, the others as a number.

/// The number of faults with a message. A list from a broken program can have millions.
pub(super) const SHOWN_MAX: usize = 100;

/// Faults, each with its line.
#[derive(Debug, Default)]
pub(super) struct ListFaults {
    shown: Vec<(u64, String)>,
    more: usize,
}

impl ListFaults {
    /// Adds a fault in `line`; 0 means the list as a whole.
    pub(super) fn add(&mut self, line: u64, message: impl FnOnce() -> String) {
        if self.room() > 0 {
            self.shown.push((line, message()));
        } else {
            self.more += 1;
        }
    }

    /// Counts faults without a message.
    pub(super) fn add_unshown(&mut self, count: usize) {
        self.more += count;
    }

    /// Returns how many more faults get a message.
    pub(super) fn room(&self) -> usize {
        SHOWN_MAX.saturating_sub(self.shown.len())
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.shown.is_empty()
    }

    /// Returns the messages in the order of the list.
    pub(super) fn message(mut self) -> String {
        self.shown.sort_by_key(|(line, _)| *line);
        let mut lines: Vec<String> = self.shown.into_iter().map(|(_, message)| message).collect();
        if self.more > 0 {
            lines.push(format!("and {} more faults; only {SHOWN_MAX} are shown", self.more));
        }
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_faults_are_shown_in_order_and_the_rest_counted() {
        let mut faults = ListFaults::default();
        assert!(faults.is_empty());
        faults.add(2, || "second".to_owned());
        faults.add(1, || "first".to_owned());
        faults.add(2, || "third".to_owned());
        assert_eq!(faults.message(), "first\nsecond\nthird");
        let mut faults = ListFaults::default();
        for line in 0..150 {
            faults.add(line, || line.to_string());
        }
        assert_eq!(faults.room(), 0);
        faults.add_unshown(7);
        let message = faults.message();
        assert_eq!(message.lines().count(), SHOWN_MAX + 1);
        assert!(message.ends_with("\n99\nand 57 more faults; only 100 are shown"), "{message}");
    }
}
