//! What a new file takes over from the one that it replaces: owner, mode, extended attributes (access lists among them).
//! What cannot be kept is reported as a warning.

use std::fs::{File, Metadata};
use std::path::Path;

/// Gives the new file what the old one has. `path` is the name in messages.
#[cfg(unix)]
pub(super) fn keep(path: &Path, old: &Path, new: &File, metadata: &Metadata) -> std::io::Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    let shown = path.display();
    if metadata.nlink() > 1 {
        crate::notes::warning(&format!(
            "{shown} has {} hard links: the other names keep the old text",
            metadata.nlink()
        ));
    }
    if !owner(new, metadata)? {
        crate::notes::warning(&format!(
            "{shown}: the owner cannot be kept ({}:{}): the file becomes yours",
            metadata.uid(),
            metadata.gid()
        ));
    }
    // After the owner: a change of it may take bits of the mode away.
    new.set_permissions(metadata.permissions())?;
    let lost = extended(old, new);
    if !lost.is_empty() {
        crate::notes::warning(&format!("{shown}: extended attributes cannot be kept: {}", lost.join(", ")));
    }
    Ok(())
}

#[cfg(not(unix))]
pub(super) fn keep(_: &Path, _: &Path, new: &File, metadata: &Metadata) -> std::io::Result<()> {
    new.set_permissions(metadata.permissions())
}

/// Root must not make a user's file its own. Others may not give files away: false if it would be needed.
#[cfg(unix)]
fn owner(new: &File, metadata: &Metadata) -> std::io::Result<bool> {
    use std::os::unix::fs::{MetadataExt as _, fchown};
    let ours = new.metadata()?;
    if (ours.uid(), ours.gid()) == (metadata.uid(), metadata.gid()) {
        return Ok(true);
    }
    match fchown(new, Some(metadata.uid()), Some(metadata.gid())) {
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            // The group alone may be given by its members.
            let group = fchown(new, None, Some(metadata.gid())).is_ok();
            Ok(group && ours.uid() == metadata.uid())
        }
        other => other.map(|()| true),
    }
}

/// Copies extended attributes and names those that could not be.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn extended(old: &Path, new: &File) -> Vec<String> {
    use rustix::fs::{XattrFlags, fgetxattr, fsetxattr, getxattr, listxattr};
    /// Largest value, and largest list of names, that Linux has.
    const LARGEST: usize = 1 << 16;
    let mut names = vec![0; LARGEST];
    // A file system without them has none to lose.
    let length = listxattr(old, &mut names[..]).unwrap_or_default();
    if length == 0 {
        return Vec::new();
    }
    let (mut value, mut there) = (vec![0; LARGEST], vec![0; LARGEST]);
    let mut lost = Vec::new();
    for name in names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let Ok(length) = getxattr(old, name, &mut value[..]) else {
            lost.push(String::from_utf8_lossy(name).into_owned());
            continue;
        };
        let is_there = fgetxattr(new, name, &mut there[..]).is_ok_and(|so| there[..so] == value[..length]);
        if !is_there && fsetxattr(new, name, &value[..length], XattrFlags::empty()).is_err() {
            lost.push(String::from_utf8_lossy(name).into_owned());
        }
    }
    lost
}

#[cfg(all(unix, not(any(target_os = "linux", target_os = "android", target_vendor = "apple"))))]
fn extended(_: &Path, _: &File) -> Vec<String> {
    Vec::new()
}
