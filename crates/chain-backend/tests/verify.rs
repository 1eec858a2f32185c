//! Whether damage is found.

mod common;

use std::{fs::OpenOptions, os::unix::fs::FileExt, path::Path, sync::Arc};

use chain_backend::{HelperTrieBuilder, Store, memory::Generator};
use common::{add, create, open};

fn filled(directory: &Path, archive: bool) -> Arc<Store> {
    let store = Arc::new(create(directory, archive));
    Generator::new(8).chain(290).iter().skip(1).for_each(|block| add(&store, block));
    let mut builder = HelperTrieBuilder::new(Arc::clone(&store));
    (0..20).for_each(|_| assert!(builder.step().is_ok()));
    store
}

#[test]
fn a_sound_store_has_no_fault_and_everything_is_counted() {
    for archive in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let store = filled(directory.path(), archive);
        let mut stages = Vec::new();
        let report = store.verify(&mut |progress| stages.push(progress.stage)).unwrap();
        assert_eq!(report.faults, [""; 0]);
        assert_eq!((report.blocks, report.canonical_blocks), (291, 291));
        assert_eq!(report.helper_sections, 4);
        assert_eq!(report.states, if archive { 291 } else { 163 });
        assert!(report.nodes > 3_000, "{report:?}");
        stages.dedup();
        assert_eq!(stages, ["blocks", "canonical chain", "states", "helper tries"]);

        let stats = store.stats().unwrap();
        assert_eq!((stats.blocks, stats.helper_sections, stats.archive), (291, 4, archive));
        assert_eq!(stats.head, store.head());
        assert!(stats.files.contains_key("kv.redb"), "{stats:?}");
    }
}

#[test]
fn a_flipped_bit_in_a_segment_is_found() {
    let directory = tempfile::tempdir().unwrap();
    drop(filled(directory.path(), false));
    for file in ["journal", "bodies", "receipts"] {
        // Of blocks below the base, which a restart does not read.
        for at in [60, 700, 5_000] {
            let path = directory.path().join(format!("{file}-00000.seg"));
            let open_file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
            let mut byte = [0];
            open_file.read_exact_at(&mut byte, at).unwrap();
            open_file.write_all_at(&[byte[0] ^ 4], at).unwrap();
            let report = open(directory.path()).verify(&mut |_| ()).unwrap();
            assert_ne!(report.faults, [""; 0], "{file} at {at}");
            open_file.write_all_at(&byte, at).unwrap();
        }
    }
    assert_eq!(open(directory.path()).verify(&mut |_| ()).unwrap().faults, [""; 0]);
}
