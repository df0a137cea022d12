//! Knows at which paths a wanted value may differ from its node. `walk` neither compares nor changes what lies outside
//! these paths, and `verify` proves it by its bytes.

use super::Place;

/// Paths, as far as they have been followed.
#[derive(Debug, Clone, Copy)]
pub(super) struct DirtyPaths<'e> {
    paths: &'e [Vec<Place<'static>>],
    /// Those that led here, one bit for each.
    active: u64,
    /// Steps followed.
    depth: usize,
}

/// What lies below one more step.
#[derive(Debug, Clone, Copy)]
pub(super) enum Dirty<'e> {
    /// No path leads there: it is unchanged.
    Clean,
    /// Paths lead further down.
    Partial(DirtyPaths<'e>),
    /// A path ends there: anything may differ.
    All,
}

impl<'e> DirtyPaths<'e> {
    /// `None` if there are too many paths to follow at once; then anything may differ.
    pub(super) fn new(paths: &'e [Vec<Place<'static>>]) -> Option<DirtyPaths<'e>> {
        if paths.len() > 64 || paths.iter().any(Vec::is_empty) {
            return None;
        }
        Some(DirtyPaths { paths, active: u64::MAX, depth: 0 })
    }

    /// One step down.
    pub(super) fn below(self, step: Place<'_>) -> Dirty<'e> {
        let mut active = 0;
        for (at, path) in self.paths.iter().enumerate() {
            if self.active & (1 << at) == 0 || path.get(self.depth) != Some(&step) {
                continue;
            }
            if path.len() == self.depth + 1 {
                return Dirty::All;
            }
            active |= 1 << at;
        }
        match active {
            0 => Dirty::Clean,
            active => Dirty::Partial(DirtyPaths { active, depth: self.depth + 1, ..self }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_leads_to_nothing_to_part_or_to_all() {
        let key = Place::Key;
        let paths = [vec![key("a"), key("b")], vec![key("a"), Place::Index(1), key("c")], vec![key("d")]];
        let dirty = DirtyPaths::new(&paths).unwrap();
        assert!(matches!(dirty.below(key("x")), Dirty::Clean));
        assert!(matches!(dirty.below(key("b")), Dirty::Clean), "depth counts");
        assert!(matches!(dirty.below(key("d")), Dirty::All));
        let Dirty::Partial(below) = dirty.below(key("a")) else { panic!("two paths lead below a") };
        assert!(matches!(below.below(key("b")), Dirty::All));
        assert!(matches!(below.below(Place::Index(0)), Dirty::Clean));
        let Dirty::Partial(item) = below.below(Place::Index(1)) else { panic!("a path leads below a[1]") };
        assert!(matches!(item.below(key("c")), Dirty::All));
        assert!(matches!(item.below(key("b")), Dirty::Clean), "of another path");
    }

    #[test]
    fn nothing_is_skipped_where_paths_cannot_be_followed() {
        assert!(DirtyPaths::new(&[Vec::new()]).is_none());
        assert!(DirtyPaths::new(&vec![vec![Place::Index(0)]; 65]).is_none());
        assert!(matches!(DirtyPaths::new(&[]).unwrap().below(Place::Index(0)), Dirty::Clean));
    }
}
