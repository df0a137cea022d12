//! The files that an agent sees: layers merged as a runtime merges them, the upper over the lower, with removals carried out
//! and links followed to their ends. Where runtimes would come to different trees, there is none.

mod links;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use self::links::Seen;
use super::facts::Facts;
use super::layer::{Entry, Kind};
use super::limits::{LINKS, Limits};
use super::{InputError, path, refused};

/// A tree in the making.
#[derive(Debug, Default)]
pub struct Merge {
    nodes: BTreeMap<String, Node>,
    /// The layer that is being applied, from 1.
    layer: u32,
    /// What it removes.
    removed: BTreeSet<String>,
    links: usize,
    /// Of the root, as of [`Entry`].
    closed: bool,
}

#[derive(Debug)]
struct Node {
    layer: u32,
    what: What,
    /// As of [`Entry`].
    closed: bool,
}

#[derive(Debug, Clone)]
enum What {
    Folder,
    File(Box<Facts>),
    Link(String),
}

/// The files of an image or folder, sorted by path.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Tree {
    /// The files and links.
    pub files: Vec<File>,
}

/// A file or link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Path below the root.
    pub path: String,
    /// What it is.
    pub content: Content,
    /// Whether an agent that runs neither as root nor as its owner cannot read it, by its mode or that of a folder above.
    pub closed: bool,
}

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A file.
    File(Facts),
    /// A symbolic link, with its target as it is written; it ends at a file or folder of the tree.
    Link(String),
}

/// What a file is, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Type {
    /// Text.
    Text,
    /// Anything else.
    Binary,
    /// A symbolic link.
    Link,
}

impl File {
    /// Bytes: of a link, those of its target's path.
    pub fn size(&self) -> u64 {
        match &self.content {
            Content::File(facts) => facts.size,
            Content::Link(target) => target.len() as u64,
        }
    }

    /// What it is.
    pub fn kind(&self) -> Type {
        match &self.content {
            Content::File(Facts { text: true, .. }) => Type::Text,
            Content::File(_) => Type::Binary,
            Content::Link(_) => Type::Link,
        }
    }
}

impl Merge {
    /// Begins the next layer.
    pub fn next_layer(&mut self) {
        self.layer += 1;
        self.removed.clear();
    }

    /// Applies an entry of the layer.
    ///
    /// # Errors
    /// Runtimes do not agree about what it does.
    pub fn apply(&mut self, entry: Entry) -> Result<(), InputError> {
        let Entry { path, kind, mut closed } = entry;
        let what = match kind {
            Kind::Opaque => {
                self.remove_below(&path);
                return Ok(());
            }
            Kind::Removed => return self.remove(path),
            Kind::Folder => What::Folder,
            Kind::File(facts) => What::File(facts),
            Kind::Link(target) => {
                self.links += 1;
                if self.links > LINKS {
                    return Err(refused(format!("more than {LINKS} symbolic links"), "split the image"));
                }
                What::Link(target)
            }
            Kind::HardLink(target) => match self.nodes.get(&target) {
                Some(Node { what: What::File(facts), closed: shared, .. }) => {
                    closed = *shared;
                    What::File(facts.clone())
                }
                _ => {
                    return Err(refused(
                        format!("a hard link to {target:?}, which is no file that came before it"),
                        "build the image again",
                    ));
                }
            },
        };
        self.put(path, what, closed)
    }

    fn put(&mut self, path: String, what: What, closed: bool) -> Result<(), InputError> {
        if path.is_empty() {
            self.closed = closed;
            return Ok(());
        }
        self.folders_above(&path)?;
        if self.removed.contains(&path) {
            return Err(both_removed());
        }
        let is_folder = matches!(what, What::Folder);
        match self.nodes.get(&path) {
            Some(Node { what: What::Folder, layer, .. }) if !is_folder => {
                if *layer == self.layer {
                    return Err(twice("a folder", "a file"));
                }
                self.remove_below(&path);
            }
            Some(Node { what: What::File(_) | What::Link(_), layer, .. }) if *layer == self.layer => {
                return Err(if is_folder { twice("a file", "a folder") } else { twice("a file", "a file") });
            }
            _ => {}
        }
        self.nodes.insert(path, Node { layer: self.layer, what, closed });
        Ok(())
    }

    /// Makes the folders that a path is in, where they lack.
    fn folders_above(&mut self, path: &str) -> Result<(), InputError> {
        for (at, _) in path.match_indices('/') {
            let folder = &path[..at];
            if self.removed.contains(folder) {
                return Err(both_removed());
            }
            match self.nodes.get_mut(folder) {
                Some(Node { what: What::Folder, layer, .. }) => {
                    *layer = self.layer;
                    continue;
                }
                Some(Node { what: What::Link(_), .. }) => {
                    return Err(refused(
                        format!("it is written through the symbolic link {folder:?}"),
                        "runtimes follow or replace it; build the image without it",
                    ));
                }
                Some(Node { what: What::File(_), layer, .. }) if *layer == self.layer => {
                    return Err(refused(
                        format!("it is in {folder:?}, which is a file"),
                        "build the image again",
                    ));
                }
                Some(_) | None => {}
            }
            self.nodes
                .insert(folder.to_owned(), Node { layer: self.layer, what: What::Folder, closed: false });
        }
        Ok(())
    }

    fn remove(&mut self, path: String) -> Result<(), InputError> {
        if self.nodes.get(&path).is_some_and(|node| node.layer == self.layer) {
            return Err(both_removed());
        }
        self.remove_below(&path);
        self.nodes.remove(&path);
        self.removed.insert(path);
        Ok(())
    }

    /// Removes what lower layers have in a folder.
    fn remove_below(&mut self, folder: &str) {
        // '0' comes right after '/'.
        let (from, to) = match folder {
            "" => (String::new(), "\u{10ffff}".to_owned()),
            folder => (format!("{folder}/"), format!("{folder}0")),
        };
        let layer = self.layer;
        let gone: Vec<String> = self
            .nodes
            .range(from..to)
            .filter(|(_, node)| node.layer < layer)
            .map(|(path, _)| path.clone())
            .collect();
        for path in gone {
            self.nodes.remove(&path);
        }
    }

    /// The tree, with every link followed to its end.
    ///
    /// # Errors
    /// A link leads out of the tree, nowhere, in a circle or over more links than a kernel follows.
    pub fn finish(self) -> Result<Tree, InputError> {
        for (path, node) in &self.nodes {
            if let What::Link(target) = &node.what {
                self.follow(path).map_err(|why| {
                    let message = format!("a symbolic link to {target:?}, which {why}");
                    let help =
                        "the agent would read another file, or none; put the file itself into the image";
                    super::within(format!("entry {path:?}"), refused(message, help))
                })?;
            }
        }
        let mut closed_folders = BTreeSet::new();
        let mut files = Vec::new();
        for (path, node) in self.nodes {
            let content = match node.what {
                What::Folder if node.closed => {
                    closed_folders.insert(path);
                    continue;
                }
                What::Folder => continue,
                What::File(facts) => Content::File(*facts),
                What::Link(target) => Content::Link(target),
            };
            let mut above = path.match_indices('/').filter_map(|(at, _)| path.get(..at));
            let closed = self.closed || node.closed || above.any(|folder| closed_folders.contains(folder));
            files.push(File { path, content, closed });
        }
        Ok(Tree { files })
    }

    /// Where a path ends when each link on its way is followed, as the kernel does.
    fn follow<'t>(&'t self, path: &'t str) -> Result<String, Cow<'static, str>> {
        let seen = |path: &str| {
            self.nodes.get(path).map(|node| match &node.what {
                What::Folder => Seen::Folder,
                What::File(_) => Seen::File,
                What::Link(target) => Seen::Link(target),
            })
        };
        links::follow(path, &seen, &mut |_| {})
    }
}

fn twice(first: &str, second: &str) -> InputError {
    refused(
        format!("twice in one layer, as {first} and as {second}"),
        "readers take the first or the last; build the image again",
    )
}

fn both_removed() -> InputError {
    refused("written and removed by one layer", "runtimes take the one or the other; build the image again")
}

impl Tree {
    /// Folders that hold a `SKILL.md`, sorted; the root is empty.
    pub fn skills(&self) -> Vec<&str> {
        let skills = self.files.iter().filter(|file| path::base(&file.path) == "SKILL.md");
        skills.map(|file| path::parent(&file.path)).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The files in a folder, at any depth.
    pub fn below<'t>(&'t self, folder: &'t str) -> impl Iterator<Item = (&'t str, &'t File)> {
        self.files.iter().filter_map(move |file| Some((path::below(&file.path, folder)?, file)))
    }

    /// The file or link at a path.
    pub fn file(&self, path: &str) -> Option<&File> {
        let at = self.files.binary_search_by(|file| file.path.as_str().cmp(path)).ok()?;
        self.files.get(at)
    }

    /// Whether each skill, or the whole where there is none, is within its limits.
    ///
    /// # Errors
    /// The first that is not.
    pub fn check(&self, limits: &Limits) -> Result<(), InputError> {
        let skills = self.skills();
        for folder in if skills.is_empty() { vec![""] } else { skills } {
            let (mut files, mut bytes) = (0, 0);
            for (_, file) in self.below(folder) {
                files += 1;
                bytes += file.size();
            }
            let over = if files > limits.files {
                Some((format!("{files} files; a skill may have {}", limits.files), "--max-files"))
            } else if bytes > limits.skill_bytes {
                Some((format!("{bytes} bytes; a skill may have {}", limits.skill_bytes), "--max-skill-size"))
            } else {
                None
            };
            if let Some((message, flag)) = over {
                let place = if folder.is_empty() { "skill".to_owned() } else { format!("skill {folder:?}") };
                return Err(super::within(place, refused(message, format!("raise {flag} if it is meant"))));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> Kind {
        let limits = Limits::default();
        let reading =
            super::super::facts::Reading { size: text.len() as u64, executable: false, limits: &limits };
        Kind::File(Box::new(
            reading.facts(&mut text.as_bytes(), "x", &mut Default::default()).expect("memory"),
        ))
    }

    fn link(target: &str) -> Kind {
        Kind::Link(target.into())
    }

    /// The tree of layers, a line a file.
    fn merged(layers: &[&[(&str, Kind)]]) -> Result<Vec<String>, String> {
        let mut merge = Merge::default();
        let mut all = || {
            for layer in layers {
                merge.next_layer();
                for (path, kind) in *layer {
                    merge.apply(Entry { path: (*path).into(), kind: kind.clone(), closed: false })?;
                }
            }
            std::mem::take(&mut merge).finish()
        };
        let tree = all().map_err(|error| error.to_string())?;
        Ok(tree.files.iter().map(|file| format!("{} {}", file.path, file.size())).collect())
    }

    #[test]
    fn the_upper_layer_wins() {
        let lower: &[_] = &[
            ("a/x", file("1")),
            ("a/y", file("1")),
            ("ab", file("1")),
            ("b", file("1")),
            ("c/z", file("1")),
        ];
        let tree = |upper: &[(&str, Kind)]| merged(&[lower, upper]).map(|files| files.join(", "));
        for (upper, expected) in [
            (vec![("a/x", file("22"))], "a/x 2, a/y 1, ab 1, b 1, c/z 1"),
            (vec![("a", Kind::Removed)], "ab 1, b 1, c/z 1"),
            (vec![("a/x", Kind::Removed), ("none", Kind::Removed)], "a/y 1, ab 1, b 1, c/z 1"),
            (vec![("a/new", file("22")), ("a", Kind::Opaque)], "a/new 2, ab 1, b 1, c/z 1"),
            (vec![("", Kind::Opaque), ("d", file("1"))], "d 1"),
            (vec![("a", file("333"))], "a 3, ab 1, b 1, c/z 1"),
            (vec![("b/in", file("1"))], "a/x 1, a/y 1, ab 1, b/in 1, c/z 1"),
            (vec![("b", Kind::Folder), ("c", Kind::Folder)], "a/x 1, a/y 1, ab 1, c/z 1"),
            (vec![("h", Kind::HardLink("a/x".into()))], "a/x 1, a/y 1, ab 1, b 1, c/z 1, h 1"),
        ] {
            assert_eq!(tree(&upper).as_deref(), Ok(expected), "{upper:?}");
        }
    }

    /// Two runtimes would mount two trees.
    #[test]
    fn what_runtimes_do_not_agree_about_is_refused() {
        let lower: &[_] = &[("a/x", file("1")), ("l", link("a"))];
        for upper in [
            vec![("b", file("1")), ("b", file("2"))],
            vec![("b", file("1")), ("b/c", file("2"))],
            vec![("b/c", file("1")), ("b", file("2"))],
            vec![("b", file("1")), ("b", Kind::Folder)],
            vec![("a/x", file("2")), ("a/x", Kind::Removed)],
            vec![("a/x", Kind::Removed), ("a/x", file("2"))],
            vec![("a", Kind::Removed), ("a/z", file("2"))],
            vec![("l/z", file("2"))],
            vec![("h", Kind::HardLink("a".into()))],
            vec![("h", Kind::HardLink("none".into()))],
        ] {
            assert!(merged(&[lower, &upper]).is_err(), "{upper:?}");
        }
    }

    /// A link is what an agent reads through: into its own container, if it leads out.
    #[test]
    fn links_end_in_the_tree() {
        let base = || vec![("d/e/f", file("1")), ("g", file("1"))];
        for (path, target) in
            [("l", "g"), ("d/l", "../g"), ("d/l", "e"), ("l", "./d//e/f"), ("d/e/l", "../../d/e/f")]
        {
            let layer = [base(), vec![(path, link(target))]].concat();
            assert!(merged(&[&layer]).is_ok(), "{path} -> {target}");
        }
        for links in [
            vec![("l", "/etc/passwd")],
            vec![("l", "../x")],
            vec![("d/l", "../../x")],
            vec![("l", "l")],
            vec![("l", "m"), ("m", "l")],
            vec![("l", "none")],
            vec![("l", "g/x")],
            // Lexically in the tree, and out of it once the link on the way is followed.
            vec![("d/e/up", ".."), ("l", "d/e/up/../../x")],
        ] {
            let links = links.into_iter().map(|(path, target)| (path, link(target)));
            let layer: Vec<_> = base().into_iter().chain(links).collect();
            assert!(merged(&[&layer]).is_err(), "{layer:?}");
        }
    }
}
