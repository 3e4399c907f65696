//! Since when something is as it is: the moment of the first sign of it.

/// A beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Since {
    /// Unix seconds.
    pub at: i64,
    /// It began then. Else it was so then, and may have been before.
    pub exact: bool,
}

/// Signs this near to each other have no room for anything between them, seconds: a beginning
/// that lies between them is known.
const NEAR_S: i64 = 60;

impl Since {
    /// It began then.
    pub fn exactly(at: i64) -> Since {
        Since { at, exact: true }
    }

    /// It was so then, and nobody knows for how long before.
    pub fn at_least(at: i64) -> Since {
        Since { at, exact: false }
    }

    /// It began between the last sign of what was `before` and its first one.
    pub fn signs(first: i64, before: Option<i64>) -> Since {
        let exact = before.is_some_and(|before| (0..=NEAR_S).contains(&(first - before)));
        Since { at: first, exact }
    }

    /// It began with what came while somebody listened, `from` then on; of what was heard later,
    /// as engines tell of the last hour, there may have been more before.
    pub fn heard(at: i64, from: Option<i64>) -> Since {
        let exact = from.is_some_and(|from| at >= from);
        Since { at, exact }
    }

    /// Of two first signs of the same thing, the first.
    pub fn first(a: Option<Since>, b: Option<Since>) -> Option<Since> {
        match (a, b) {
            (Some(a), Some(b)) => Some(if b.at < a.at { b } else { a }),
            (a, b) => a.or(b),
        }
    }

    /// Of the ends of two troubles, the last.
    pub fn last(a: Option<Since>, b: Option<Since>) -> Option<Since> {
        match (a, b) {
            (Some(a), Some(b)) => Some(if b.at > a.at { b } else { a }),
            (a, b) => a.or(b),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_began_between_two_near_signs_is_known() {
        for (first, before, exact) in [
            (100, None, false),
            (100, Some(90), true),
            (100, Some(100), true),
            // Nobody looked for an hour: it may have been so for all of it.
            (3_700, Some(100), false),
            // A sign from later is none of before.
            (100, Some(101), false),
        ] {
            assert_eq!(Since::signs(first, before), Since { at: first, exact });
        }
    }

    #[test]
    fn the_first_sign_of_a_trouble_and_the_last_end_of_one_count() {
        let (early, late) = (Since::at_least(10), Since::exactly(20));
        for (a, b, first, last) in [
            (Some(early), Some(late), Some(early), Some(late)),
            (Some(late), Some(early), Some(early), Some(late)),
            (None, Some(late), Some(late), Some(late)),
            (None, None, None, None),
        ] {
            assert_eq!((Since::first(a, b), Since::last(a, b)), (first, last));
        }
        assert_eq!(Since::heard(10, Some(10)), Since::exactly(10));
        assert_eq!(Since::heard(10, Some(11)), Since::at_least(10));
        assert_eq!(Since::heard(10, None), Since::at_least(10));
    }
}
