//! The files of one commit of a git repository, through the `git` program: that commit alone is fetched, nothing is checked
//! out, and so no hook, filter or submodule of the repository runs.

use std::cell::RefCell;
use std::fs;
use std::io::{BufRead as _, BufReader, Cursor, Read, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use kubectl_skills::api::error::InputError;
use kubectl_skills::skill::limits::{Limits, Spent};
use kubectl_skills::skill::pack::Member;
use kubectl_skills::skill::{path, refused, url, within};
use tempfile::TempDir;

use super::human;
use crate::in_place::leftovers;

/// How long a fetch may take.
const PATIENCE: Duration = Duration::from_secs(300);
/// How much it may bring, for a limit of an image.
const TIMES_IMAGE: u64 = 4;

/// A commit that was fetched.
pub struct Checkout {
    /// Where it came from, without credentials.
    pub url: String,
    /// Its id.
    pub commit: String,
    /// Its files.
    pub files: Vec<Blob>,
    batch: RefCell<Batch>,
    limit: u64,
    /// Removed with it.
    _repository: TempDir,
}

/// A file of the commit.
pub struct Blob {
    /// What is packed.
    pub member: Member,
    id: String,
}

/// `URL@COMMIT[//FOLDER]`, taken apart.
#[derive(Debug, PartialEq, Eq)]
struct Address<'t> {
    url: &'t str,
    commit: &'t str,
    folder: String,
}

fn address(text: &str) -> Result<Address<'_>, InputError> {
    let form = "git+https://HOST/REPOSITORY@COMMIT, and //FOLDER after it for a part of it";
    let (url, rest) = text.rsplit_once('@').ok_or_else(|| refused("it names no commit", form))?;
    let (commit, folder) = rest.split_once("//").unwrap_or((rest, ""));
    if !matches!(commit.len(), 40 | 64)
        || !commit.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    {
        return Err(refused(
            format!("{commit:?} is no full commit id"),
            "branches, tags and short ids may name another commit tomorrow: 'git ls-remote URL' prints the id",
        ));
    }
    let (scheme, remainder) = url.split_once("://").unwrap_or_default();
    if !["https", "ssh", "file"].contains(&scheme) {
        return Err(refused(format!("{scheme:?} is no protocol that is fetched by"), form));
    }
    let authority = remainder.split('/').next().unwrap_or_default();
    if authority.contains('@') && (scheme != "ssh" || authority.contains(':')) {
        return Err(refused(
            "a user or password in the URL, which would be published with the image",
            "leave it out; git asks its credential helper",
        ));
    }
    let folder =
        path::normal(folder.as_bytes()).map_err(|wrong| refused(format!("its folder {wrong}"), form))?;
    Ok(Address { url, commit, folder })
}

/// Fetches a commit and lists its files.
pub fn fetch(text: &str, limits: &Limits) -> Result<Checkout, InputError> {
    let at = |error| within(format!("git+{}", url::without_login(text)), error);
    let address = address(text).map_err(at)?;
    all(&address, limits).map_err(at)
}

fn all(address: &Address<'_>, limits: &Limits) -> Result<Checkout, InputError> {
    let repository =
        leftovers::folder().map_err(|error| refused(format!("a temporary folder: {error}"), ""))?;
    let root = repository.path();
    let format = if address.commit.len() == 64 { "sha256" } else { "sha1" };
    run(
        git(root).args(["init", "--quiet", "--bare", "--template=", "--object-format", format]),
        root,
        u64::MAX,
    )?;
    let mut command = git(root);
    command.args([
        "fetch",
        "--quiet",
        "--depth",
        "1",
        "--no-tags",
        "--no-recurse-submodules",
        "--no-auto-maintenance",
    ]);
    command.args([address.url, address.commit]);
    run(&mut command, root, limits.image_bytes.saturating_mul(TIMES_IMAGE))?;
    let kind = run(git(root).args(["cat-file", "-t", address.commit]), root, u64::MAX)?;
    if kind.trim_ascii() != b"commit" {
        return Err(refused("the id is not that of a commit", "'git ls-remote URL' prints ids of commits"));
    }
    let mut command = git(root);
    command.args(["ls-tree", "-r", "-z", "-l", "--full-tree", address.commit]);
    let listed = run(&mut command, root, u64::MAX)?;
    let mut batch = Batch::start(root)?;
    let files = files(&listed, &address.folder, &mut batch, limits)?;
    if files.is_empty() {
        return Err(refused(format!("no files in {:?} of the commit", address.folder), ""));
    }
    Ok(Checkout {
        url: address.url.to_owned(),
        commit: address.commit.to_owned(),
        files,
        batch: RefCell::new(batch),
        limit: limits.file_bytes,
        _repository: repository,
    })
}

/// git, with everything off that runs what a repository brings or asks a person.
fn git(root: &Path) -> Command {
    let mut command = Command::new("git");
    command.arg("--git-dir").arg(root);
    for setting in [
        "core.hooksPath=/dev/null",
        "protocol.allow=never",
        "protocol.https.allow=always",
        "protocol.ssh.allow=always",
        "protocol.file.allow=always",
        "transfer.fsckObjects=true",
        "submodule.recurse=false",
        "gc.auto=0",
    ] {
        command.args(["-c", setting]);
    }
    command.env("GIT_TERMINAL_PROMPT", "0").env("GIT_NO_LAZY_FETCH", "1").stdin(Stdio::null());
    command.env("LC_ALL", "C").env_remove("GIT_DIR").env_remove("GIT_WORK_TREE").env_remove("GIT_INDEX_FILE");
    command
}

/// Runs git to its end, or until it takes too long or brings too much; gives what it printed.
fn run(command: &mut Command, root: &Path, most: u64) -> Result<Vec<u8>, InputError> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(|error| {
        refused(format!("the program git cannot be started: {error}"), "install git, or pack a folder")
    })?;
    let out = child.stdout.take().map(read_all);
    let err = child.stderr.take().map(read_all);
    let status = watch(&mut child, root, most);
    if status.is_err() {
        let _ = child.kill();
        let _ = child.wait();
    }
    let text = |reader: Option<std::thread::JoinHandle<Vec<u8>>>| {
        reader.and_then(|reader| reader.join().ok()).unwrap_or_default()
    };
    let status = status?;
    let (out, err) = (text(out), text(err));
    if status.success() {
        return Ok(out);
    }
    let said = String::from_utf8_lossy(&err);
    Err(refused(
        format!(
            "git: {}",
            said.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
        ),
        "",
    ))
}

/// Reads an output so that the program is never kept waiting, and keeps no more of it than a list of files takes.
fn read_all(mut from: impl Read + Send + 'static) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.by_ref().take(64 << 20).read_to_end(&mut bytes);
        let _ = std::io::copy(&mut from, &mut std::io::sink());
        bytes
    })
}

fn watch(child: &mut Child, root: &Path, most: u64) -> Result<std::process::ExitStatus, InputError> {
    let begun = Instant::now();
    let mut turns = 0_u32;
    loop {
        if let Some(status) = child.try_wait().map_err(|error| refused(error.to_string(), ""))? {
            return Ok(status);
        }
        if begun.elapsed() > PATIENCE {
            let message = format!("git did not end within {} s", PATIENCE.as_secs());
            return Err(refused(message, "clone the repository, and pack the folder"));
        }
        turns += 1;
        if turns.is_multiple_of(20) && most < u64::MAX && size_of(root) > most {
            return Err(refused(
                format!("the commit brings more than {}", human(most)),
                "clone the repository, and pack the folder; or raise --max-image-size",
            ));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn size_of(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let of = |entry: fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => size_of(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    };
    entries.flatten().map(of).sum()
}

/// A file as git lists it.
struct Line<'t> {
    mode: &'t str,
    id: &'t str,
    size: u64,
    path: String,
}

/// The files below a folder; a link to one of them stands for it, as it does in a folder.
fn files(listed: &[u8], folder: &str, batch: &mut Batch, limits: &Limits) -> Result<Vec<Blob>, InputError> {
    let mut spent = Spent::default();
    let mut lines = Vec::new();
    for line in listed.split(|&byte| byte == 0).filter(|line| !line.is_empty()) {
        spent.entry(limits)?;
        let strange = || refused("git lists files in a way that is not understood", "update git");
        let tab = line.iter().position(|&byte| byte == b'\t').ok_or_else(strange)?;
        let facts = std::str::from_utf8(&line[..tab]).map_err(|_| strange())?;
        let name = &line[tab + 1..];
        let words: Vec<&str> = facts.split_ascii_whitespace().collect();
        let [mode, _, id, size] = words[..] else { return Err(strange()) };
        let wrong =
            |wrong| refused(format!("{:?}: its name {wrong}", String::from_utf8_lossy(name)), "rename it");
        let path = path::normal(name).map_err(wrong)?;
        if let Some(path) = path::below(&path, folder) {
            lines.push(Line { mode, id, size: size.parse().unwrap_or(0), path: path.to_owned() });
        }
    }
    let mut files = Vec::with_capacity(lines.len());
    for line in &lines {
        let place = |error| within(format!("file {:?}", line.path), error);
        let end = match line.mode {
            "120000" => follow(line, &lines, batch).map_err(place)?,
            "160000" => {
                return Err(place(refused("a submodule", "pack the commit of the submodule itself")));
            }
            _ => line,
        };
        files.push(Blob {
            member: Member { path: line.path.clone(), size: end.size, executable: end.mode == "100755" },
            id: end.id.to_owned(),
        });
    }
    Ok(files)
}

fn follow<'l>(
    link: &'l Line<'l>,
    lines: &'l [Line<'l>],
    batch: &mut Batch,
) -> Result<&'l Line<'l>, InputError> {
    let mut at = link;
    for _ in 0..40 {
        if at.mode != "120000" {
            return Ok(at);
        }
        let target = batch.read(at.id, 4096)?;
        let target = String::from_utf8_lossy(&target).into_owned();
        let mut parts: Vec<&str> =
            path::parent(&at.path).split('/').filter(|part| !part.is_empty()).collect();
        let mut out = target.starts_with('/');
        for part in target.split('/') {
            match part {
                "" | "." => {}
                ".." => out |= parts.pop().is_none(),
                part => parts.push(part),
            }
        }
        let path = parts.join("/");
        let found = lines.iter().find(|line| !out && line.path == path);
        at = found.ok_or_else(|| {
            refused(
                format!("a symbolic link to {target:?}, which is no file of what is packed"),
                "replace it by the file itself, or remove it",
            )
        })?;
    }
    Err(refused(
        "a symbolic link that leads in a circle, or over more than 40 links",
        "replace it by the file itself, or remove it",
    ))
}

impl Checkout {
    /// The content of a file.
    pub fn open(&self, at: usize) -> Result<Box<dyn Read + '_>, InputError> {
        let bytes = self.batch.borrow_mut().read(&self.files[at].id, self.limit)?;
        if bytes.starts_with(b"version https://git-lfs.github.com/spec/v1\n") {
            return Err(refused(
                "a Git LFS pointer, and not the file",
                "clone the repository with git-lfs, and pack the folder",
            ));
        }
        Ok(Box::new(Cursor::new(bytes)))
    }
}

/// `git cat-file --batch`, which is asked for one file after another.
struct Batch {
    child: Child,
    ask: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Batch {
    fn start(root: &Path) -> Result<Self, InputError> {
        let io = |error: std::io::Error| refused(format!("git: {error}"), "");
        let mut child = git(root)
            .args(["cat-file", "--batch"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(io)?;
        match (child.stdin.take(), child.stdout.take()) {
            (Some(ask), Some(answers)) => Ok(Self { child, ask, answers: BufReader::new(answers) }),
            _ => Err(refused("git: no pipes", "")),
        }
    }

    fn read(&mut self, id: &str, most: u64) -> Result<Vec<u8>, InputError> {
        let io = |error: std::io::Error| refused(format!("git: {error}"), "");
        writeln!(self.ask, "{id}").and_then(|()| self.ask.flush()).map_err(io)?;
        let mut head = String::new();
        self.answers.by_ref().take(256).read_line(&mut head).map_err(io)?;
        let size = head.split_ascii_whitespace().nth(2).and_then(|size| size.parse::<u64>().ok());
        let size = size.ok_or_else(|| refused(format!("git: {}", head.trim()), ""))?;
        if size > most {
            return Err(refused(
                format!("{size} bytes; a file may have {most}"),
                "raise --max-file-size if it is meant",
            ));
        }
        let mut bytes = Vec::new();
        self.answers.by_ref().take(size + 1).read_to_end(&mut bytes).map_err(io)?;
        if bytes.pop() != Some(b'\n') || bytes.len() as u64 != size {
            return Err(refused("git ended amid a file", ""));
        }
        Ok(bytes)
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_a_whole_commit_and_no_password() {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        let text = format!("https://example.com/acme/skills.git@{commit}//skills/pdf");
        let expected =
            Address { url: "https://example.com/acme/skills.git", commit, folder: "skills/pdf".into() };
        assert_eq!(address(&text), Ok(expected));
        for wrong in [
            "https://example.com/x".to_owned(),
            "https://example.com/x@main".into(),
            "https://example.com/x@0123456".into(),
            format!("https://ann:secret@example.com/x@{commit}"),
            format!("http://example.com/x@{commit}"),
            format!("ext::sh -c x@{commit}"),
            format!("https://example.com/x@{commit}//../y"),
        ] {
            assert!(address(&wrong).is_err(), "{wrong} would be fetched");
        }
    }
}
