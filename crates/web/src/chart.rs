//! Charts where people would rather look than read: bars, drawn as inline SVG on the server.
//!
//! One bar shows what there is against what is wanted. Its words stand beside it as text, so that they can be read
//! on a phone and aloud; the drawing alone has a name for those who cannot see it. Own code on purpose: the crates for
//! charts bring fonts and a layout of their own for what is here three rectangles.

/// Units across the whole drawing; it is stretched to the room there is.
const ACROSS: i64 = 1000;

/// A bar with its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bar {
    /// What it is about.
    pub(crate) label: String,
    /// Where the label leads, if anywhere.
    pub(crate) href: String,
    /// The figures in words.
    pub(crate) figures: String,
    /// Length of what there is, up to what is wanted.
    pub(crate) have: i64,
    /// Length of what there is beyond what is wanted.
    pub(crate) over: i64,
    /// Length of what is wanted; zero when nothing is.
    pub(crate) want: i64,
}

impl Bar {
    /// `have` against `want`, both on a scale that ends at `most`. Below zero is nothing.
    pub(crate) fn new(label: &str, figures: String, have: i64, want: Option<i64>, most: i64) -> Bar {
        let most = most.max(1);
        let long = |amount: i64| amount.clamp(0, most).saturating_mul(ACROSS) / most;
        let (all, wanted) = (long(have), want.map_or(0, long));
        let (have, over) = match want {
            Some(_) => (all.min(wanted), (all - wanted).max(0)),
            None => (all, 0),
        };
        Bar {
            label: label.to_owned(),
            href: String::new(),
            figures,
            have,
            over,
            want: wanted,
        }
    }

    /// The same, with a label that leads somewhere.
    pub(crate) fn leading(self, href: String) -> Bar {
        Bar { href, ..self }
    }

    /// Where the part beyond begins.
    pub(crate) fn beyond(&self) -> i64 {
        self.have
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(have: i64, want: Option<i64>, most: i64) -> (i64, i64, i64) {
        let bar = Bar::new("总学分", String::new(), have, want, most);
        (bar.have, bar.over, bar.want)
    }

    #[test]
    fn lengths_are_in_proportion_and_never_leave_the_drawing() {
        assert_eq!(drawn(900, Some(3600), 3600), (250, 0, 1000));
        assert_eq!(drawn(700, Some(400), 700), (571, 429, 571));
        assert_eq!(drawn(5, None, 20), (250, 0, 0));
        assert_eq!(drawn(0, Some(0), 0), (0, 0, 0));
        assert_eq!(drawn(-3, Some(9), 9), (0, 0, 1000));
        assert_eq!(drawn(99, Some(5), 10), (500, 500, 500));
        assert_eq!(drawn(i64::MAX, Some(i64::MAX), i64::MAX).1, 0);
    }
}
