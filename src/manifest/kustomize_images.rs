//! The `images` of a kustomization, which give images other names, tags and digests as it is built: text in, entries out, and
//! splices for other tags and digests. Which of them are about skills is left to who calls.

use serde_json::Value;

use crate::api::error::InputError;
use crate::api::image_reference::{name_of, parts};
use crate::api::object::Origin;
use crate::yaml::{self, Document, Splice, Step, SyntaxError, apply};

/// An entry of `images`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageEntry {
    /// Index of its document in the text.
    document: usize,
    /// Index in the list.
    pub index: usize,
    /// The line in the file of the tag that it gives, or else of the digest, or of the entry.
    pub line: usize,
    /// The name that manifests have.
    pub name: String,
    /// The name that they get.
    pub new_name: Option<String>,
    /// The tag that they get.
    pub new_tag: Option<String>,
    /// The digest that they get.
    pub digest: Option<String>,
}

impl ImageEntry {
    /// The entry with another tag and digest, in the places of those that it has.
    #[must_use]
    pub fn with(&self, tag: &str, digest: &str) -> Self {
        Self {
            new_tag: self.new_tag.as_ref().map(|_| tag.to_owned()),
            digest: self.digest.as_ref().map(|_| digest.to_owned()),
            ..self.clone()
        }
    }

    /// The reference that manifests get; `None` where the entry gives them neither a tag nor a digest.
    ///
    /// Both replace whatever tag and digest the manifests have, as kustomize does it.
    pub fn reference(&self) -> Option<String> {
        let name = self.new_name.as_ref().unwrap_or(&self.name);
        match (&self.new_tag, &self.digest) {
            (None, None) => None,
            (Some(tag), None) => Some(format!("{name}:{tag}")),
            (None, Some(digest)) => Some(format!("{name}@{digest}")),
            (Some(tag), Some(digest)) => Some(format!("{name}:{tag}@{digest}")),
        }
    }

    /// What a reference becomes where kustomize looks at it: another one, or `None` where it stays as it is. A name is compared as
    /// it is written, without Docker Hub's defaults.
    pub fn replacing(&self, image: &str) -> Option<String> {
        parts(image)?;
        (name_of(image) == self.name).then(|| self.reference()).flatten().filter(|found| found != image)
    }

    /// The field by which it gives the reference its tag, or else its digest.
    pub fn field(&self) -> String {
        let key = if self.new_tag.is_some() { "newTag" } else { "digest" };
        format!("images[{}].{key}", self.index)
    }
}

/// Whether a file that a kustomization names under `configurations` has kustomize look at the images of skills in a kind of list.
/// Without, it looks at those of containers and volumes alone.
pub fn teaches_lists(text: &str, api_version: &str, kind: &str) -> bool {
    yaml::split(text).iter().any(|slice| {
        let value = Document::parse(slice.text(text)).ok().and_then(|document| document.to_value().ok());
        value.is_some_and(|value| teaches(&value, api_version, kind))
    })
}

/// The same of a document of such a file.
pub fn teaches(configuration: &Value, api_version: &str, kind: &str) -> bool {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let is_it = |item: &Value| {
        let says = |key: &str, own: &str| {
            let said = item.get(key).and_then(Value::as_str).unwrap_or_default();
            said.is_empty() || said == own
        };
        let path = item.get("path").and_then(Value::as_str).unwrap_or_default().replace("[]", "");
        path.trim_matches('/') == "spec/skills/image"
            && says("group", group)
            && says("version", version)
            && says("kind", kind)
    };
    configuration.get("images").and_then(Value::as_array).is_some_and(|items| items.iter().any(is_it))
}

/// The entries of a kustomization; none of a text that is none, or that kustomize would not read either.
pub fn entries(text: &str) -> Vec<ImageEntry> {
    let mut out = Vec::new();
    for (document, slice) in yaml::split(text).iter().enumerate() {
        let Ok(parsed) = Document::parse(slice.text(text)) else { continue };
        let Some(value) = parsed.to_value().ok().filter(may_be_kustomization) else { continue };
        for (index, item) in value.get("images").and_then(Value::as_array).into_iter().flatten().enumerate() {
            let of = |key: &str| item.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
            let Some(name) = of("name") else { continue };
            let mut path = vec![Step::from("images"), index.into()];
            path.extend(["newTag", "digest"].into_iter().find(|key| of(key).is_some()).map(Step::from));
            let (line, column) = parsed.position(parsed.deepest(&path).0);
            out.push(ImageEntry {
                document,
                index,
                line: slice.place(line, column).0,
                name: name.to_owned(),
                new_name: of("newName").map(str::to_owned),
                new_tag: of("newTag").map(str::to_owned),
                digest: of("digest").map(str::to_owned),
            });
        }
    }
    out
}

/// Whether a document of a file that was given as a kustomization may be one: it need not say what it is; a manifest must. Which
/// documents of other files are, `kustomization::is_kustomization` says.
fn may_be_kustomization(value: &Value) -> bool {
    match (value.get("apiVersion").and_then(Value::as_str), value.get("kind").and_then(Value::as_str)) {
        (None, None) => true,
        (_, Some("Kustomization" | "Component")) => true,
        (Some(group), None) => group.starts_with("kustomize.config.k8s.io/"),
        _ => false,
    }
}

/// The text with other tags and digests in entries: what an entry has not is not added.
///
/// # Errors
/// What cannot be edited as it is written, with its place in `file`.
pub fn edit(text: &str, file: &str, wanted: &[ImageEntry]) -> Result<String, Vec<InputError>> {
    let (mut out, mut at, mut errors) = (String::with_capacity(text.len()), 0, Vec::new());
    for (index, slice) in yaml::split(text).iter().enumerate() {
        let own: Vec<&ImageEntry> = wanted.iter().filter(|entry| entry.document == index).collect();
        if own.is_empty() {
            continue;
        }
        let mut failed = |line: usize, column: usize, field: &str, message: &str, help: &str| {
            let (line, column) = slice.place(line, column);
            errors.push(InputError {
                origin: Origin { file: file.to_owned(), document: index + 1, line },
                column,
                field: field.to_owned(),
                message: message.to_owned(),
                help: help.to_owned(),
                ..InputError::default()
            });
        };
        match edited(slice.text(text), &own) {
            Ok(after) => {
                out.push_str(&text[at..slice.start]);
                out.push_str(&after);
                at = slice.end;
            }
            Err(Refused::Syntax(error)) => failed(error.line, error.column, "", &error.message, ""),
            Err(Refused::Edit(error)) => {
                failed(error.line, error.column, &error.path, &error.message, &error.help)
            }
        }
    }
    out.push_str(&text[at..]);
    if errors.is_empty() { Ok(out) } else { Err(errors) }
}

enum Refused {
    Syntax(SyntaxError),
    Edit(yaml::EditError),
}

fn edited(text: &str, wanted: &[&ImageEntry]) -> Result<String, Refused> {
    let document = Document::parse(text).map_err(Refused::Syntax)?;
    let mut value = document.to_value().map_err(Refused::Syntax)?;
    for entry in wanted {
        let Some(item) = value.pointer_mut(&format!("/images/{}", entry.index)) else { continue };
        for (key, text) in [("newTag", &entry.new_tag), ("digest", &entry.digest)] {
            if let (Some(own), Some(text)) = (item.get_mut(key), text) {
                *own = Value::from(text.as_str());
            }
        }
    }
    // As people and `kustomize edit` write them: a tag such as 1.2.0 needs no quotes where the old one had none.
    if let Some(after) = plain(text, &document, wanted)
        && Document::parse(&after).and_then(|document| document.to_value()).is_ok_and(|found| found == value)
    {
        return Ok(after);
    }
    let splices = yaml::edit(&document, &value).map_err(Refused::Edit)?;
    Ok(apply(text, &splices))
}

/// The text with the new tags and digests in the places of the old ones; `None` where one of these is not written as it is.
fn plain(text: &str, document: &Document<'_>, wanted: &[&ImageEntry]) -> Option<String> {
    let mut splices = Vec::new();
    for entry in wanted {
        for (key, new) in [("newTag", &entry.new_tag), ("digest", &entry.digest)] {
            let Some(new) = new else { continue };
            let node = document.find(&["images".into(), entry.index.into(), key.into()])?;
            let (start, end) =
                (document.tree.node(node).start as usize, document.tree.node(node).end as usize);
            let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
            if !document.source(node).chars().all(is_plain) || !new.chars().all(is_plain) {
                return None;
            }
            splices.push(Splice { start, end, text: new.clone() });
        }
    }
    splices.sort_by_key(|splice| splice.start);
    Some(apply(text, &splices))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

    #[test]
    fn tags_and_digests_of_entries_are_replaced_and_nothing_else() {
        let text = format!(
            "# overlay\nresources: [../base]\nimages:\n- name: ghcr.io/acme/pdf   # skill\n  newName: mirror.lan/pdf\n  newTag: 1.2.0   # pinned\n\
             - {{name: csv, digest: {DIGEST}}}\n- name: other\n  newName: another\n"
        );
        let found = entries(&text);
        let references: Vec<Option<String>> = found.iter().map(ImageEntry::reference).collect();
        let pinned = format!("csv@{DIGEST}");
        assert_eq!(references, [Some("mirror.lan/pdf:1.2.0".into()), Some(pinned), None]);
        let other = DIGEST.replace("sha256:4", "sha256:5");
        let wanted: Vec<ImageEntry> = found.iter().map(|entry| entry.with("1.10.0", &other)).collect();
        let after = edit(&text, "kustomization.yaml", &wanted).expect("an edit");
        assert_eq!(after, text.replace("1.2.0", "1.10.0").replace(DIGEST, &other));
        let places: Vec<(usize, String)> = found.iter().map(|entry| (entry.line, entry.field())).collect();
        assert_eq!(places[0], (6, "images[0].newTag".into()));
        assert_eq!(places[1], (7, "images[1].digest".into()));
    }

    /// What an entry does not change is no reason to refuse it.
    #[test]
    fn an_entry_replaces_references_of_its_own_name() {
        let found = entries(
            "images:\n- {name: x/pdf, newTag: '2'}\n- {name: busybox, newName: y/b, newTag: '1'}\n- {name: x/csv, newName: y/csv}\n",
        );
        let becomes = |at: usize, image: &str| found[at].replacing(image);
        assert_eq!(becomes(0, "x/pdf:1"), Some("x/pdf:2".into()));
        assert_eq!(becomes(0, &format!("x/pdf:2@{DIGEST}")), Some("x/pdf:2".into()));
        assert_eq!(becomes(0, "x/pdf:2"), None);
        assert_eq!(becomes(0, "y/pdf:1"), None);
        assert_eq!(becomes(1, "busybox"), Some("y/b:1".into()));
        assert_eq!(becomes(1, "docker.io/library/busybox"), None);
        assert_eq!(becomes(2, "x/csv:1"), None);
    }

    #[test]
    fn a_configuration_is_about_the_kinds_that_it_names() {
        let (group, kind) = ("skills.kagenti.dev/v1alpha1", "SkillBinding");
        for (item, expected) in [
            ("{path: spec/skills/image, kind: SkillBinding}", true),
            ("{path: 'spec/skills[]/image'}", true),
            ("{path: /spec/skills/image, group: skills.kagenti.dev, version: v1alpha1}", true),
            ("{path: spec/skills/image, kind: AgentRuntime}", false),
            ("{path: spec/skills/image, group: apps}", false),
            ("{path: spec/template/image, kind: SkillBinding}", false),
        ] {
            assert_eq!(teaches_lists(&format!("images:\n- {item}\n"), group, kind), expected, "{item}");
        }
        assert!(!teaches_lists("namePrefix:\n- {path: spec/skills/image}\n", group, kind));
        assert!(!teaches_lists("{{ broken", group, kind));
    }

    #[test]
    fn what_is_no_kustomization_has_no_entries() {
        for text in [
            "apiVersion: v1\nkind: ConfigMap\nimages: [{name: a, newTag: b}]\n",
            "{{ broken",
            "",
            "images: {name: a}\n",
            "- images\n",
        ] {
            assert_eq!(entries(text), [], "{text}");
        }
        let component =
            "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nimages: [{name: a, newTag: b}]\n";
        assert_eq!(entries(component).len(), 1);
    }
}
