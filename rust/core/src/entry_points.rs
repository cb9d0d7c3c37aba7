//! Search of a folder of installed packages for a group of entry points.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use memchr::memmem::Finder;

/// Whether a folder may hold a package that declares entry points of a group: `false` only if it
/// surely holds none.
#[must_use]
pub fn may_declare(folder: &Path, group: &[u8]) -> bool {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        // An archive has folders of its own.
        Err(error) => return error.kind() == ErrorKind::NotADirectory,
    };
    let finder = Finder::new(group);
    let mut content = Vec::new();
    for entry in entries {
        let Ok(entry) = entry else { return true };
        let name = entry.file_name();
        let name = name.as_bytes();
        let ends_with =
            |end: &str| name.len() >= end.len() && name[name.len() - end.len()..].eq_ignore_ascii_case(end.as_bytes());
        if ends_with(".dist-info") || ends_with(".egg-info") && name.len() > ".egg-info".len() {
            // Most packages have none.
            let Ok(mut file) = File::open(entry.path().join("entry_points.txt")) else { continue };
            content.clear();
            if file.read_to_end(&mut content).is_err() || finder.find(&content).is_some() {
                return true;
            }
        } else if ends_with(".egg") || name.eq_ignore_ascii_case(b"egg-info") {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUP: &[u8] = b"some.group";

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        folder
    }

    #[test]
    fn groups_are_found_where_packages_declare_them() {
        for (path, content, expected) in [
            ("a-1.dist-info/entry_points.txt", "[console_scripts]\n", false),
            ("a-1.dist-info/entry_points.txt", "[some.group]\n", true),
            ("a-1.DIST-INFO/entry_points.txt", "[some.group]\n", true),
            ("a.egg-info/entry_points.txt", "x\n[some.group]\n", true),
            ("a-1.dist-info/METADATA", "some.group", false),
            ("a/entry_points.txt", "[some.group]\n", false),
            ("a.egg/EGG-INFO/entry_points.txt", "", true),
            ("EGG-INFO/entry_points.txt", "", true),
        ] {
            assert_eq!(may_declare(folder(&[(path, content)]).path(), GROUP), expected, "{path}: {content}");
        }
    }

    #[test]
    fn a_missing_folder_holds_nothing_and_an_archive_anything() {
        let folder = folder(&[("archive.zip", "")]);
        assert!(!may_declare(&folder.path().join("nowhere"), GROUP));
        assert!(may_declare(&folder.path().join("archive.zip"), GROUP));
    }
}
