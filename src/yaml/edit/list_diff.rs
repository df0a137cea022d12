//! Diffs two lists: which old item stays, changes or is removed, and which item is inserted. Comparing items is left to
//! `list_match`, writing to `block` and `flow`.

use std::collections::HashMap;

/// One step of the way from the old items to the new ones; old and new indexes rise along the steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Old item stays and equals the new one.
    Keep(usize, usize),
    /// Old item becomes the new one, edited inside.
    Change(usize, usize),
    /// Old item goes.
    Remove(usize),
    /// New item comes.
    Insert(usize),
}

/// Largest product of lengths for which all pairs are compared.
const ALL_PAIRS: usize = 1024;

/// What the diff asks about two lists.
pub(super) trait Lists {
    /// Why a comparison can fail.
    type Error;
    /// Lengths, old and new.
    fn lengths(&self) -> (usize, usize);
    /// Whether an old item equals a new one.
    fn equal(&self, old: usize, new: usize) -> Result<bool, Self::Error>;
    /// Bytes of an old item: of two ways to keep equal items the one that keeps more bytes is taken.
    fn weight(&self, old: usize) -> usize;
    /// What an old item is called among its neighbours (`name`), if it is called anything.
    ///
    /// `scalars`: a scalar is called what it says, because the lists are too long to compare all pairs.
    fn old_name(&self, old: usize, scalars: bool) -> Option<String>;
    /// What a new item is called.
    fn new_name(&self, new: usize, scalars: bool) -> Option<String>;
    /// Whether two items without names may be one item that changed.
    fn alike(&self, old: usize, new: usize) -> bool;
}

/// Aligns two lists: common ends first, then equal items, then items of one name, then items alike at the same place.
/// Time is linear in the number of items but for `ALL_PAIRS` comparisons and one sort.
pub(super) fn diff<L: Lists>(lists: &L) -> Result<Vec<Step>, L::Error> {
    let (old, new) = lists.lengths();
    let mut head = 0;
    while head < old && head < new && lists.equal(head, head)? {
        head += 1;
    }
    let mut tail = 0;
    while tail < old - head && tail < new - head && lists.equal(old - tail - 1, new - tail - 1)? {
        tail += 1;
    }
    let mut steps: Vec<Step> = (0..head).map(|at| Step::Keep(at, at)).collect();
    let (old_end, new_end) = (old - tail, new - tail);
    let (olds, news) = (old_end - head, new_end - head);
    if olds > 0 && news > 0 {
        let pairs = if olds * news <= ALL_PAIRS {
            equal_pairs(lists, (head, old_end), (head, new_end))?
        } else {
            Vec::new()
        };
        // Each gap between equal pairs is aligned by name.
        let (mut i, mut j) = (head, head);
        for (old_at, new_at) in pairs {
            gap(lists, (i, old_at), (j, new_at), &mut steps)?;
            steps.push(Step::Keep(old_at, new_at));
            (i, j) = (old_at + 1, new_at + 1);
        }
        gap(lists, (i, old_end), (j, new_end), &mut steps)?;
    } else {
        steps.extend((head..old_end).map(Step::Remove));
        steps.extend((head..new_end).map(Step::Insert));
    }
    steps.extend((0..tail).map(|at| Step::Keep(old_end + at, new_end + at)));
    Ok(steps)
}

/// A heaviest common subsequence.
fn equal_pairs<L: Lists>(
    lists: &L,
    old: (usize, usize),
    new: (usize, usize),
) -> Result<Vec<(usize, usize)>, L::Error> {
    let (olds, news) = (old.1 - old.0, new.1 - new.0);
    let width = news + 1;
    let mut equal = vec![false; olds * news];
    let mut any = false;
    for i in 0..olds {
        for j in 0..news {
            equal[i * news + j] = lists.equal(old.0 + i, new.0 + j)?;
            any |= equal[i * news + j];
        }
    }
    if !any {
        return Ok(Vec::new());
    }
    let mut heaviest = vec![0usize; (olds + 1) * width];
    for i in (0..olds).rev() {
        for j in (0..news).rev() {
            let apart = heaviest[(i + 1) * width + j].max(heaviest[i * width + j + 1]);
            let together = heaviest[(i + 1) * width + j + 1] + 1 + lists.weight(old.0 + i);
            heaviest[i * width + j] = if equal[i * news + j] { apart.max(together) } else { apart };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut pairs = Vec::new();
    while i < olds && j < news {
        let together = heaviest[(i + 1) * width + j + 1] + 1 + lists.weight(old.0 + i);
        if equal[i * news + j] && heaviest[i * width + j] == together {
            pairs.push((old.0 + i, new.0 + j));
            (i, j) = (i + 1, j + 1);
        } else if heaviest[(i + 1) * width + j] >= heaviest[i * width + j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    Ok(pairs)
}

/// Aligns what stands between two equal pairs.
fn gap<L: Lists>(
    lists: &L,
    old: (usize, usize),
    new: (usize, usize),
    steps: &mut Vec<Step>,
) -> Result<(), L::Error> {
    if old.0 == old.1 || new.0 == new.1 {
        steps.extend((old.0..old.1).map(Step::Remove));
        steps.extend((new.0..new.1).map(Step::Insert));
        return Ok(());
    }
    let many = (old.1 - old.0) * (new.1 - new.0) > ALL_PAIRS;
    let old_names: Vec<_> = (old.0..old.1).map(|at| lists.old_name(at, many)).collect();
    let new_names: Vec<_> = (new.0..new.1).map(|at| lists.new_name(at, many)).collect();
    let mut places: HashMap<&str, Option<usize>> = HashMap::new();
    for (at, name) in old_names.iter().enumerate() {
        if let Some(name) = name {
            // A name that occurs twice names nothing.
            places.entry(name).and_modify(|place| *place = None).or_insert(Some(at));
        }
    }
    let mut taken: HashMap<&str, usize> = HashMap::new();
    for name in new_names.iter().flatten() {
        *taken.entry(name).or_insert(0) += 1;
    }
    let candidates: Vec<(usize, usize)> = new_names
        .iter()
        .enumerate()
        .filter_map(|(at, name)| {
            let name = name.as_deref()?;
            let place = (*places.get(name)?)?;
            (taken.get(name) == Some(&1)).then_some((place, at))
        })
        .collect();
    let (mut i, mut j) = (0, 0);
    for (old_at, new_at) in rising(&candidates) {
        rest(lists, old.0, new.0, (i, old_at), (j, new_at), &old_names, &new_names, steps);
        let (here, there) = (old.0 + old_at, new.0 + new_at);
        steps.push(if lists.equal(here, there)? {
            Step::Keep(here, there)
        } else {
            Step::Change(here, there)
        });
        (i, j) = (old_at + 1, new_at + 1);
    }
    rest(lists, old.0, new.0, (i, old_names.len()), (j, new_names.len()), &old_names, &new_names, steps);
    Ok(())
}

/// Items that nothing pairs: from the front, those alike that are called the same (or nothing) are changed in place;
/// others go and come.
#[allow(clippy::too_many_arguments)]
fn rest<L: Lists>(
    lists: &L,
    old_base: usize,
    new_base: usize,
    old: (usize, usize),
    new: (usize, usize),
    old_names: &[Option<String>],
    new_names: &[Option<String>],
    steps: &mut Vec<Step>,
) {
    let count = (old.1 - old.0).min(new.1 - new.0);
    let in_place = (0..count)
        .take_while(|at| {
            old_names[old.0 + at] == new_names[new.0 + at]
                && lists.alike(old_base + old.0 + at, new_base + new.0 + at)
        })
        .count();
    steps.extend((0..in_place).map(|at| Step::Change(old_base + old.0 + at, new_base + new.0 + at)));
    steps.extend((old.0 + in_place..old.1).map(|at| Step::Remove(old_base + at)));
    steps.extend((new.0 + in_place..new.1).map(|at| Step::Insert(new_base + at)));
}

/// The heaviest run of pairs whose old places rise (new places rise already).
fn rising(pairs: &[(usize, usize)]) -> Vec<(usize, usize)> {
    // `ends[k]` is the pair that ends the run of k+1 pairs with the lowest old place.
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = vec![None; pairs.len()];
    for (at, pair) in pairs.iter().enumerate() {
        let place = ends.partition_point(|end| pairs[*end].0 < pair.0);
        before[at] = place.checked_sub(1).map(|previous| ends[previous]);
        if place == ends.len() {
            ends.push(at);
        } else {
            ends[place] = at;
        }
    }
    let mut run = Vec::new();
    let mut next = ends.last().copied();
    while let Some(at) = next {
        run.push(pairs[at]);
        next = before[at];
    }
    run.reverse();
    run
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Items are `name=content`, or nameless `content`.
    struct Words(Vec<&'static str>, Vec<&'static str>);

    impl Lists for Words {
        type Error = std::convert::Infallible;
        fn lengths(&self) -> (usize, usize) {
            (self.0.len(), self.1.len())
        }
        fn equal(&self, old: usize, new: usize) -> Result<bool, Self::Error> {
            Ok(self.0[old] == self.1[new])
        }
        fn weight(&self, _: usize) -> usize {
            1
        }
        fn old_name(&self, old: usize, _: bool) -> Option<String> {
            self.0[old].split_once('=').map(|(name, _)| name.to_owned())
        }
        fn new_name(&self, new: usize, _: bool) -> Option<String> {
            self.1[new].split_once('=').map(|(name, _)| name.to_owned())
        }
        fn alike(&self, _: usize, _: usize) -> bool {
            true
        }
    }

    fn steps(old: &[&'static str], new: &[&'static str]) -> Vec<Step> {
        match diff(&Words(old.to_vec(), new.to_vec())) {
            Ok(steps) => steps,
            Err(never) => match never {},
        }
    }

    use Step::{Change, Insert, Keep, Remove};

    #[test]
    fn items_are_appended_inserted_and_removed_without_touching_others() {
        assert_eq!(steps(&["a", "b"], &["a", "b", "c"]), [Keep(0, 0), Keep(1, 1), Insert(2)]);
        assert_eq!(steps(&["a", "b"], &["x", "a", "b"]), [Insert(0), Keep(0, 1), Keep(1, 2)]);
        assert_eq!(steps(&["a", "b", "c"], &["a", "c"]), [Keep(0, 0), Remove(1), Keep(2, 1)]);
        assert_eq!(steps(&[], &["a"]), [Insert(0)]);
        assert_eq!(steps(&["a"], &[]), [Remove(0)]);
    }

    #[test]
    fn an_item_that_kept_its_name_is_changed_in_place_even_when_others_come_and_go() {
        assert_eq!(
            steps(&["a=1", "b=1", "c=1"], &["b=2", "x=1", "c=2"]),
            [Remove(0), Change(1, 0), Insert(1), Change(2, 2)]
        );
    }

    #[test]
    fn items_that_change_places_are_not_paired_across() {
        assert_eq!(steps(&["a=1", "b=1"], &["b=2", "a=2"]), [Insert(0), Change(0, 1), Remove(1)]);
    }

    #[test]
    fn a_name_that_occurs_twice_counts_only_at_its_place() {
        assert_eq!(steps(&["a=1", "a=2"], &["a=3"]), [Change(0, 0), Remove(1)]);
        assert_eq!(steps(&["a=1", "a=2"], &["b=3", "a=4"]), [Remove(0), Remove(1), Insert(0), Insert(1)]);
    }

    #[test]
    fn nameless_items_change_in_place() {
        assert_eq!(steps(&["1", "2"], &["1", "3"]), [Keep(0, 0), Change(1, 1)]);
        assert_eq!(steps(&["1"], &["2", "3"]), [Change(0, 0), Insert(1)]);
    }

    /// 20,000 items with every tenth changed: all pairs would be 400 million comparisons.
    #[test]
    fn long_lists_are_aligned_by_name_in_linear_time() {
        struct Numbers(usize);
        impl Lists for Numbers {
            type Error = std::convert::Infallible;
            fn lengths(&self) -> (usize, usize) {
                (self.0, self.0)
            }
            fn equal(&self, old: usize, new: usize) -> Result<bool, Self::Error> {
                Ok(old == new && old % 10 != 5)
            }
            fn weight(&self, _: usize) -> usize {
                1
            }
            fn old_name(&self, old: usize, _: bool) -> Option<String> {
                Some(old.to_string())
            }
            fn new_name(&self, new: usize, _: bool) -> Option<String> {
                Some(new.to_string())
            }
            fn alike(&self, _: usize, _: usize) -> bool {
                false
            }
        }
        let Ok(steps) = diff(&Numbers(20_000));
        assert_eq!(steps.len(), 20_000);
        assert_eq!(steps.iter().filter(|step| matches!(step, Change(old, new) if old == new)).count(), 2_000);
    }
}
