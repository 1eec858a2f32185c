//! `static-nodes.json`: full nodes to which a connection is kept up, as go-ethereum writes them.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rlpx::{Enode, InvalidEnode};

/// A file of static nodes that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StaticNodesError {
    /// It cannot be read.
    #[error("cannot read {0}: {1}")]
    Read(PathBuf, io::Error),
    /// It is no list of texts.
    #[error("{0}: {1}; it must be a JSON list of enode URLs")]
    Content(PathBuf, serde_json::Error),
    /// An entry is no enode URL.
    #[error("{0}: {1}: {2}")]
    Enode(PathBuf, String, InvalidEnode),
}

/// The nodes in a file; none if there is no such file.
///
/// # Errors
/// If it cannot be read or holds anything but enode URLs.
pub fn read(path: &Path) -> Result<Vec<Enode>, StaticNodesError> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(StaticNodesError::Read(path.to_owned(), error)),
    };
    let urls: Vec<String> = serde_json::from_slice(&text)
        .map_err(|error| StaticNodesError::Content(path.to_owned(), error))?;
    let enode = |url: String| {
        url.parse().map_err(|error| StaticNodesError::Enode(path.to_owned(), url, error))
    };
    urls.into_iter().map(enode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<usize, &str>) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("static-nodes.json");
        fs::write(&path, text).unwrap();
        match (read(&path), expected) {
            (Ok(nodes), Ok(count)) => assert_eq!(nodes.len(), count),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
            (found, expected) => panic!("{found:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn a_file_is_a_list_of_enodes() {
        let key = rlpx::NodeKey::from_bytes(&[7; 32]).unwrap();
        let enode = format!("enode://{}@127.0.0.1:30303", key.id());
        check("[]", Ok(0));
        check(&format!("[\"{enode}\", \"{enode}?discport=0\"]"), Ok(2));
        check("[\"enode://1234@127.0.0.1:1\"]", Err("enode://1234"));
        check("{}", Err("JSON list"));
        assert!(read(Path::new("/nowhere/static-nodes.json")).unwrap().is_empty());
    }
}
