//! Files: what every error says, and names that survive a power failure.

use std::{
    fs::File,
    io::{Error, ErrorKind},
    path::Path,
};

use crate::BackendError;

/// Makes the names in a directory durable.
pub(super) fn sync_directory(directory: &Path) -> Result<(), BackendError> {
    File::open(directory)
        .and_then(|file| file.sync_all())
        .map_err(|error| io_error("sync", directory, error))
}

/// An error that says what was done to which file.
pub(super) fn io_error(deed: &str, path: &Path, source: Error) -> BackendError {
    let kind = source.kind();
    let hint = if matches!(kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded) {
        " (free some space and start again; nothing stored is lost)"
    } else if kind == ErrorKind::FileTooLarge {
        " (allow larger files and start again; nothing stored is lost)"
    } else if matches!(kind, ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) {
        " (the data directory must be writable for this user)"
    } else {
        ""
    };
    BackendError::Io { context: format!("cannot {deed} {}{hint}", path.display()), source }
}
