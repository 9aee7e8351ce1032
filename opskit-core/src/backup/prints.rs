//! Facts by their digests, to tell whether a second look sees what the first one saw.

use crate::catalog::facts::{Fact, Facts};
use std::sync::Arc;

/// One fact: its key, and a digest of all that it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Print {
    object: Arc<str>,
    catalog: Arc<str>,
    part: Option<Box<str>>,
    digest: [u8; 32],
}

impl Print {
    fn key(&self) -> (&str, &str, &str) {
        let part = self.part.as_deref().unwrap_or_default();
        (&self.object, &self.catalog, part)
    }
}

impl From<Fact> for Print {
    fn from(fact: Fact) -> Self {
        Self {
            digest: fact.digest(),
            object: fact.object,
            catalog: fact.catalog,
            part: fact.part,
        }
    }
}

/// The prints of the objects' facts, in order.
pub(super) fn prints(facts: Facts) -> Vec<Print> {
    facts.objects.into_iter().map(Print::from).collect()
}

/// The first object of `before` that is not the same in `after`. Both are in order.
pub(super) fn first_difference<'a>(before: &'a [Print], after: &[Print]) -> Option<&'a str> {
    let mut after = after.iter().peekable();
    let mut last = None;
    for print in before {
        while let Some(new) = after.next_if(|other| other.key() < print.key()) {
            // Something new of an object that was there.
            if [last, Some(&*print.object)].contains(&Some(&*new.object)) {
                return Some(
                    last.filter(|it| *it == &*new.object)
                        .unwrap_or(&print.object),
                );
            }
        }
        if after.next() != Some(print) {
            return Some(&print.object);
        }
        last = Some(&*print.object);
    }
    last.filter(|object| after.peek().is_some_and(|new| &*new.object == *object))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(object: &str, part: &str, value: &str) -> Print {
        Print::from(Fact {
            about: None,
            object: object.into(),
            catalog: "pg_attribute".into(),
            part: Some(part.into()),
            attributes: [("value".into(), value.into())].into_iter().collect(),
        })
    }

    #[test]
    fn what_was_there_must_be_the_same_and_new_objects_may_come() {
        let before = [
            print("b", "1", "x"),
            print("b", "2", "x"),
            print("d", "1", "x"),
        ];
        let and = |more: &[Print]| {
            let mut all = [&before, more].concat();
            all.sort_by(|a, b| a.key().cmp(&b.key()));
            all
        };
        assert_eq!(first_difference(&before, &before), None);
        let new = [
            print("a", "1", "x"),
            print("c", "1", "x"),
            print("e", "1", "x"),
        ];
        assert_eq!(first_difference(&before, &and(&new)), None);
        for (more, changed) in [("b", "b"), ("d", "d")] {
            for part in ["0", "3"] {
                let more = and(&[print(more, part, "x")]);
                assert_eq!(first_difference(&before, &more), Some(changed), "{part}");
            }
        }
        assert_eq!(first_difference(&before, &before[1..]), Some("b"));
        assert_eq!(first_difference(&before, &before[..2]), Some("d"));
        let other = [before[0].clone(), before[1].clone(), print("d", "1", "y")];
        assert_eq!(first_difference(&before, &other), Some("d"));
    }
}
