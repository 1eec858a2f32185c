//! The file in which transactions wait while the server is down.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::Path,
};

use tracing::warn;
use tx_relay::{MAX_SAVED_BYTES, Saved, decode_saved};

/// What the file holds; nothing if there is none. One that cannot be used is renamed, so that
/// somebody can look at it and the server starts all the same.
pub(super) fn read(path: &Path) -> Vec<Saved> {
    let damage = match read_bytes(path) {
        Ok(bytes) => match decode_saved(&bytes) {
            Ok(saved) => return saved,
            Err(damaged) => damaged.to_string(),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => error.to_string(),
    };
    let aside = path.with_extension("damaged");
    match fs::rename(path, &aside) {
        Ok(()) => warn!(
            file = %aside.display(), reason = damage,
            "The file of waiting transactions is damaged and set aside; clients send theirs again"
        ),
        Err(error) => warn!(
            file = %path.display(), reason = damage, %error,
            "The file of waiting transactions is damaged and cannot be set aside"
        ),
    }
    Vec::new()
}

fn read_bytes(path: &Path) -> io::Result<Vec<u8>> {
    let most = u64::try_from(MAX_SAVED_BYTES).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    File::open(path)?.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() > MAX_SAVED_BYTES {
        return Err(io::Error::other(format!("it is longer than {MAX_SAVED_BYTES} bytes")));
    }
    Ok(bytes)
}
