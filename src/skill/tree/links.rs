//! Links of a tree, followed as a kernel follows them: a path in, where it ends out; and the part of a tree that a mount shows which
//! is given a path of it.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::{Content, File, Tree};
use crate::skill::{InputError, path, refused, within};

/// More links on the way of one path than this, and a kernel gives up.
const HOPS: usize = 40;

/// What stands at a path.
pub(super) enum Seen<'t> {
    Folder,
    File,
    Link(&'t str),
}

/// Where a path ends when each link on its way is followed. `seen`: what is at a path that has no links on its way; `link` is given
/// the path of each link.
///
/// # Errors
/// It ends nowhere: in words that go after "which".
pub(super) fn follow<'t>(
    path: &'t str,
    seen: &dyn Fn(&str) -> Option<Seen<'t>>,
    link: &mut dyn FnMut(String),
) -> Result<String, Cow<'static, str>> {
    let mut at: Vec<&str> = Vec::new();
    let mut todo: Vec<&str> = path.rsplit('/').collect();
    let mut hops = 0;
    while let Some(part) = todo.pop() {
        match part {
            "" | "." => continue,
            ".." => {
                at.pop().ok_or("leads out of the image")?;
                continue;
            }
            _ => at.push(part),
        }
        let here = at.join("/");
        match seen(&here).ok_or("does not exist")? {
            Seen::Link(target) if target.starts_with('/') => {
                return Err("leads out of the image: it is absolute".into());
            }
            Seen::Link(target) => {
                hops += 1;
                if hops > HOPS {
                    return Err(format!("leads in a circle, or over more than {HOPS} links").into());
                }
                link(here);
                at.pop();
                todo.extend(target.rsplit('/'));
            }
            Seen::File if todo.iter().any(|part| !matches!(*part, "" | ".")) => {
                return Err("goes through a file".into());
            }
            Seen::File | Seen::Folder => {}
        }
    }
    Ok(at.join("/"))
}

impl Tree {
    /// What a mount with this subPath needs of the tree: what the path leads to, at its place, and the links on the way. The path is
    /// one of [`path::normal`].
    ///
    /// # Errors
    /// Nothing is there; or a link in it leads out of it, which in the mount would lead elsewhere.
    pub fn at_sub_path(mut self, wanted: &str) -> Result<Self, InputError> {
        let mut on_the_way = BTreeSet::new();
        let end = follow(wanted, &|path| self.seen(path), &mut |link| {
            on_the_way.insert(link);
        });
        let end = end.map_err(|_| {
            let help = "'kubectl skills inspect -o tree' lists what is in the image";
            refused(format!("nothing is at or below {wanted}"), help)
        })?;
        let shown = Tree {
            files: self
                .below(&end)
                .map(|(path, file)| File { path: path.to_owned(), ..file.clone() })
                .collect(),
        };
        for file in &shown.files {
            if let Content::Link(target) = &file.content
                && let Err(_) = follow(&file.path, &|path| shown.seen(path), &mut |_| {})
            {
                let message =
                    format!("a symbolic link to {target:?}, which leads out of what is at {wanted}");
                let help = "take the whole image, or put the file itself there";
                return Err(within(
                    format!("entry {:?}", path::join(&end, &file.path)),
                    refused(message, help),
                ));
            }
        }
        self.files.retain(|file| {
            file.path == end || path::below(&file.path, &end).is_some() || on_the_way.contains(&file.path)
        });
        Ok(self)
    }

    fn seen(&self, path: &str) -> Option<Seen<'_>> {
        match self.file(path) {
            Some(File { content: Content::Link(target), .. }) => Some(Seen::Link(target)),
            Some(_) => Some(Seen::File),
            None => {
                let folder = format!("{path}/");
                let at = self.files.partition_point(|file| file.path < folder);
                self.files.get(at).filter(|file| file.path.starts_with(&folder)).map(|_| Seen::Folder)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::skill::facts::Reading;
    use crate::skill::limits::Limits;

    /// `path` a file, `path>target` a link.
    fn tree(entries: &[&str]) -> Tree {
        let limits = Limits::default();
        let mut files: Vec<File> = entries
            .iter()
            .map(|entry| {
                let (path, content) = match entry.split_once('>') {
                    Some((path, target)) => (path, Content::Link(target.into())),
                    None => {
                        let reading = Reading { size: 1, executable: false, limits: &limits };
                        let facts = reading.facts(&mut &b"x"[..], entry, &mut Default::default());
                        (*entry, Content::File(facts.expect("memory")))
                    }
                };
                File { path: path.into(), content, closed: false }
            })
            .collect();
        files.sort_by(|one, other| one.path.cmp(&other.path));
        Tree { files }
    }

    /// A mount of `current` shows what the link leads to, and so has the folder to have both.
    #[test]
    fn links_on_the_way_are_kept_with_what_they_lead_to() {
        let image = tree(&[
            "SKILL.md",
            "alias>SKILL.md",
            "current>v/2",
            "here>.",
            "skills/now>../current",
            "v/1/a",
            "v/2/a",
            "v/2/b>a",
            "v/2/deep/c>../a",
            "v/20",
        ]);
        let two = ["v/2/a", "v/2/b", "v/2/deep/c"];
        let part = |wanted: &str| {
            let part = image.clone().at_sub_path(wanted).map_err(|error| error.message)?;
            Ok(part.files.into_iter().map(|file| file.path).collect::<Vec<_>>())
        };
        let with =
            |more: &[&str], rest: &[&str]| Ok([more, rest].concat().into_iter().map(str::to_owned).collect());
        assert_eq!(part("v/2"), with(&[], &two));
        assert_eq!(part("current"), with(&["current"], &two));
        assert_eq!(part("skills/now"), with(&["current", "skills/now"], &two));
        assert_eq!(part("current/a"), with(&["current"], &["v/2/a"]));
        assert_eq!(part("alias"), with(&["SKILL.md", "alias"], &[]));
        assert_eq!(part("here").map(|files: Vec<String>| files.len()), Ok(10));
        for wanted in ["curr", "v/3", "SKILL.md/x", "current/deep/x"] {
            assert_eq!(part(wanted), Err(format!("nothing is at or below {wanted}")));
        }
    }

    /// In the mount it would lead to a file of the container, or nowhere.
    #[test]
    fn a_link_that_leads_out_of_the_part_is_refused() {
        for entry in ["v/1/x>../../SKILL.md", "v/1/x>../1/a", "v/1/x>../../current/a"] {
            let image = tree(&["SKILL.md", "current>v/1", "v/1/a", entry]);
            for wanted in ["v/1", "current"] {
                let refused = image.clone().at_sub_path(wanted).expect_err(entry);
                let target = &entry[6..];
                let message =
                    format!("a symbolic link to {target:?}, which leads out of what is at {wanted}");
                let help = "(take the whole image, or put the file itself there)";
                assert_eq!(refused.to_string(), format!("entry \"v/1/x\": {message} {help}"));
            }
            assert!(image.at_sub_path("v/1/a").is_ok(), "what is not shown does not matter");
        }
    }
}
