//! Where a wanted value may differ from its node: paths in; for each step down, what lies below out. What lies outside of
//! all paths is neither compared nor changed by `walk`, and proven by its bytes in `oracle`.

use super::Place;

/// Paths as far as they have been followed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Guide<'e> {
    paths: &'e [Vec<Place<'static>>],
    /// Those that led here, one bit for each.
    active: u64,
    /// Steps followed.
    depth: usize,
}

/// What one more step leads to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Below<'e> {
    /// No path leads there: it is as it was.
    Same,
    /// Paths lead further down.
    Part(Guide<'e>),
    /// A path ends there: anything may differ.
    Any,
}

impl<'e> Guide<'e> {
    /// None where there are too many paths to follow at once; then anything may differ.
    pub(super) fn new(paths: &'e [Vec<Place<'static>>]) -> Option<Guide<'e>> {
        if paths.len() > 64 || paths.iter().any(Vec::is_empty) {
            return None;
        }
        Some(Guide { paths, active: u64::MAX, depth: 0 })
    }

    /// One step down.
    pub(super) fn below(self, step: Place<'_>) -> Below<'e> {
        let mut active = 0;
        for (at, path) in self.paths.iter().enumerate() {
            if self.active & (1 << at) == 0 || path.get(self.depth) != Some(&step) {
                continue;
            }
            if path.len() == self.depth + 1 {
                return Below::Any;
            }
            active |= 1 << at;
        }
        match active {
            0 => Below::Same,
            active => Below::Part(Guide { active, depth: self.depth + 1, ..self }),
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
        let guide = Guide::new(&paths).unwrap();
        assert!(matches!(guide.below(key("x")), Below::Same));
        assert!(matches!(guide.below(key("b")), Below::Same), "depth counts");
        assert!(matches!(guide.below(key("d")), Below::Any));
        let Below::Part(below) = guide.below(key("a")) else { panic!("two paths lead below a") };
        assert!(matches!(below.below(key("b")), Below::Any));
        assert!(matches!(below.below(Place::Index(0)), Below::Same));
        let Below::Part(item) = below.below(Place::Index(1)) else { panic!("a path leads below a[1]") };
        assert!(matches!(item.below(key("c")), Below::Any));
        assert!(matches!(item.below(key("b")), Below::Same), "of another path");
    }

    #[test]
    fn nothing_is_skipped_where_paths_cannot_be_followed() {
        assert!(Guide::new(&[Vec::new()]).is_none());
        assert!(Guide::new(&vec![vec![Place::Index(0)]; 65]).is_none());
        assert!(matches!(Guide::new(&[]).unwrap().below(Place::Index(0)), Below::Same));
    }
}
