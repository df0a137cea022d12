//! An OCI layout in a tar that is there already: taken apart into a folder, so that a run that writes the tar anew keeps its
//! images. What is no such tar is the user's, and refused.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use kubectl_skills::api::error::InputError;
use kubectl_skills::skill::oci::Digest;
use kubectl_skills::skill::refused;

use super::folder::io as io_error;

/// Puts the files of a layout in a tar into an empty folder; `None` if no file is there, or an empty one. The file that is
/// given is locked: two runs at once would lose images.
pub fn unpack(tar: &Path, folder: &Path) -> Result<Option<File>, InputError> {
    let failed = |error: io::Error| refused(format!("OCI layout {}: {error}", tar.display()), "");
    let about = match fs::metadata(tar) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(failed)?,
    };
    let foreign = |why: &str| {
        let help = "it would be replaced: name another file, or a folder";
        refused(format!("OCI layout {}: {why}", tar.display()), help)
    };
    if !about.is_file() {
        return Err(foreign("is there, and no file"));
    }
    let file = File::open(tar).map_err(failed)?;
    if let Err(fs::TryLockError::WouldBlock) = file.try_lock() {
        let message = format!("OCI layout {}: another run writes it", tar.display());
        return Err(refused(message, "wait for it to end, and run again"));
    }
    if about.len() == 0 {
        return Ok(Some(file));
    }
    let no_layout = |_| foreign("is there, and no OCI layout in a tar that is not compressed");
    fs::create_dir_all(folder.join("blobs/sha256")).map_err(failed)?;
    let mut archive = tar::Archive::new(&file);
    for entry in archive.entries().map_err(no_layout)? {
        let mut entry = entry.map_err(no_layout)?;
        let kind = entry.header().entry_type();
        if kind.is_dir() || kind.is_pax_global_extensions() {
            continue;
        }
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let name = name.trim_start_matches("./");
        if !kind.is_file() || !is_of_layout(name) {
            return Err(foreign(&format!("holds {name:?}, which is no part of an OCI layout")));
        }
        let at = folder.join(name);
        let mut out = File::create(&at).map_err(|error| io_error(&at, &error))?;
        io::copy(&mut entry, &mut out).map_err(|error| io_error(&at, &error))?;
    }
    if !folder.join("oci-layout").is_file() || !folder.join("index.json").is_file() {
        return Err(foreign("is there, and no OCI layout"));
    }
    Ok(Some(file))
}

fn is_of_layout(name: &str) -> bool {
    let is_blob = |hex: &str| Digest::parse(&format!("sha256:{hex}")).is_ok();
    matches!(name, "oci-layout" | "index.json") || name.strip_prefix("blobs/sha256/").is_some_and(is_blob)
}
